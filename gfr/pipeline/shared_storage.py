"""Do all workers of a run see the same files?

In: a run directory, a cache. Out: BadInput that names the worker and what it cannot see. Never
copies anything: run directory, cache, images and weights must be on a file system that all share.
"""

import os
import secrets
import socket
from pathlib import Path

from gfr.errors import BadInput
from gfr.results import records
from gfr.storage import atomic, locks, serialization


def worker() -> str:
    """Who does a step: the machine's name and the process that the runner gave it to."""
    return f"{socket.gethostname()}/{os.getpid()}"


_MARK = "cache-id.txt"


def mark(cache: Path) -> str:
    """The id of a cache, given to it when it is first used."""
    path = cache / _MARK
    with locks.locked(cache / "lock"):
        if not path.exists():
            atomic.write_text(path, secrets.token_hex(8))
    return path.read_text("utf-8")


def check(run_dir: str, worker: str) -> None:
    """BadInput if this process does not see the run's files as the flow does."""
    record = Path(run_dir) / "run.json"
    if not record.is_file():
        raise _unseen(worker, record, "is not there")
    run = serialization.read(record, records.RunRecord)
    path = Path(run.cache) / _MARK
    if not path.is_file():
        raise _unseen(worker, Path(run.cache), "is not there")
    if path.read_text("utf-8") != run.cache_id:
        raise _unseen(worker, Path(run.cache), "is another cache")


def check_images(directory: Path, worker: str) -> None:
    """BadInput if this process does not see the folder of the images."""
    if not directory.is_dir():
        raise _unseen(worker, directory, "is not there")


def _unseen(worker: str, place: Path, reason: str) -> BadInput:
    return BadInput(
        f"worker {worker}: {place} {reason}; all workers need it at this path, on a file system "
        "that they share with the flow"
    )
