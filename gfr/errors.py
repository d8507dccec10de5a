"""Errors that the user can fix, and how they are worded.

The CLI prints InputError as one line and exits with code 2, without a traceback. It is never raised
for a defect of gfr.
"""

import difflib
import errno
import re
from collections.abc import Iterable

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# What Keras puts between its own sentences and the error that it caught.
_CAUGHT = re.compile(r"Exception encountered:\s*")

# Quotes around a whole message, as str(KeyError) has them, also twice.
_QUOTED = re.compile(r"''(.*)''|'([^']*)'", re.DOTALL)

_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)\. ")

_MAX_REASON = 120  # characters
_MIN_SENTENCES = 40  # characters; shorter ones rarely have the cause


class InputError(ValueError):
    """User-facing input error; `str(error)` is one line: what failed, why, what to do."""


class CannotWrite(InputError):
    """The disk is full or not writable; what was being computed is not at fault."""


_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "give gfr permission"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "check that disk"),
    errno.EROFS: "let gfr write there",
    errno.EMFILE: "let gfr open more files (`ulimit -n`)",
    errno.ENFILE: "let the machine open more files",
}


def cannot_write(path: object, error: OSError, what: str = "written") -> CannotWrite:
    """Make the error for an OSError that kept `path` from being `what`."""
    # HDF5 leaves out the number of the error.
    why = error.strerror or f"{reason(error)}; is the disk full?"
    remedy = _REMEDIES.get(error.errno or errno.ENOSPC)
    remedies = ", or ".join(filter(None, [remedy, "name another directory"]))
    return CannotWrite(f"{path}: cannot be {what} ({why}); {remedies}")


def of_the_disk(error: OSError, written: str = "") -> CannotWrite | None:
    """Make the same error from any OSError; None if it is not about a disk.

    `written`: the path if known to be written; the error does not tell writing from reading.
    """
    if error.errno not in _REMEDIES:
        return None
    if written:
        return cannot_write(written, error)
    return cannot_write(error.filename2 or error.filename or "a file", error, "read or written")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean VGG16? ` for `vgg-16`; empty if no known word is similar."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, 1)
    return f"did you mean {by_folded[close[0]]}? " if close else ""


class StepFailed(RuntimeError):
    """A step's process failed, crashed or was ended; `str(error)` is the reason in one line."""


def reason(error: Exception) -> str:
    """Return the first line of an exception's message, without what Keras puts before it.

    A long line ends with its last whole sentence if that is not too short, or else with a word and
    an ellipsis.
    """
    message = _CAUGHT.split(_COLOUR.sub("", str(error)))[-1].strip()
    if quoted := _QUOTED.fullmatch(message):
        message = quoted[1] or quoted[2] or ""
    lines = [line.strip() for line in message.splitlines()]
    useful = [line for line in lines if line and not line.startswith("Exception encountered")]
    line = useful[0] if useful else type(error).__name__
    if len(line) <= _MAX_REASON:
        return line
    beginning = line[:_MAX_REASON]
    ends = [end.start() for end in _SENTENCE_END.finditer(beginning)]
    if ends and ends[-1] >= _MIN_SENTENCES:
        return beginning[: ends[-1]]
    words = beginning.rpartition(" ")[0] or beginning
    return f"{words} …"
