"""`gfr doctor` and `gfr automations`."""

from typing import Annotated

import typer

from cli import exit_codes, options
from gfr.pipeline.run_options import RunOptions
from gfr.storage import paths


def doctor(
    benchmark: options.Benchmark = RunOptions.benchmark,
    data: options.Data = RunOptions.data,
    weights: options.Weights = RunOptions.weights,
    mark_crashed: Annotated[
        bool,
        typer.Option(
            "--mark-crashed",
            help="Mark runs as Crashed in Prefect whose process on this machine is gone.",
        ),
    ] = False,
    offline: options.Offline = not RunOptions.allow_download,
    cache: options.Cache = None,
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """Check whether this machine can run a benchmark, and find unfinished runs.

    Checks versions, platform, CPU, GPU, disk, data, and the weights of the benchmark's backbones.
    Each unfinished run is listed with the command that resumes it.
    """
    parameters = locals()
    from gfr.pipeline import doctor as pipeline_doctor

    run_options = options.run_options(parameters, allow_download=not offline)
    checks = pipeline_doctor.examine(run_options)
    if not pipeline_doctor.is_incomplete(checks):
        from cli import prefect_settings

        prefect_settings.set_environment()
        from tasks import stale_runs

        checks += stale_runs.examine(mark_crashed)
    options.print_result(checks, pipeline_doctor.text, as_json)
    is_bad = any(check.status == "bad" for check in checks)
    raise typer.Exit(exit_codes.FAILURES if is_bad else exit_codes.COMPLETE)


def automations(
    webhook: Annotated[
        str, typer.Argument(metavar="URL", help="URL of the webhook that gets the notifications.")
    ],
) -> None:
    """Put the notifications of automations.yaml on Prefect's server, replacing older ones."""
    import asyncio

    from cli import prefect_settings

    prefect_settings.set_environment()
    from tasks import automations as library

    names = asyncio.run(library.apply(paths.ROOT / "automations.yaml", webhook))
    print("\n".join(names))
