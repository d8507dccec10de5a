"""Whose turn it is on this machine: locks that every run of gfr here respects.

In: nothing but the temporary directory. Out: context managers. A lock ends with the process that
holds it, however that ends. Never waits without saying so.
"""

import contextlib
import fcntl
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gfr.errors import BadInput
from gfr.storage import atomic

_LOOK_EVERY_S = 0.2

LOG = logging.getLogger("gfr")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Inside the block no other step runs on this machine."""
    with _gate() as gate, _locked("gfr-steps", fcntl.LOCK_EX):
        gate.close()
        yield


@contextlib.contextmanager
def timing() -> Iterator[None]:
    """Inside the block no other step runs on this machine, and nothing that is `unhurried`."""
    with alone(), _locked("gfr-timing", fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """Inside the block nothing is timed: for work that may go on beside heavy steps."""
    with _locked("gfr-timing", fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def turn(gpus: Sequence[str]) -> Iterator[str | None]:
    """Inside the block one of several GPUs is ours; with fewer than two we are alone, on None."""
    if len(gpus) < 2:
        with alone():
            yield None
        return
    with _gate() as gate, _locked("gfr-steps", fcntl.LOCK_SH), _free(gpus) as gpu:
        gate.close()
        yield gpu


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Inside the block no other process works in this run directory; BadInput if one does."""
    with atomic.refusing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with _opened(directory / "lock") as file:
        if not _try(file, fcntl.LOCK_EX):
            raise BadInput(
                f"run {directory.name}: is in progress in another process; wait for its end, or "
                "use another --run-id"
            )
        with atomic.refusing(directory / "lock"):
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), socket.gethostname().encode())
        yield


@dataclass(frozen=True)
class Holder:
    """Who works in a run directory, or did last; `host` is "" if that is not known."""

    host: str
    is_alive: bool


def holder(directory: Path) -> Holder | None:
    """Who holds a run directory as far as this machine sees; None if nobody ever has."""
    if not (directory / "lock").exists():
        return None
    with (directory / "lock").open() as file:
        is_alive = not _try(file, fcntl.LOCK_SH)
        return Holder(file.read(), is_alive)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Inside the block no other process holds this lock file; for moments, so it waits."""
    with _opened(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _gate() -> contextlib.AbstractContextManager[IO[str]]:
    """Who waits for his turn holds the gate, so that a steady stream of others cannot pass him."""
    return _locked("gfr-gate", fcntl.LOCK_EX)


@contextlib.contextmanager
def _locked(name: str, kind: int) -> Iterator[IO[str]]:
    with _opened(_path(name)) as file:
        if not _try(file, kind):
            LOG.info("waiting: another step of gfr is at work on this machine")
            fcntl.flock(file, kind)
        yield file


@contextlib.contextmanager
def _free(gpus: Sequence[str]) -> Iterator[str]:
    """The first GPU that no other step has."""
    with contextlib.ExitStack() as stack:
        files = {gpu: stack.enter_context(_opened(_path(f"gfr-gpu-{gpu}"))) for gpu in gpus}
        while True:
            for gpu, file in files.items():
                if _try(file, fcntl.LOCK_EX):
                    yield gpu
                    return
            time.sleep(_LOOK_EVERY_S)


def _path(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{name}.lock"


def _try(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """A lock file that every user of the machine may open."""
    with atomic.refusing(path):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, 0o666)
    with os.fdopen(descriptor, "r+") as file:
        yield file
