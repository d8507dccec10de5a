"""The one exception that means "the user can mend this": raised at the door, caught by the CLI.

In: one line saying what is wrong, where, and how to mend it. Out: exit code 2, no traceback.
Never raised for a defect of gfr itself.
"""

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class BadInput(ValueError):
    """Input that gfr cannot work with; `str(error)` is one line: what, where, how to mend."""


class CannotWrite(BadInput):
    """The disk is full or closed to us: no fault of what was being computed."""


class StepFailed(RuntimeError):
    """A step's process failed, died or was ended; `str(error)` is the reason in one line."""


def reason(error: Exception) -> str:
    """What a foreign exception says, as one short line; Keras wraps it in where it happened."""
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception encountered")]
    return f"{(said or [type(error).__name__])[0]:.120}"
