"""What Prefect shows of a run beyond its states: progress, table, summary, regression.

In: a step, or a finished run directory. Out: artifacts and events in Prefect. Best effort: a server
that is slow or gone costs a picture, never a result; nothing here is waited for longer than
`PATIENCE_S` at the end of a run.
"""

import contextvars
import functools
import logging
import queue
import threading
import time
from collections.abc import Callable
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

from gfr.report import console
from gfr.results import store

PROGRESS_EVERY_S = 5.0
PATIENCE_S = 10.0

LOG = logging.getLogger("gfr")


class _Publisher:
    """Makes calls one after the other in a thread that no one waits for."""

    def __init__(self) -> None:
        self.calls: queue.Queue[Callable[[], object]] = queue.Queue()
        self.failed = False
        threading.Thread(target=self._work, daemon=True, name="gfr-publisher").start()

    def later(self, call: Callable[[], object]) -> None:
        """Call soon, as if from here: Prefect knows by the context what belongs to which task."""
        self.calls.put(functools.partial(contextvars.copy_context().run, call))

    def wait(self, patience_s: float) -> None:
        """Until everything asked for is done, or patience ends."""
        done = threading.Event()
        self.calls.put(done.set)
        done.wait(patience_s)

    def _work(self) -> None:
        while True:
            call = self.calls.get()
            try:
                call()
            except Exception as error:  # whatever it is, the run goes on
                if not self.failed:
                    LOG.warning("Prefect shows less of this run: %s", str(error).splitlines()[:1])
                self.failed = True


_PUBLISHER = _Publisher()


class _Progress(logging.Handler):
    """Progress records of one thread as one progress artifact."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.thread = threading.get_ident()
        self.last_s = 0.0
        self.artifact: Any = None

    def emit(self, record: logging.LogRecord) -> None:
        now_s = time.monotonic()
        early = now_s - self.last_s < PROGRESS_EVERY_S and record.done < record.total
        if threading.get_ident() != self.thread or early or _PUBLISHER.failed:
            return
        self.last_s = now_s
        percent = 100 * record.done / record.total
        _PUBLISHER.later(functools.partial(self.show, percent, record.step))

    def show(self, percent: float, step: str) -> None:
        """Create the artifact, or move it on."""
        if self.artifact is None:
            self.artifact = create_progress_artifact(percent, description=step)
        else:
            update_progress_artifact(self.artifact, percent)


def shown(step: Callable) -> Callable:
    """The same step, its progress and its log lines shown in Prefect."""

    @functools.wraps(step)
    def with_progress(*arguments: Any, **named: Any) -> Any:
        _let_lines_through()
        logger, handler = logging.getLogger("gfr.progress"), _Progress()
        logger.addHandler(handler)
        try:
            return step(*arguments, **named)
        finally:
            logger.removeHandler(handler)

    return with_progress


def _let_lines_through() -> None:
    """PREFECT_LOGGING_EXTRA_LOGGERS adds Prefect's handler but leaves the levels as they are.

    Progress reaches our own handlers and never Prefect's log.
    """
    if not LOG.isEnabledFor(logging.INFO):
        LOG.setLevel(logging.INFO)
    logging.getLogger("gfr.progress").setLevel(logging.DEBUG)
    for handler in LOG.handlers:
        if isinstance(handler, APILogHandler):
            handler.setLevel(logging.INFO)


def show_run(run_dir: str) -> None:
    """The comparison as a table, the summary as a page, and an event if it is a regression."""
    run = store.read_run(Path(run_dir))
    run_id = run.record.run_id
    cells = [
        {name: round(cell, 4) if isinstance(cell, float) else cell for name, cell in row.items()}
        for row in console.rows(run)
    ]
    page = (Path(run_dir) / "summary.md").read_text("utf-8")
    _PUBLISHER.later(
        lambda: create_table_artifact(
            cells, key="comparison", description=f"Run {run_id}; * is selected"
        )
    )
    _PUBLISHER.later(
        lambda: create_markdown_artifact(_without_figures(page), key="summary", description=run_id)
    )
    if lost := run.verdict.lost if run.verdict else []:
        resource = {"prefect.resource.id": f"gfr.run.{run_id}", "prefect.resource.name": run_id}
        _PUBLISHER.later(
            lambda: emit_event("gfr.regression", resource=resource, payload={"lost": lost})
        )
    _PUBLISHER.wait(PATIENCE_S)


def _without_figures(page: str) -> str:
    """Prefect's UI cannot reach files of the run."""
    return "\n".join(line for line in page.splitlines() if not line.startswith("!["))
