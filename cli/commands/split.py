"""`gfr split`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options, paths
from gfr import text
from gfr.storage import run_directory

if TYPE_CHECKING:
    from gfr.results.split_list import SplitList


def split(
    target: Annotated[Path, typer.Option("--to", metavar="FILE", help="The CSV file to write.")],
    run_id: options.Run = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older file.")] = False,
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the image names of each split of a run, so that other systems can classify them.

    The columns are image, split (train, validation or test) and path.
    """
    from gfr.results import split_list

    run_dir = run_directory.find(reports, run_id)
    written = split_list.write(run_dir, Path(paths.absolute(str(target))), overwrite)
    options.print_result(written, _describe, as_json)


def _describe(written: "SplitList") -> str:
    """What was written, and what to do with it."""
    counts = ", ".join(f"{count:,} {name}" for name, count in written.num_images.items())
    lines = [
        f"{paths.relative(Path(written.file))}: images of run {written.run_id}: {counts}",
        "next: classify the validation and test images with another system, write image,p_male "
        "for each, and name that CSV file in a row [[reference]] (docs/benchmark-file.md)",
    ]
    return "\n".join(map(text.line, lines))
