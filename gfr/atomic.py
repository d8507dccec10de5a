"""Files that are whole or absent.

In: a path and its bytes or text. Out: the file, written to a temporary name beside it, flushed
and renamed. Never leaves a half-written file under the final name, never reads.
"""

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gfr.errors import CannotWrite

_TEMPORARY = re.compile(r"^tmp-([0-9a-f]{12}-.+|writable)$")


def save(path: Path, by_path: Callable[[Path], object]) -> None:
    """Create `path` with what `by_path(temporary path of the same ending)` writes.

    CannotWrite if the disk is full or closed to us.
    """
    # Other machines may write here too.
    temporary = path.with_name(f"tmp-{secrets.token_hex(6)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            by_path(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        # numpy and HDF5 leave out the number of the error.
        reason = error.strerror or f"{str(error).splitlines()[0]}; is the disk full?"
        raise _cannot_write(path, reason) from None


@contextlib.contextmanager
def directory(path: Path) -> Iterator[Path]:
    """A temporary directory that becomes `path`, in the place of an older one, if all goes well.

    For one writer of `path` at a time: what killed ones have left is removed.
    """
    for left in path.parent.glob(f"tmp-*-{path.name}"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = path.with_name(f"tmp-{secrets.token_hex(6)}-{path.name}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.replace(path.with_name(f"tmp-{secrets.token_hex(6)}-{path.name}"))
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error.strerror or str(error)) from None
    finally:
        for left in path.parent.glob(f"tmp-*-{path.name}"):
            shutil.rmtree(left, ignore_errors=True)


def _cannot_write(path: Path, reason: str) -> CannotWrite:
    return CannotWrite(
        f"{path}: cannot be written ({reason}); make room there, or name another directory"
    )


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
    """CannotWrite if the disk has no room for a file of `num_bytes` at `path`.

    For writers that do not survive a full disk themselves: HDF5 ends the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free < num_bytes:
        raise _cannot_write(path, os.strerror(errno.ENOSPC))


def require_writable(directory: Path, option: str) -> None:
    """Create `directory` if need be; CannotWrite names `option` if nothing can be written."""
    try:
        write_text(directory / "tmp-writable", "")
        (directory / "tmp-writable").unlink(missing_ok=True)
    except CannotWrite as error:
        raise CannotWrite(f"{option}: {error}") from None


def write_text(path: Path, text: str) -> None:
    """Create `path` with `text` in UTF-8."""
    save(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, document: object) -> None:
    """Create `path` with `document` as indented JSON; NaN and infinities are refused."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
