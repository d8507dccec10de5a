"""Runs the flow `gfr` in this process, with or without a Prefect server."""

import dataclasses
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cli import prefect_server, prefect_settings
from gfr.errors import InputError
from gfr.pipeline import request as pipeline_request
from gfr.pipeline import steps
from gfr.pipeline.run_options import RunOptions
from gfr.results import status, store

UNREPORTED = "Unreported"  # name of a final state that Prefect's server did not receive


def run_flow(request: pipeline_request.Request, runner: str) -> Any:
    """Run the flow with the steps where `runner` says, and return Prefect's final state.

    Raises InputError for an unknown runner, and if the user has to fix something before the flow
    can go on.
    """
    prefect_settings.set_environment()
    if runner != "threads":
        _task_runner(runner)  # an unknown one is refused before anything is written
    # Before Prefect's server starts, so that bad input costs no time and shows no traceback.
    pipeline_request.check(request)
    wait_for_server = prefect_server.connect()
    if (request.run_dir / "run.json").exists():
        task_runner = _task_runner(runner)
    else:  # in a child process, while this one takes seconds to import Prefect
        prepared = ThreadPoolExecutor(1).submit(steps.prepare, request, request.limits)
        task_runner = _task_runner(runner)
        prepared.result()
    wait_for_server()
    import httpx
    from prefect.exceptions import FailedRun, PrefectException
    from prefect.states import get_state_exception

    # Not in the main thread: Prefect would take its signals and wait for the running step.
    future = ThreadPoolExecutor(1).submit(_run_in_thread, request.options, task_runner)
    try:
        state = future.result()
        error = None if state.is_completed() else get_state_exception(state)
    except (httpx.HTTPError, PrefectException, RuntimeError) as lost:
        return _state_from_files(request, lost)  # what the flow itself raises is in its state
    # The state of a run with failed trials is a FailedRun, which is a PrefectException too.
    if isinstance(error, httpx.HTTPError | PrefectException) and not isinstance(error, FailedRun):
        return _state_from_files(request, error)
    if isinstance(error, InputError):
        raise InputError(f"{error}. Finished steps are kept: resume with --run-id {request.run_id}")
    return state


def _task_runner(setting: str) -> Any:
    from flows import task_runners

    return task_runners.make(setting)


def _run_in_thread(options: RunOptions, task_runner: Any) -> Any:
    from flows.benchmark import gfr

    # Processes of Dask and Ray inherit it: on Ctrl-C they would print lines of their own.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    flow = gfr.with_options(task_runner=task_runner)
    return flow(**dataclasses.asdict(options), return_state=True)


def _state_from_files(request: pipeline_request.Request, error: Exception) -> Any:
    """The final state that a run's files show, if Prefect's server has failed."""
    from prefect.states import Completed, Failed

    reason = f"Prefect's server failed ({str(error).splitlines()[0]})"
    run = store.read_run(request.run_dir)
    if not (run.trials or run.failures):
        raise InputError(f"{reason}: no trial was run. {prefect_server.remedy()}") from None
    missing = status.missing(run)
    message = "; ".join([*missing, f"{reason}: this state is derived from the files of the run"])
    return (Failed if missing else Completed)(name=UNREPORTED, message=message)
