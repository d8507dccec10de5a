"""Starting what is heavy: TensorFlow without its noise, Prefect without a server at hand.

In: a Request. Out: the final state of the flow. Environment variables are set here, before the
imports that read them, and only where the user has not set them.
"""

import contextlib
import dataclasses
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import psutil

from gfr.errors import BadInput
from gfr.pipeline import request as pipeline_request
from gfr.pipeline import steps
from gfr.pipeline.doctor import Check
from gfr.results import records, status, store
from gfr.storage import paths, run_directory, serialization

# pyproject.toml says the same to Prefect, but only where the working directory is the project's.
_PREFECT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "gfr",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    # A server that is gone costs half a minute at the end of a run, not two.
    "PREFECT_CLIENT_MAX_RETRIES": "3",
    # The terminal shows gfr's own lines; Prefect's go to its server.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}

UNREPORTED = "Unreported"  # name of the final state of a run that Prefect could not be told of


def flow(request: pipeline_request.Request, runner: str) -> Any:
    """Run the flow `gfr` in this process, its steps where `runner` says (flows/runners.py).

    Returns Prefect's final state. BadInput if there is no such runner, or if the flow could not go
    on because of something that the user can mend.
    """
    prepare_prefect()
    if runner != "threads":
        from flows import runners

        runners.make(runner)  # refused before anything is written
    # Before Prefect's server starts, so that bad input costs none and shows no traceback.
    pipeline_request.check(request)
    known = run_directory.directory(Path(request.reports), request.run_id) / "run.json"
    prepared: Future[str] | None = None
    if known.exists():
        pipeline_request.refuse_another_request(
            serialization.read(known, records.RunRecord), request
        )
    else:  # in its own process, while this one takes seconds to import Prefect
        prepared = ThreadPoolExecutor(1).submit(steps.prepare, request, request.limits)
    from flows import runners

    task_runner = runners.make(runner)
    if prepared:
        prepared.result()
    import httpx
    from prefect.exceptions import FailedRun, PrefectException
    from prefect.states import get_state_exception

    from flows.benchmark import gfr

    done: Future[Any] = Future()

    def run() -> None:
        # Inherited by the server that Prefect starts: it would answer Ctrl-C with words of its own.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with runners.api_for(task_runner):
                done.set_result(gfr.with_options(task_runner=task_runner)(**_parameters(request)))
        except BaseException as error:  # handed to the caller of `flow`, whatever it is
            done.set_exception(error)

    # Beside the main thread: there Prefect would take the signals and wait for the step at hand.
    Thread(target=run, daemon=True).start()
    try:
        state = done.result()
        error = None if state.is_completed() else get_state_exception(state)
    except (httpx.HTTPError, PrefectException, RuntimeError) as raised:  # what the flow itself
        return _by_its_files(request, raised)  # raises has become a state
    # A run that says itself that trials failed is a FailedRun, a PrefectException too.
    if isinstance(error, httpx.HTTPError | PrefectException) and not isinstance(error, FailedRun):
        return _by_its_files(request, error)
    if isinstance(error, BadInput):
        raise BadInput(f"{error}; what was computed is kept: go on with --run-id {request.run_id}")
    return state


def _parameters(request: pipeline_request.Request) -> dict[str, Any]:
    """The request as the flow takes it; Prefect wants plain values."""
    return {
        "benchmark": request.benchmark_path,
        "data": request.data,
        "weights": request.weights,
        "run_id": request.run_id,
        "fresh": request.fresh,
        "allow_download": request.allow_download,
        "reports": request.reports,
        "cache": request.cache,
        "command": request.command,
        "timeout_s": request.limits.silence_s,
        "memory_limit_gb": request.limits.memory_bytes / 1e9,
        "retries": request.retries,
        "keep_runs": request.keep_runs,
        **dataclasses.asdict(request.benchmark.selection),
        "return_state": True,
    }


def prefect_checks(mark_crashed: bool) -> list[Check]:
    """What `gfr doctor` says of Prefect; see tasks/stale.py."""
    prepare_prefect()
    from flows.benchmark import gfr
    from tasks import stale

    return stale.examine(gfr, mark_crashed)


def apply_automations(webhook: str) -> list[str]:
    """What `gfr automations` does; see tasks/automations.py."""
    prepare_prefect()
    import asyncio

    from tasks import automations

    return asyncio.run(automations.apply(paths.ROOT / "automations.yaml", webhook))


def prepare_prefect() -> None:
    """Set what Prefect reads from the environment; call it before the first import of Prefect."""
    for name, value in _PREFECT.items():
        os.environ.setdefault(name, value)


def _by_its_files(request: pipeline_request.Request, error: Exception) -> Any:
    """The end of a run that Prefect could not be told of; BadInput if it has not begun."""
    from prefect.states import Completed, Failed

    why = f"Prefect's server failed ({str(error).splitlines()[0]})"
    run = store.read_run(run_directory.directory(Path(request.reports), request.run_id))
    if not (run.trials or run.failures):
        raise BadInput(f"{why}; start it (`make server`) or unset PREFECT_API_URL") from None
    lacking = status.missing(run)
    message = "; ".join([*lacking, f"{why}: it does not know how this run ended, its files do"])
    return (Failed if lacking else Completed)(name=UNREPORTED, message=message)


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; `code` is the exit code, 130 or 143."""

    def __init__(self, code: int) -> None:
        """Keep the exit code."""
        super().__init__(code)
        self.code = code


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Inside the block Ctrl-C and SIGTERM raise Interrupted."""

    def interrupt(number: int, _: object) -> NoReturn:
        raise Interrupted(128 + number)

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int, last_words: str = "") -> NoReturn:
    """End at once, with the processes that this one has started; every file is whole or absent.

    `last_words` go to standard error when nobody else can say anything any more.
    """
    children = psutil.Process().children(recursive=True)
    for child in children:
        child.terminate()
    for child in psutil.wait_procs(children, timeout=5)[1]:
        child.kill()
    if last_words:
        with contextlib.suppress(OSError):
            print(f"gfr: {last_words}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Hold back what TensorFlow's C++ writes in the block; shown after all if that fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except (BadInput, Interrupted):
            raise
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
