"""The child process of gfr/pipeline/isolation.py: `python -P -m gfr.pipeline.worker DESCRIPTOR
PARENT`.

Receives names of functions with their arguments, one after the other, and sends log records and
then the result or the error. Ends with its parent, and leaves Ctrl-C to it.
"""

import copy
import ctypes
import importlib
import logging
import os
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from gfr import environment
from gfr.errors import InputError, of_the_disk

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class _ToParent(logging.Handler):
    """Send log records to the parent, as text that needs no import there."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(logging.DEBUG)
        self.connection = connection
        self.sending = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        record = copy.copy(record)
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self.send("log", record)

    def send(self, kind: str, value: object) -> None:
        with self.sending:
            self.connection.send((kind, value))


def main() -> None:
    """Serve until the parent closes the connection or dies."""
    _die_with(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment.prepare()
    connection = Connection(int(sys.argv[1]))
    to_parent = _ToParent(connection)
    logger = logging.getLogger("gfr")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(to_parent)
    while True:
        try:
            place, arguments = connection.recv()
        except EOFError:
            return
        to_parent.send(*answer(place, arguments))


def answer(place: str, arguments: tuple) -> tuple[str, object]:
    """Call `place`, "module:function" -> "done" and what it returned, or how and why it failed.

    "refused" comes with the InputError, "failed" with the reason and the traceback.
    """
    module, name = place.split(":")
    if module.startswith("gfr."):
        environment.import_tensorflow()
    try:
        return "done", getattr(importlib.import_module(module), name)(*arguments)
    except InputError as error:
        return "refused", error
    except Exception as error:
        if isinstance(error, OSError) and (refusal := of_the_disk(error)):
            return "refused", refusal
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return "failed", (reason, traceback.format_exc())


def _die_with(parent: int) -> None:
    """Have Linux kill this process when its parent ends, and first when memory runs out."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
    Path("/proc/self/oom_score_adj").write_text("500")


if __name__ == "__main__":
    main()
