"""The one exception that means "the user can mend this": raised at the door, caught by the CLI.

In: one line saying what is wrong, where, and how to mend it. Out: exit code 2, no traceback.
Never raised for a defect of gfr itself.
"""

import difflib
import errno
import re
from collections.abc import Iterable

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class BadInput(ValueError):
    """Input that gfr cannot work with; `str(error)` is one line: what, where, how to mend."""


class CannotWrite(BadInput):
    """The disk is full or closed to us: no fault of what was being computed."""


_FULL = "make room there"
_CLOSED = "give gfr the right to it"
_DAMAGED = "check that disk"
_CURES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: "let gfr write there",
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.EIO: _DAMAGED,
    errno.ESTALE: _DAMAGED,
    errno.EMFILE: "let gfr open more files (`ulimit -n`)",
    errno.ENFILE: "let the machine open more files",
}


def cannot_write(path: object, error: OSError, what: str = "written") -> CannotWrite:
    """What to raise when `error` kept something from being written at `path`, or `what`."""
    # HDF5 leaves out the number of the error.
    why = error.strerror or f"{reason(error)}; is the disk full?"
    cure = _CURES.get(error.errno or errno.ENOSPC)
    cures = ", or ".join(filter(None, [cure, "name another directory"]))
    return CannotWrite(f"{path}: cannot be {what} ({why}); {cures}")


def of_the_disk(error: OSError, written: str = "") -> CannotWrite | None:
    """The same for an error from anywhere; None if it says nothing about a disk.

    `written`: where, if that is known; the error itself does not tell writing from reading.
    """
    if error.errno not in _CURES:
        return None
    if written:
        return cannot_write(written, error)
    return cannot_write(error.filename2 or error.filename or "a file", error, "read or written")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean VGG16? ` for `vgg-16`; empty if nothing known is like the word."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, 1)
    return f"did you mean {by_folded[close[0]]}? " if close else ""


class StepFailed(RuntimeError):
    """A step's process failed, died or was ended; `str(error)` is the reason in one line."""


def reason(error: Exception) -> str:
    """What a foreign exception says, as one short line; Keras wraps it in where it happened."""
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception encountered")]
    return f"{(said or [type(error).__name__])[0]:.120}"
