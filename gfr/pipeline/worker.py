"""The child process of gfr/pipeline/isolation.py: `python -P -m gfr.pipeline.worker DESCRIPTOR
PARENT`.

Receives names of functions with their arguments, one after the other, and sends log records and
then the result or the error. Ends with its parent, and leaves Ctrl-C to it.
"""

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from pathlib import Path

from gfr import environment
from gfr.errors import InputError, StepFailed, of_the_disk

_LOOK_EVERY_S = 0.2

LOG = logging.getLogger("gfr")


class _ToParent(QueueHandler):
    """Send log records to the parent, as text that needs no import there."""

    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.send(("log", record))  # type: ignore[attr-defined]


def main() -> None:
    """Serve until the parent closes the connection or dies."""
    threading.Thread(target=_end_with, args=[int(sys.argv[2])], daemon=True).start()
    with contextlib.suppress(OSError):  # of a system that is not Linux
        Path("/proc/self/oom_score_adj").write_text("500")  # ends first when memory runs out
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment.prepare()
    connection = Connection(int(sys.argv[1]))
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    LOG.addHandler(_ToParent(connection))  # type: ignore[arg-type]
    with contextlib.suppress(EOFError):
        while True:
            connection.send(answer(*connection.recv()))


def answer(place: str, arguments: tuple) -> tuple[str, object]:
    """Call `place`, "module:function" -> "done" and what it returned, or "failed" and the error.

    The error is an InputError, or StepFailed with the reason, whose traceback is logged.
    """
    module, name = place.split(":")
    if module.startswith("gfr."):
        environment.import_tensorflow()
    try:
        return "done", getattr(importlib.import_module(module), name)(*arguments)
    except InputError as error:
        return "failed", error
    except Exception as error:
        if isinstance(error, OSError) and (refusal := of_the_disk(error)):
            return "failed", refusal
        LOG.debug(traceback.format_exc())
        return "failed", StepFailed(f"{type(error).__name__}: {error}".splitlines()[0])


def _end_with(parent: int) -> None:
    """End this process once its parent has ended, which a step in progress would not notice."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


if __name__ == "__main__":
    main()
