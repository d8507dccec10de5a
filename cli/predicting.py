"""`gfr predict`: what it takes and what it shows.

In: words on the command line. Out: an answer for each image on standard output, as text or JSON.
Heavy imports stand inside the command.
"""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, Reports, Trial
from cli.places import or_default
from gfr import plain


def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    run_id: Annotated[
        str | None, typer.Option("--run", help="The run; the newest finished one if not given.")
    ] = None,
    trial: Trial = None,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Classify images with the selected model: the probability that CelebA would say "Male"."""
    from cli import start
    from gfr import runs

    run_dir = runs.find(Path(or_default(reports, "reports")), run_id)
    with start.quiet_tensorflow():
        from gfr import predict as library
    predictions = library.predict(run_dir, trial, images)
    if as_json:
        print(json.dumps([dataclasses.asdict(row) for row in predictions], indent=1))
        return
    for row in predictions:
        note = f"  ({row.note})" if row.note else ""
        print(f"{plain.line(row.path)}  p_male {row.p_male:.3f}  {row.answer}  {row.trial}{note}")
