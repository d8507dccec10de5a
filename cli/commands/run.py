"""`gfr run`."""

import shlex
import sys
from typing import Annotated

import typer

from cli import completion, exit_codes, options, paths
from gfr.pipeline.run_options import RunOptions


def run(
    benchmark: options.Benchmark = RunOptions.benchmark,
    data: options.Data = RunOptions.data,
    weights: options.Weights = RunOptions.weights,
    run_id: Annotated[
        str | None,
        typer.Option(
            help="Name of the run; the id of an existing run resumes it.",
            autocompletion=completion.run_ids,
        ),
    ] = RunOptions.run_id,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute features again, ignoring the cache.")
    ] = RunOptions.fresh,
    offline: options.Offline = not RunOptions.allow_download,
    timeout_s: options.Timeout = RunOptions.timeout_s,
    memory_limit_gb: options.MemoryLimit = RunOptions.memory_limit_gb,
    retries: Annotated[
        int, typer.Option(min=0, help="How often a failed step is retried.")
    ] = RunOptions.retries,
    max_latency_ms: Annotated[
        float | None,
        typer.Option(
            help="Select among models whose p50 latency of one image, in the fastest engine that "
            "times every model, is at most this."
        ),
    ] = RunOptions.max_latency_ms,
    max_size_mb: Annotated[
        float | None,
        typer.Option(help="Select among models whose file, in float32, has at most this size."),
    ] = RunOptions.max_size_mb,
    keep_runs: Annotated[
        int | None,
        typer.Option(help="After the run, remove all but the newest N runs of this benchmark."),
    ] = RunOptions.keep_runs,
    runner: Annotated[
        str,
        typer.Option(
            envvar="GFR_RUNNER",
            help="Where steps run: threads[:N], dask[:N], dask:tcp://HOST:8786, ray[:N], "
            "ray:ADDRESS.",
            autocompletion=completion.words(*completion.RUNNERS),
        ),
    ] = "threads",
    cache: options.Cache = None,
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """Run a benchmark: compute features, train heads, measure latency, select and export a model.

    Features are cached, so that running again repeats only the rest. An interrupted run is resumed
    with its --run-id.
    """
    parameters = locals()
    from cli import prefect_session, progress, run_summary
    from gfr.pipeline import request as pipeline_request
    from gfr.results import store

    command = shlex.join(["gfr", *sys.argv[1:]])
    run_options = options.run_options(parameters, allow_download=not offline, command=command)
    request = pipeline_request.request(run_options)
    words = [*sys.argv[1:], *([] if run_id else ["--run-id", request.run_id])]
    resume = paths.command(*words, reports=reports, cache=cache)
    with exit_codes.interruptible(f"Resume with: {resume}"), progress.display(request.benchmark):
        state = prefect_session.run_flow(request, runner)
    finished = store.read_run(request.run_dir)
    is_reported = state.name != prefect_session.UNREPORTED
    if not (state.is_completed() and is_reported):
        print(f"gfr: {state.message}", file=sys.stderr)
    if as_json:
        print(run_summary.json_text(finished), end="")
    else:
        print(run_summary.text(finished, benchmark))
    is_regression = finished.verdict is not None and finished.verdict.is_regression
    code = exit_codes.REGRESSION if is_regression else exit_codes.COMPLETE
    if not state.is_completed():
        code = exit_codes.FAILURES
    if not is_reported:
        exit_codes.leave(code)  # Prefect would try for minutes to send the rest
    raise typer.Exit(code)
