"""Locks that every run of gfr on this machine respects.

A lock ends with the process that holds it, however the process ends. Waiting is always logged.
"""

import contextlib
import errno
import fcntl
import logging
import os
import socket
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gfr.errors import InputError
from gfr.storage import atomic
from gfr.storage.run_directory import RunDirectory

_LOOK_EVERY_S = 0.2

_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # of network file systems and FUSE

_IN_PROGRESS = "is in progress in another process; wait for its end, or use another --run-id"

LOG = logging.getLogger("gfr")


@contextlib.contextmanager
def timing() -> Iterator[None]:
    """Run the block while no other step runs here, nor anything in an `unhurried` block."""
    with turn(), locked(_path("gfr-timing")):
        yield


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """Run the block while no latency is measured: for work that may run beside heavy steps."""
    with locked(_path("gfr-timing"), fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def turn(gpus: Sequence[str] = ()) -> Iterator[str | None]:
    """Reserve one of several GPUs for the block; with fewer than two the whole machine (None)."""
    several = gpus if len(gpus) > 1 else ()
    kind = fcntl.LOCK_SH if several else fcntl.LOCK_EX
    # Whoever waits holds the gate, so that later processes cannot overtake it.
    gate_lock, steps_lock = _path("gfr-gate"), _path("gfr-steps")
    with locked(gate_lock) as gate, locked(steps_lock, kind), _free(several) as gpu:
        gate.close()
        yield gpu


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Lock a run directory for the block; InputError if another process works in it."""
    path = RunDirectory(directory).lock
    with locked(path, refusal=f"run {directory.name}: {_IN_PROGRESS}") as file:
        with atomic.refusing(path):
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), socket.gethostname().encode())
        yield


@dataclass(frozen=True)
class Holder:
    """The process that works in a run directory, or did last; `host` is "" if unknown."""

    host: str
    is_alive: bool


def holder(directory: Path) -> Holder | None:
    """Return who holds a run directory, as far as this machine can see; None if none ever did."""
    path = RunDirectory(directory).lock
    if not path.exists():
        return None
    with path.open() as file:
        is_alive = not _try(path, file, fcntl.LOCK_SH)
        return Holder(file.read(), is_alive)


@contextlib.contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX, refusal: str = "") -> Iterator[IO[str]]:
    """Lock a file for the block; if it is locked already, wait, or raise InputError(refusal)."""
    with _opened(path) as file:
        if not _try(path, file, kind):
            if refusal:
                raise InputError(refusal)
            LOG.info("waiting: another step of gfr is at work on this machine")
            _lock(path, file, kind)
        yield file


@contextlib.contextmanager
def _free(gpus: Sequence[str]) -> Iterator[str | None]:
    """Yield the first GPU that no other step uses; None if there are none to choose from."""
    with contextlib.ExitStack() as stack:
        paths = {gpu: _path(f"gfr-gpu-{gpu}") for gpu in gpus}
        files = {gpu: stack.enter_context(_opened(path)) for gpu, path in paths.items()}
        free = None
        while files and not free:
            is_free = (gpu for gpu in gpus if _try(paths[gpu], files[gpu], fcntl.LOCK_EX))
            free = next(is_free, None)
            if not free:
                time.sleep(_LOOK_EVERY_S)
        yield free


def _path(name: str) -> Path:
    """Return the file of a lock; the id of a GPU can contain slashes (MIG)."""
    return Path(tempfile.gettempdir()) / f"{urllib.parse.quote(name, safe='')}.lock"


def _try(path: Path, file: IO[str], kind: int) -> bool:
    try:
        _lock(path, file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(path: Path, file: IO[str], kind: int) -> None:
    """Lock an open file; InputError if its file system has no locks."""
    try:
        fcntl.flock(file, kind)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        is_temporary = path.parent == Path(tempfile.gettempdir())
        option = "TMPDIR" if is_temporary else "--reports or --cache"
        raise InputError(
            f"{path}: cannot be locked ({error.strerror}). Set {option} to a directory on a local "
            "disk, or mount this file system with locks"
        ) from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """Open a lock file that every user of the machine may open."""
    with atomic.refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, 0o666)
    with os.fdopen(descriptor, "r+") as file:
        yield file
