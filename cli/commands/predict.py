"""`gfr predict`."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli import completion, options
from gfr import text
from gfr.errors import InputError


def predict(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    run_id: options.RunOption = None,
    trial: options.Trial = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Engine or format, e.g. litert-dynamic, or fastest: the fastest eligible format "
            "that was timed; default: TensorFlow in float32.",
            autocompletion=completion.words(*completion.ENGINES),
        ),
    ] = None,
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """Classify images with the selected model: the probability of CelebA's label "Male".

    Images must be faces cropped like CelebA's aligned images (178 x 218). This command does not
    detect or align faces; the web page (gfr serve) does.
    """
    from gfr import prediction
    from gfr.results import store
    from gfr.storage import run_directory

    run = store.read_run(run_directory.find(reports, run_id))
    with _quiet_tensorflow():
        predictions = prediction.predict(run, trial, images, engine)
    unusual = [row for row in predictions if row.remark]
    if unusual:
        others = f" (and {len(unusual) - 1} more)" if unusual[1:] else ""
        print(text.line(f"gfr: {unusual[0].path}{others}: {unusual[0].remark}"), file=sys.stderr)
    if as_json:
        options.print_json(predictions)
        return
    print(text.line(f"model: {run.introduce(run.result_of(trial))}"))
    if engine:
        print(text.line(f"engine: {predictions[0].engine}"))
    for row in predictions:
        print(f"{text.line(row.path)}  p_male {row.p_male:.3f}  {row.answer}")


@contextlib.contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Hold back what TensorFlow's C++ code prints, and print it only if the block fails."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except InputError:
            raise
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
