"""Check that all workers of a run see the same files.

Run directory, cache, images and weights must be on a file system that all workers share.
"""

import os
import secrets
import socket
from pathlib import Path

from gfr.errors import InputError
from gfr.results import records
from gfr.storage import atomic, locks, run_directory, serialization


def worker() -> str:
    """Name this machine and the process that the task runner gave a step to."""
    return f"{socket.gethostname()}/{os.getpid()}"


_CACHE_ID = "cache-id.txt"


def mark(cache: Path) -> str:
    """Return the id of a cache; the first call writes it there."""
    path = cache / _CACHE_ID
    with locks.locked(cache / "lock"):
        if not path.exists():
            atomic.write_text(path, secrets.token_hex(8))
    return path.read_text("utf-8")


def check(run_dir: Path, worker: str) -> None:
    """Raise InputError if this process does not see the run's files as the flow does."""
    record = run_directory.RunDirectory(run_dir).record
    _require(record.is_file(), worker, record)
    run = serialization.read(record, records.RunRecord)
    path = Path(run.cache) / _CACHE_ID
    _require(path.is_file(), worker, path.parent)
    is_same = path.read_text("utf-8") == run.cache_id
    _require(is_same, worker, path.parent, "is a different cache")


def check_images(directory: Path, worker: str) -> None:
    """Raise InputError if this process does not see the folder of the images."""
    _require(directory.is_dir(), worker, directory)


def _require(is_shared: bool, worker: str, place: Path, problem: str = "is not there") -> None:
    if not is_shared:
        raise InputError(
            f"worker {worker}: {place} {problem}. All workers need it at this path, on a file "
            "system that they share with the flow"
        )
