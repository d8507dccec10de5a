"""`gfr export` and `gfr serve`: the model of a run for the browser."""

from pathlib import Path
from typing import Annotated

import typer

from cli import completion, exit_codes, options, paths
from gfr import text
from gfr.pipeline.run_options import RunOptions
from gfr.storage import run_directory


def export(
    run_id: options.Run = None,
    trial: options.Trial = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="float32, uint16, float16 or uint8; default: the smallest without a significant "
            "difference in accuracy.",
            autocompletion=completion.words(*completion.PRECISIONS),
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the web page with this model to DIR, ready to be hosted."
        ),
    ] = None,
    timeout_s: options.Timeout = RunOptions.timeout_s,
    memory_limit_gb: options.MemoryLimit = RunOptions.memory_limit_gb,
    reports: options.Reports = None,
) -> None:
    """Export a trained model to TensorFlow.js, with its model card and golden predictions.

    A run exports its selected model; use this for another trial or precision.
    """
    from cli import progress
    from gfr.export import validate, web
    from gfr.pipeline import isolation, steps
    from gfr.report import writer

    precision = validate.checked(precision)
    run_dir = run_directory.find(reports, run_id)
    limits = isolation.Limits.checked(timeout_s, memory_limit_gb)
    target = web.unused(Path(paths.absolute(str(site)))) if site else None
    with exit_codes.interruptible("Nothing was exported"), progress.display(None):
        path = steps.export(run_dir, trial, precision, limits)
        writer.write_report(run_dir)
    if target:
        web.write(Path(path), target)
    print(site or path)


def serve(
    run_id: options.Run = None,
    trial: options.Trial = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 8000,
    reports: options.Reports = None,
) -> None:
    """Serve the web page with the exported model of a run, on this machine only, until Ctrl-C."""
    from gfr.export import web
    from gfr.results import store

    run = store.read_run(run_directory.find(reports, run_id))
    server = web.PageServer(web.exported(run, trial), port)
    print(text.line(f"model: {run.introduce(run.result_of(trial))}"))
    print(f"{server.url}  (Ctrl-C ends)", flush=True)
    server.run()
