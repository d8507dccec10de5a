"""Atomic file writes: temporary file beside the target, fsync, rename."""

import contextlib
import errno
import io
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from gfr.errors import CannotWrite, cannot_write

_TEMPORARY = re.compile(r"^tmp-([0-9a-f]{12}-.+|writable)$")


def save(path: Path, by_path: Callable[[Path], object]) -> None:
    """Create `path` from what `by_path(temporary path with the same suffix)` writes.

    CannotWrite if the disk is full or not writable. For writers that need a path; use `write` for
    those that take a file, because writers in C may crash or hide why they failed.
    """
    temporary = _temporary(path)
    with refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            by_path(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write(path: Path, into: Callable[[IO[bytes]], object]) -> None:
    """Create `path` with what `into(file)` writes to a file in memory."""
    content = io.BytesIO()
    into(content)
    write_bytes(path, content.getvalue())  # without a copy; a view would outlive a failed write


def write_bytes(path: Path, content: bytes) -> None:
    """Create `path` with `content`."""
    save(path, lambda temporary: temporary.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Create `path` with `text` in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, document: object) -> None:
    """Create `path` with `document` as indented JSON; ValueError for NaN and infinities."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into a CannotWrite that names `path`."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from None


@contextlib.contextmanager
def directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory that replaces `path` if the block succeeds.

    For one writer of `path` at a time: what killed writers have left is removed.
    """
    _remove_left(path)
    temporary, older = _temporary(path), _temporary(path)
    try:
        with refusing(path):
            temporary.mkdir(parents=True)
            yield temporary
            if path.exists():
                path.replace(older)
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if older.exists() and not path.exists():  # the last step failed
            with contextlib.suppress(OSError):
                older.replace(path)
        if path.exists():
            shutil.rmtree(older, ignore_errors=True)


@contextlib.contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield a temporary directory beside `path`, which is removed after the block.

    For one user of `path` at a time: what killed ones have left is removed.
    """
    _remove_left(path)
    temporary = _temporary(path)
    try:
        with refusing(path):
            temporary.mkdir(parents=True)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_left(path: Path) -> None:
    for left in path.parent.glob("tmp-*"):
        if _TEMPORARY.match(left.name) and left.name.split("-", 2)[2:] == [path.name]:
            shutil.rmtree(left, ignore_errors=True)


def tidy(directory: Path, unused_s: float) -> None:
    """Remove temporary files of killed writers, unchanged for `unused_s` seconds."""
    for path in directory.rglob("tmp-*"):
        with contextlib.suppress(OSError):  # removed meanwhile, or another user's
            if path.is_file() and time.time() - path.stat().st_mtime > unused_s:
                path.unlink()


def temporary(names: Iterable[str]) -> list[str]:
    """Return those names that belong to unfinished files and directories."""
    return [name for name in names if _TEMPORARY.match(name)]


def require_room(path: Path, num_bytes: int) -> None:
    """Raise CannotWrite if disk or quota have no room for a file of `num_bytes` at `path`.

    For writers that crash on a full disk: HDF5 ends the process.
    """
    temporary = _temporary(path)
    with refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sys.platform == "linux":  # free space does not include a quota
            try:
                with temporary.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, num_bytes)
            finally:
                temporary.unlink(missing_ok=True)


def require_writable(directory: Path, option: str) -> None:
    """Create `directory` if needed; CannotWrite names `option` if nothing can be written there."""
    try:
        write_text(directory / "tmp-writable", "")
        (directory / "tmp-writable").unlink(missing_ok=True)
    except CannotWrite as error:
        raise CannotWrite(f"{option}: {error}") from None


def _temporary(path: Path) -> Path:
    """Return a name beside `path` that no other process on any machine will choose."""
    return path.with_name(f"tmp-{secrets.token_hex(6)}-{path.name}")
