"""How a command ends: an exit code, and one line where the user can mend something.

In: a command. Out: its exit code; on standard error what kept it from its end. What is no fault of
the user, the disk or the reader of our output is a defect of gfr and keeps its traceback.
"""

import errno
import io
import os
import sys
from collections.abc import Callable

from gfr import text
from gfr.errors import BadInput, StepFailed, of_the_disk

BAD_INPUT, STEP_FAILED = 2, 1
NO_READER = 141  # as shells call the end of a command whose reader has gone: 128 + SIGPIPE


def of(command: Callable[[], object]) -> int:
    """Call `command`, which may end in SystemExit; returns the exit code."""
    _open_streams()
    output, code = sys.stdout, 0
    try:
        try:
            command()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        sys.stdout.flush()
    except BadInput as error:
        return _say(str(error), BAD_INPUT)
    except StepFailed as error:
        return _say(str(error), STEP_FAILED)
    except OSError as error:
        return _of_the_system(error, code)
    # Click puts a mute stream there when the reader has gone, and ends with 1.
    return code if sys.stdout is output else NO_READER


def _of_the_system(error: OSError, code: int) -> int:
    """The exit code when a disk or the output is lost; what was known before, `code`, stays."""
    # Files are written by gfr/storage/atomic.py, which names them.
    is_output = error.filename is None and error.errno not in (errno.EMFILE, errno.ENFILE)
    if is_output:
        _give_up(1)
    if is_output and error.errno == errno.EPIPE:
        return code or NO_READER
    refusal = of_the_disk(error, "standard output" if is_output else "")
    if refusal is None and error.filename:  # gone meanwhile, a name too long
        return _say(f"{error.filename}: {error.strerror}", code or BAD_INPUT)
    if refusal is None:
        raise error
    return _say(str(refusal), code or BAD_INPUT)


def _say(line: str, code: int) -> int:
    try:
        print(f"gfr: {text.line(line)}", file=sys.stderr, flush=True)
    except OSError:
        _give_up(2)
    return code


def _give_up(descriptor: int) -> None:
    """Python would try once more at its end, say so at length and change the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _open_streams() -> None:
    """Give descriptors 0 to 2 to nobody's file, where the caller has closed them.

    The next file opened would take the number, and what is printed would land in it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    # Python has None there; `print` would then take the other one.
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
