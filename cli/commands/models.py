"""`gfr models fetch` and `gfr models list`."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import completion, exit_codes, options, paths
from gfr import text
from gfr.storage import paths as storage_paths

if TYPE_CHECKING:
    from gfr.data.download.catalog import NpmPackage
    from gfr.data.download.npm import Fetched


def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="A name that `gfr models list` prints.", autocompletion=completion.models
        ),
    ],
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Target directory; default: models/NAME.")
    ] = None,
    accept_license: Annotated[
        bool,
        typer.Option("--accept-license", help="Accept the licence that is printed without it."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier download.")
    ] = False,
    offline: options.Offline = False,
    as_json: options.AsJson = False,
) -> None:
    """Download networks from npm, at the version and with the digests in benchmarks/models.toml.

    benchmarks/references.toml and face-features.toml use them (docs/compare-models.md).
    """
    from cli import progress
    from gfr.data.download import npm

    packages = _packages()
    place = _directory(name) if to is None else paths.absolute(str(to))
    # Links are followed, since one may lead to a larger disk.
    directory = Path(os.path.realpath(place))
    request = npm.Request(name, directory, accept_license, offline, overwrite)
    with exit_codes.interruptible("Run the same command again"), progress.display(None):
        fetched = npm.run(request, packages)
    if as_json:
        options.print_json({"directory": str(directory), "fetched": fetched})
    elif fetched:
        print("\n".join(map(text.line, _describe(directory, fetched))))
    else:
        title = packages[name].title
        print(text.line(f"{directory}: has {title} already, nothing was fetched"))


def list_(as_json: options.AsJson = False) -> None:
    """List the packages that `gfr models fetch` can download, and whether they are here."""
    rows = [_row(name, package) for name, package in _packages().items()]
    if as_json:
        options.print_json(rows)
        return
    for row in rows:
        state = f"in {paths.relative(Path(row['directory']))}" if row["is_here"] else "not fetched"
        print(text.line(f"{row['name']}: {row['package']}@{row['version']}, {state}"))
        for fact in ("license", "trained_on", "source"):
            print(text.line(f"  {row[fact]}"))


def _packages() -> "dict[str, NpmPackage]":
    from gfr.data.download import catalog

    return catalog.load_packages(storage_paths.ROOT / "benchmarks" / "models.toml")


def _directory(name: str) -> Path:
    return Path(storage_paths.at_root(f"models/{name}"))


def _row(name: str, package: "NpmPackage") -> dict[str, object]:
    from gfr.data.download import npm

    directory = _directory(name)
    here = {"directory": str(directory), "is_here": npm.is_complete(directory, package)}
    return {"name": name, **dataclasses.asdict(package), **here}


def _describe(directory: Path, fetched: "Fetched") -> list[str]:
    """What was fetched, and under which terms."""
    num_bytes = sum((directory / name).stat().st_size for name in fetched.files)
    return [
        f"{paths.relative(directory)}: {len(fetched.files)} files, {num_bytes / 1e6:.1f} MB",
        f"from npm: {fetched.package}@{fetched.version}; digests as expected",
        fetched.license,
        fetched.trained_on,
    ]
