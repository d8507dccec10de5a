"""What Prefect shows of a run beyond its states: progress, table, summary, regression event.

Publishing is best effort: a slow or missing server costs an artifact, never a result, and the end
of a run waits for it at most `MAX_WAIT_S`.
"""

import contextvars
import functools
import logging
import threading
import time
from collections.abc import Callable
from multiprocessing.pool import AsyncResult, ThreadPool
from pathlib import Path
from typing import Any

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.events import emit_event
from prefect.logging.handlers import APILogHandler

from gfr.report import console, facts
from gfr.results import store
from gfr.storage.run_directory import RunDirectory

PROGRESS_EVERY_S = 5.0
MAX_WAIT_S = 10.0

LOG = logging.getLogger("gfr")

# One thread, which makes calls to Prefect one after the other and ends with the process.
_THREAD = ThreadPool(1)
_HAS_FAILED = threading.Event()


def _publish(call: Callable, *arguments: Any, **named: Any) -> AsyncResult:
    """Call soon, in the context of the caller, which tells Prefect the task."""
    context = contextvars.copy_context()
    return _THREAD.apply_async(context.run, (call, *arguments), named, error_callback=_warn_once)


def _warn_once(error: BaseException) -> None:
    if not _HAS_FAILED.is_set():
        reason = str(error).partition("\n")[0]
        LOG.warning("artifacts of this run are incomplete in Prefect: %s", reason)
    _HAS_FAILED.set()


class _ProgressArtifact(logging.Handler):
    """Shows the progress records of one thread as one artifact."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.thread = threading.get_ident()
        self.last_s = 0.0
        self.artifact: Any = None

    def emit(self, record: logging.LogRecord) -> None:
        now_s = time.monotonic()
        is_early = now_s - self.last_s < PROGRESS_EVERY_S and record.done < record.total
        if threading.get_ident() != self.thread or is_early or _HAS_FAILED.is_set():
            return
        self.last_s = now_s
        _publish(self._show, 100 * record.done / record.total, record.step)

    def _show(self, percent: float, step: str) -> None:
        if self.artifact is None:
            self.artifact = create_progress_artifact(percent, description=step)
        else:
            update_progress_artifact(self.artifact, percent)


def with_progress(step: Callable) -> Callable:
    """The same step, with its progress and its log lines shown in Prefect."""

    @functools.wraps(step)
    def run(*arguments: Any, **named: Any) -> Any:
        _enable_logging()
        logger, handler = logging.getLogger("gfr.progress"), _ProgressArtifact()
        logger.addHandler(handler)
        try:
            return step(*arguments, **named)
        finally:
            logger.removeHandler(handler)

    return run


def _enable_logging() -> None:
    """Set the levels, which PREFECT_LOGGING_EXTRA_LOGGERS leaves as they are.

    Progress records reach gfr's own handlers but not Prefect's log.
    """
    if not LOG.isEnabledFor(logging.INFO):
        LOG.setLevel(logging.INFO)
    logging.getLogger("gfr.progress").setLevel(logging.DEBUG)
    for handler in LOG.handlers:
        if isinstance(handler, APILogHandler):
            handler.setLevel(logging.INFO)


def publish_run(run_dir: Path) -> None:
    """Publish the comparison as a table, the summary as a page, and a regression as an event."""
    run = store.read_run(run_dir)
    run_id = run.record.run_id
    cells = [
        {name: round(cell, 4) if isinstance(cell, float) else cell for name, cell in row.items()}
        for row in console.rows(run)
    ]
    words = facts.recommendation(run)
    described = f"Run {run_id}; * is selected" + (f"; recommended: {words}" if words else "")
    _publish(create_table_artifact, cells, key="comparison", description=described)
    lines = RunDirectory(run.directory).summary_md.read_text("utf-8").splitlines()
    # Prefect's UI cannot reach the figures, which are files of the run.
    page = "\n".join(line for line in lines if not line.startswith("!["))
    last = _publish(create_markdown_artifact, page, key="summary", description=run_id)
    if run.verdict and run.verdict.is_regression:
        resource = {"prefect.resource.id": f"gfr.run.{run_id}", "prefect.resource.name": run_id}
        lost = {"lost": run.verdict.lost}
        last = _publish(emit_event, "gfr.regression", resource=resource, payload=lost)
    last.wait(MAX_WAIT_S)
