"""Files that are whole or absent.

In: a path and its bytes or text. Out: the file, written to a temporary name beside it, flushed
and renamed. Never leaves a half-written file under the final name, never reads.
"""

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
    """Create `path` with what `by_path(temporary path of the same ending)` writes.

    CannotWrite if the disk is full or closed to us. For writers that must have a path: those in C
    do not all say why they failed, and some do not survive it.
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
    """Create `path` with what `into(file)` writes, by way of a file in memory."""
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
    """Create `path` with `document` as indented JSON; NaN and infinities are refused."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Inside the block an OSError is a CannotWrite that names `path`."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from None


@contextlib.contextmanager
def directory(path: Path) -> Iterator[Path]:
    """A temporary directory that becomes `path`, in the place of an older one, if all goes well.

    For one writer of `path` at a time: what killed ones have left is removed.
    """
    for left in path.parent.glob("tmp-*"):
        if _TEMPORARY.match(left.name) and left.name.split("-", 2)[2:] == [path.name]:
            shutil.rmtree(left, ignore_errors=True)
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


def tidy(directory: Path, unused_s: float) -> None:
    """Remove what writers that were killed have left: temporary files not touched for so long."""
    for path in directory.rglob("tmp-*"):
        with contextlib.suppress(OSError):  # another one tidies, or it is not ours
            if path.is_file() and time.time() - path.stat().st_mtime > unused_s:
                path.unlink()


def temporary(names: Iterable[str]) -> list[str]:
    """Those names that writers here give to what is not whole yet."""
    return [name for name in names if _TEMPORARY.match(name)]


def require_room(path: Path, num_bytes: int) -> None:
    """CannotWrite if there is no room, or no quota, for a file of `num_bytes` at `path`.

    For writers that do not survive a full disk themselves: HDF5 ends the process.
    """
    temporary = _temporary(path)
    with refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < num_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sys.platform == "linux":  # the free space that it tells is not a quota's
            try:
                with temporary.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, num_bytes)
            finally:
                temporary.unlink(missing_ok=True)


def require_writable(directory: Path, option: str) -> None:
    """Create `directory` if need be; CannotWrite names `option` if nothing can be written."""
    try:
        write_text(directory / "tmp-writable", "")
        (directory / "tmp-writable").unlink(missing_ok=True)
    except CannotWrite as error:
        raise CannotWrite(f"{option}: {error}") from None


def _temporary(path: Path) -> Path:
    """A name beside `path` that no other process, on any machine, will choose."""
    return path.with_name(f"tmp-{secrets.token_hex(6)}-{path.name}")
