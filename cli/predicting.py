"""`gfr predict`: what it takes and what it shows.

In: words on the command line. Out: an answer for each image on standard output, as text or JSON.
Heavy imports stand inside the command.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import completion
from cli.options import AsJson, Reports, Trial
from cli.places import or_default
from gfr import text


def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run",
            help="The run; the newest finished one if not given.",
            autocompletion=completion.run_ids,
        ),
    ] = None,
    trial: Trial = None,
    reports: Reports = None,
    as_json: AsJson = False,
) -> None:
    """Classify images with the selected model: the probability that CelebA would say "Male".

    Images are taken as they are: give faces cropped as CelebA's aligned images
    of 178 x 218 are. The page (gfr serve) finds and aligns faces, this command
    does not.
    """
    from cli import start
    from gfr import prediction
    from gfr.results import store
    from gfr.storage import run_directory

    run = store.read_run(run_directory.find(Path(or_default(reports, "reports")), run_id))
    with start.quiet_tensorflow():
        found = prediction.predict(run, trial, images)
    odd = [row for row in found if row.remark]
    if odd:
        others = f" (and {len(odd) - 1} more)" if odd[1:] else ""
        print(text.line(f"gfr: {odd[0].path}{others}: {odd[0].remark}"), file=sys.stderr)
    if as_json:
        print(json.dumps([dataclasses.asdict(row) for row in found], indent=1))
        return
    print(text.line(f"model: {run.introduce(run.result_of(trial))}"))
    for row in found:
        print(f"{text.line(row.path)}  p_male {row.p_male:.3f}  {row.answer}")
