"""Exit codes of `gfr`, and how a command ends: normally, refused, or interrupted."""

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

import psutil

from gfr import text
from gfr.errors import InputError, StepFailed, of_the_disk

COMPLETE, FAILURES, BAD_INPUT, REGRESSION = 0, 1, 2, 3
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, `kill`, a closed terminal
CLOSED_OUTPUT = 141  # 128 + SIGPIPE: whatever reads the output has ended


def call(command: Callable[[], object]) -> int:
    """Call `command`, which may raise SystemExit, and return the exit code.

    An error that the user, a disk or the reader of the output has caused becomes one line on
    standard error. Any other one is a defect of gfr and keeps its traceback.
    """
    _open_streams()
    output, code = sys.stdout, COMPLETE
    try:
        try:
            command()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        sys.stdout.flush()
    except InputError as error:
        return _print_error(str(error), BAD_INPUT)
    except StepFailed as error:
        return _print_error(str(error), FAILURES)
    except OSError as error:
        return _from_os_error(error, code)
    # Click replaces the output by a null stream when its reader has ended, and returns 1.
    return code if sys.stdout is output else CLOSED_OUTPUT


def _from_os_error(error: OSError, code: int) -> int:
    """The exit code when a disk or the output fails; an earlier failure, `code`, stays."""
    # Files are written by gfr/storage/atomic.py, whose errors name them.
    is_output = error.filename is None and error.errno not in (errno.EMFILE, errno.ENFILE)
    if is_output:
        _silence(1)
        if error.errno == errno.EPIPE:
            return code or CLOSED_OUTPUT
    line: object = of_the_disk(error, "standard output" if is_output else "")
    if line is None and error.filename:  # a file that was removed, a name that is too long
        line = f"{error.filename}: {error.strerror}"
    if line is None:
        raise error
    return _print_error(str(line), code or BAD_INPUT)


def _print_error(line: str, code: int) -> int:
    try:
        print(f"gfr: {text.line(line)}", file=sys.stderr, flush=True)
    except OSError:
        _silence(2)
    return code


def _silence(descriptor: int) -> None:
    """Discard what is still buffered: Python would try to write it and change the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _open_streams() -> None:
    """Open descriptors 0 to 2 if the caller has closed them.

    The next file opened would take the number, and output would be written into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    # Python sets a closed stream to None, and `print` would use the other one.
    sys.stdout = sys.stdout or io.StringIO()
    sys.stderr = sys.stderr or io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # As on standard error, for names of files that the terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def interruptible(message: str) -> Iterator[None]:
    """On one of `_SIGNALS`, print `message` and exit with 128 + the signal number."""

    def interrupt(number: int, _: object) -> NoReturn:
        raise KeyboardInterrupt(128 + number)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    if before[signal.SIGHUP] == signal.SIG_IGN:  # started by nohup
        del before[signal.SIGHUP]
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt as interrupted:
        for number in before:  # a terminal that is closed sends more than one
            signal.signal(number, signal.SIG_IGN)
        leave(interrupted.args[0], f"interrupted. {message}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int, message: str = "") -> NoReturn:
    """End at once, with all child processes; files are written atomically, so none is damaged."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        child.terminate()
    for child in psutil.wait_procs(children, timeout=5)[1]:
        child.kill()
    if message:
        _print_error(message, code)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code)
