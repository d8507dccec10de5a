"""Log and progress of steps on Dask and Ray workers, for the terminal that shows the run.

A worker appends its records to a file in the run's directory, which it shares with the flow
(gfr/pipeline/shared_storage.py); a thread beside the flow reads the files and handles the records.
"""

import contextlib
import functools
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prefect.logging.handlers import APILogHandler

from gfr.pipeline import shared_storage
from gfr.storage.run_directory import RunDirectory

_READ_EVERY_S = 0.5

LOG = logging.getLogger("gfr")

_FOLLOWED: set[Path] = set()  # the runs whose flow is in this process


class _ToFile(logging.Handler):
    """Appends the records of one thread to the file of this process."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(logging.DEBUG)
        self.thread = threading.get_ident()
        name = shared_storage.worker().replace("/", "-")
        self.path = RunDirectory(run_dir).worker_logs / f"{name}.jsonl"

    def emit(self, record: logging.LogRecord) -> None:
        if threading.get_ident() != self.thread:
            return
        names = ("name", "levelno", "step", "part", "done", "total", "unit")
        row = {name: getattr(record, name) for name in names if hasattr(record, name)}
        line = json.dumps(row | {"msg": record.getMessage()}) + "\n"
        with contextlib.suppress(OSError):  # a full disk: the step itself says so
            self.path.parent.mkdir(exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)


def sent_to_flow(step: Callable) -> Callable:
    """The same step, of a run directory, with its records sent to the flow's process."""

    # Dask and Ray copy this function with the variables it names; what they import stays one.
    @functools.wraps(step)
    def run(run_dir: Path, *arguments: Any, **named: Any) -> Any:
        with _sending(run_dir):
            return step(run_dir, *arguments, **named)

    return run


@contextlib.contextmanager
def _sending(run_dir: Path) -> Iterator[None]:
    if run_dir in _FOLLOWED:
        yield
        return
    handler = _ToFile(run_dir)
    LOG.addHandler(handler)
    try:
        yield
    finally:
        LOG.removeHandler(handler)


@contextlib.contextmanager
def followed(run_dir: Path) -> Iterator[None]:
    """Handle the records of the run's workers in this process until the block ends."""
    reader, ended = _Reader(run_dir), threading.Event()

    def follow() -> None:
        while not ended.wait(_READ_EVERY_S):
            reader.read()

    reader.remove_files()  # of an interrupted run
    thread = threading.Thread(target=follow, daemon=True)
    _FOLLOWED.add(run_dir)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _FOLLOWED.discard(run_dir)
        reader.read()
        reader.remove_files()


class _Reader:
    """Reads what workers have appended since the last time."""

    def __init__(self, run_dir: Path) -> None:
        self.directory = RunDirectory(run_dir).worker_logs
        self.offsets: dict[Path, int] = {}

    def read(self) -> None:
        """Handle the new lines; a file that cannot be read costs lines, never the run."""
        for path in sorted(self.directory.glob("*.jsonl")):
            with contextlib.suppress(OSError, ValueError):
                self._read(path)

    def _read(self, path: Path) -> None:
        offset = self.offsets.get(path, 0)
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # a worker may be in the middle of a line
        self.offsets[path] = offset + len(whole)
        for line in whole.splitlines():
            _handle(logging.makeLogRecord(json.loads(line)))

    def remove_files(self) -> None:
        """Remove the files and their directory."""
        with contextlib.suppress(OSError):
            for path in self.directory.glob("*.jsonl"):
                path.unlink()
            self.directory.rmdir()


def _handle(record: logging.LogRecord) -> None:
    """Show a record here; workers have sent theirs to Prefect's log themselves."""
    for handler in LOG.handlers:
        if record.levelno >= handler.level and not isinstance(handler, APILogHandler):
            handler.handle(record)
