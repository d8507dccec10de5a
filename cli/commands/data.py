"""`gfr data fetch` and `gfr data check`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import completion, exit_codes, options, paths
from gfr import text
from gfr.config import benchmark_files
from gfr.storage import paths as storage_paths

if TYPE_CHECKING:
    from gfr.data.download.fetch import Fetched


def fetch(
    where: Annotated[
        Path | None,
        typer.Argument(metavar="[WHERE]", help="Target directory; default: data/celeba."),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="published (the 5,000 images of that project) or huggingface (all, 12 GB).",
            autocompletion=completion.words(*completion.SOURCES),
        ),
    ] = "published",
    accept_license: Annotated[
        bool,
        typer.Option(
            "--accept-license", help="Accept that CelebA is for non-commercial research only."
        ),
    ] = False,
    url: Annotated[
        str | None, typer.Option(help="URL of another zip archive, or of a mirror of Hugging Face.")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="Expected SHA-256 of the archive.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier download.")
    ] = False,
    offline: options.Offline = False,
    as_json: options.AsJson = False,
) -> None:
    """Download CelebA: 5,000 images from the published project, or all from Hugging Face.

    Every image is decoded before the data set is put in place. Other ways to get the data are in
    docs/data.md.
    """
    from cli import progress
    from gfr.data.download import catalog
    from gfr.data.download import fetch as download_fetch

    place = storage_paths.at_root("data/celeba") if where is None else paths.absolute(str(where))
    # Links are followed, since one may lead to a larger disk.
    directory = Path(os.path.realpath(place))
    request = download_fetch.Request(
        directory, source, url, sha256, accept_license, offline, overwrite
    )
    known = catalog.load(storage_paths.ROOT / "benchmarks" / "sources.toml")
    with exit_codes.interruptible("Run the same command again"), progress.display(None):
        fetched = download_fetch.run(request, known)
    if as_json:
        options.print_json({"directory": str(directory), "fetched": fetched})
    elif fetched:
        print("\n".join(map(text.line, _describe(directory, fetched))))
    else:
        print(text.line(f"{directory}: has CelebA already, nothing was fetched"))


def check(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A CelebA directory, one with a labels.csv, or such a CSV file."
        ),
    ],
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Benchmark whose number of images, seed and split are used; default: full, with "
            "fewer images if there are not enough.",
            autocompletion=completion.benchmarks,
        ),
    ] = None,
    cache: options.Cache = None,
    as_json: options.AsJson = False,
) -> None:
    """Decode every image that a run would use, and describe the data set."""
    from cli import progress
    from gfr.config import loader
    from gfr.data import loading, records

    loaded = loader.load(benchmark_files.benchmark_file(paths.benchmark(benchmark or "full")))
    arguments, too_few = (paths.absolute(str(directory)), loaded, cache), ""
    with progress.display(None):
        if benchmark is None:
            found, too_few = loading.look_at_all(*arguments)
        else:
            found = loading.look(*arguments)
    if as_json:
        options.print_json({"data": found.data, "split": found.split, "too_few": too_few})
    else:
        lines = [*records.describe_data(found.data, found.split), *filter(None, [too_few])]
        print("\n".join(map(text.line, lines)))


def _describe(directory: Path, fetched: "Fetched") -> list[str]:
    """What was fetched, what is unusual about it, and what to do next."""
    origin = fetched.origin
    num_female = fetched.num_images - fetched.num_male
    checked = "as expected" if origin.is_checked else "not checked, since none was given"
    missing = fetched.num_listed - fetched.num_images - fetched.num_undecodable
    is_unexpected = origin.num_expected not in (None, fetched.num_images)
    command = paths.command("run", "full", "--data", paths.relative(directory))
    lines = [
        f"{paths.relative(directory)}: {fetched.num_images:,} images ({fetched.num_male:,} male, "
        f"{num_female:,} female)",
        f"from {origin.url}",
        origin.sha256 and f"SHA-256 of the archive {origin.sha256}: {checked}",
        is_unexpected and f"{origin.num_expected:,} images were expected",
        missing and f"listed but not in the archive, left out: {missing:,}",
        fetched.num_undecodable
        and f"undecodable, dropped by every run: {fetched.num_undecodable:,}",
        f"{fetched.license}.",
        f"next: {command}",
    ]
    return [line for line in lines if line]
