"""A disk that fails at its n-th step: every way in which Python code writes below a directory.

Steps are: making a directory or a file, each write, closing, flushing to the disk, renaming,
copying. Removing always works, as it does on a full disk.
"""

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
_TO_ELSEWHERE = ("rename", "replace", "link", "symlink")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Disk:
    """Counts the steps below `root`; from step `first` on they fail, or that one alone."""

    def __init__(self, root: Path, first: int | None, number: int, lasting: bool) -> None:
        """Nothing has happened yet."""
        self.root, self.first, self.number, self.lasting = str(root), first, number, lasting
        self.steps: list[str] = []

    def holds(self, place: object) -> bool:
        """Whether a path, or the file behind a descriptor, is below the root."""
        if isinstance(place, int):
            place = Path(f"/proc/self/fd/{place}").readlink()
        return os.fsdecode(place).startswith(self.root)  # type: ignore[arg-type]

    def step(self, what: str, place: object = None) -> None:
        """One more; OSError if it is its turn. Only what the system names carries a file name."""
        self.steps.append(f"{what} {place or ''}")
        num = len(self.steps)
        if self.first and (num == self.first or (self.lasting and num > self.first)):
            error = OSError(self.number, os.strerror(self.number))
            if place is not None:
                error.filename = os.fspath(place)  # type: ignore[call-overload]
            raise error


class _Raw(io.FileIO):
    """A file whose writes count; half of what fails has been written."""

    def __init__(self, disk: Disk, *arguments: object, **options: object) -> None:
        self.disk = disk
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def write(self, content) -> int:
        try:
            self.disk.step("write")
        except OSError:
            super().write(memoryview(content)[: len(content) // 2])
            raise
        return super().write(content)

    def close(self) -> None:
        is_open = not self.closed
        super().close()
        if is_open:
            self.disk.step("close")


@contextlib.contextmanager
def disk(
    root: Path, first: int | None = None, number: int = errno.ENOSPC, lasting: bool = True
) -> Iterator[Disk]:
    """Inside the block writing below `root` counts, and fails from step `first` on."""
    found = Disk(root, first, number, lasting)

    def opened(file, mode="r", buffering=-1, encoding=None, *rest, **options):
        is_named = not isinstance(file, int)
        if not (set("wax+") & set(mode) and is_named and found.holds(file)):
            return real_open(file, mode, buffering, encoding, *rest, **options)
        found.step("open", file)
        raw = _Raw(found, file, mode.replace("b", "").replace("t", ""))
        if "b" in mode:
            return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding)

    def counted(name, real):
        def call(place, *rest, **options):
            # What is moved or copied counts by where it goes.
            target = rest[0] if name in _TO_ELSEWHERE else place
            is_write = name != "open" or rest[0] & _WRITING
            is_there = name == "mkdir" and Path(place).is_dir()  # said before the disk is asked
            if is_write and not is_there and found.holds(target):
                found.step(name, None if isinstance(place, int) else place)
            if name == "fsync":
                return None  # the test's files need not outlive a power cut
            return real(place, *rest, **options)

        return call

    real_open = builtins.open
    doors = [
        (os, name)
        for name in (
            *("open", "mkdir", "rename", "replace", "link", "symlink", "truncate", "ftruncate"),
            *("fsync", "fdatasync", "write", "sendfile", "posix_fallocate"),
        )
    ]
    with contextlib.ExitStack() as stack:
        for module, name in doors:
            stack.enter_context(
                mock.patch.object(module, name, counted(name, getattr(module, name)))
            )
        for module in (builtins, io):
            stack.enter_context(mock.patch.object(module, "open", opened))
        yield found
