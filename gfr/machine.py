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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gfr.errors import BadInput

LOG = logging.getLogger("gfr")


@contextlib.contextmanager
def turn(alone: bool) -> Iterator[None]:
    """Inside the block no step that asked to be alone runs on this machine, or none at all.

    Who waits holds the gate, so that a steady stream of others cannot keep him out.
    """
    folder = Path(tempfile.gettempdir())
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with (
        _locked(folder / "gfr-gate.lock", fcntl.LOCK_EX) as gate,
        _locked(folder / "gfr-steps.lock", kind),
    ):
        gate.close()
        yield


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Inside the block no other process works in this run directory; BadInput if one does."""
    directory.mkdir(parents=True, exist_ok=True)
    with _opened(directory / "lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                f"run {directory.name}: is in progress in another process; wait for its end, or "
                "use another --run-id"
            ) from None
        file.truncate(0)
        file.write(socket.gethostname())
        file.flush()
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
    with _opened(directory / "lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return Holder(file.read(), True)
        return Holder(file.read(), False)


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator:
    with _opened(path) as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            LOG.info("waiting: another run of gfr is at work on this machine")
            fcntl.flock(file, kind)
        yield file


@contextlib.contextmanager
def _opened(path: Path) -> Iterator:
    """A lock file that every user of the machine may open."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o666)
    with os.fdopen(descriptor, "r+") as file:
        yield file
