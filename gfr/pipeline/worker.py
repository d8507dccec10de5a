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

from gfr import environment, errors

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# These start without it, or import it where an engine needs it.
_WITHOUT_TENSORFLOW = {"gfr.engines.fresh_process", "gfr.export.file_formats"}

LOG = logging.getLogger("gfr")


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
    die_with(int(sys.argv[2]))
    if sys.platform == "linux":  # rather this process than its parent if memory runs out
        Path("/proc/self/oom_score_adj").write_text("500")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment.prepare()
    connection = Connection(int(sys.argv[1]))
    to_parent = _ToParent(connection)
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    LOG.addHandler(to_parent)
    while True:
        try:
            place, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, object] = "done", run(place, arguments)
        except (errors.InputError, errors.StepFailed) as error:
            answer = "failed", error
        to_parent.send(*answer)


def run(place: str, arguments: tuple) -> object:
    """Call `place`, "module:function"; any error but InputError becomes a StepFailed."""
    module, name = place.split(":")
    if module.startswith("gfr.") and module not in _WITHOUT_TENSORFLOW:
        environment.import_tensorflow()
    try:
        return getattr(importlib.import_module(module), name)(*arguments)
    except errors.InputError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and (refusal := errors.of_the_disk(error)):
            raise refusal from None
        LOG.debug("%s", traceback.format_exc())
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise errors.StepFailed(reason) from None


def die_with(parent: int) -> None:
    """Have Linux kill this process when its parent ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


if __name__ == "__main__":
    main()
