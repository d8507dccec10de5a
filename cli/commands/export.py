"""`gfr export` and `gfr serve`: the model of a run in file formats, and for the browser."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import completion, exit_codes, options, paths
from gfr import text
from gfr.errors import InputError
from gfr.pipeline.run_options import RunOptions
from gfr.storage import run_directory

_TFJS = "tfjs"


def export(
    run_id: options.Run = None,
    trial: options.Trial = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="tfjs (default), litert, litert-float16, litert-dynamic, litert-int8, onnx or "
            "openvino; may be repeated.",
            autocompletion=completion.words(*completion.FORMATS),
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of TensorFlow.js: float32, uint16, float16 or uint8; default: the smallest "
            "without a significant difference in accuracy.",
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
    """Export a trained model to TensorFlow.js and other formats, each with its model card.

    A run exports its selected model; use this for another trial, format or precision.
    """
    from cli import progress
    from gfr.export import validate, web
    from gfr.pipeline import isolation, steps
    from gfr.report import writer

    names = _names(formats, precision, site)
    precision = validate.checked(precision)
    run_dir = run_directory.find(reports, run_id)
    limits = isolation.Limits.checked(timeout_s, memory_limit_gb)
    target = web.unused(Path(paths.absolute(str(site)))) if site else None
    with exit_codes.interruptible("Nothing was exported"), progress.display(None):
        failures = steps.export_formats(run_dir, trial, names, precision, limits)
        writer.write_report(run_dir)
    for name, reason in failures.items():
        print(text.line(f"gfr: {name}: {reason}"), file=sys.stderr)
    places = {name: steps.place_of(run_dir, trial, name) for name in names if name not in failures}
    if target and _TFJS in places:
        web.write(places[_TFJS], target)
        places[_TFJS] = target
    for place in places.values():
        print(place)
    if failures:
        raise typer.Exit(exit_codes.FAILURES)


def _names(names: list[str] | None, precision: str | None, site: Path | None) -> tuple[str, ...]:
    """Return the formats, each once; InputError for an unknown one, or an option of another."""
    from gfr.engines import formats

    chosen = tuple(dict.fromkeys(names or [_TFJS]))
    for name in chosen:
        formats.get(name)
    for option, value in (("--precision", precision), ("--site", site)):
        if value is not None and _TFJS not in chosen:
            raise InputError(f"{option}: only for --format {_TFJS}; add it, or leave {option} out")
    return chosen


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
