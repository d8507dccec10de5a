"""`gfr data fetch`: what it takes and what it shows.

In: words on the command line. Out: progress on standard error, what was fetched on standard output.
Ctrl-C leaves what has arrived, and says so. Heavy imports stand inside the command.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import completion
from cli.options import AsJson

if TYPE_CHECKING:
    from gfr.data.download.fetch import Fetched


def data_fetch(
    where: Annotated[
        Path | None,
        typer.Argument(metavar="[WHERE]", help="The directory to fill; data/celeba by default."),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="published (its 5,000 images) or huggingface (all, 12 GB).",
            autocompletion=completion.words(*completion.SOURCES),
        ),
    ] = "published",
    accept_license: Annotated[
        bool,
        typer.Option("--accept-license", help="CelebA is for non-commercial research only."),
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="Another zip archive, or Hugging Face's mirror.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="The digest that the archive must have.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what was fetched before.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", envvar="GFR_OFFLINE", help="Never ask the network.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Get CelebA: the published project's images from its Git archive, or all from Hugging Face.

    What was cut off goes on where it stopped; every image is decoded before anything is put in
    place. docs/data.md has the other ways.
    """
    from cli import display, start
    from cli.places import typed
    from gfr import text
    from gfr.data.download import catalog, fetch
    from gfr.storage import paths

    # Links are followed: one that leads to a larger disk is to be filled there.
    place = paths.at_root("data/celeba") if where is None else typed(str(where))
    directory = Path(os.path.realpath(place))
    request = fetch.Request(directory, source, url, sha256, accept_license, offline, overwrite)
    known = catalog.load(paths.ROOT / "benchmarks" / "sources.toml")
    try:
        with start.interruptible(), display.progress(None):
            fetched = fetch.run(request, known)
    except start.Interrupted as interrupted:
        start.leave(interrupted.code, "interrupted; the same command goes on")
    if as_json:
        found = dataclasses.asdict(fetched) if fetched else None
        print(json.dumps({"directory": str(directory), "fetched": found}, indent=1))
    elif fetched:
        print("\n".join(map(text.line, describe(directory, fetched))))
    else:
        print(text.line(f"{directory}: CelebA is there already; nothing was fetched"))


def describe(directory: Path, fetched: "Fetched") -> list[str]:
    """What was fetched, what is odd about it, and what to do next."""
    from cli.places import command, here

    origin = fetched.origin
    num_female = fetched.num_images - fetched.num_male
    lines = [
        f"{here(directory)}: {fetched.num_images:,} images ({fetched.num_male:,} male, "
        f"{num_female:,} female)",
        f"from {origin.url}",
    ]
    if origin.sha256:
        checked = "as was expected" if origin.is_checked else "not checked, none was known before"
        lines.append(f"SHA-256 of the archive {origin.sha256}: {checked}")
    if origin.num_expected not in (None, fetched.num_images):
        lines.append(f"{origin.num_expected:,} images were expected")
    missing = fetched.num_listed - fetched.num_images - fetched.num_undecodable
    if missing:
        lines.append(f"listed without an image in it, and left out: {missing:,}")
    if fetched.num_undecodable:
        lines.append(f"undecodable, and dropped by every run: {fetched.num_undecodable:,}")
    line = command("run", "full", "--data", here(directory))
    return [*lines, f"{fetched.license}.", f"next: {line}"]
