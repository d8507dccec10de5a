"""What the loaders of files share: the network they return, and how they look up its nodes."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gfr.errors import InputError, did_you_mean

Shape = tuple[int | None, ...]

MAX_SHOWN = 8  # names in an error

FLOATS = ("float32", "float16")


@dataclass(frozen=True)
class Network:
    """A network as its loader returns it; sides that the file leaves open are None.

    `run`: a batch -> the output, both as the file has them. A network of TensorFlow takes and
    returns tensors, others arrays. `dtype`: of the batch, one of `FLOATS`, or uint8.
    `output_dtype`: one of `FLOATS`.
    """

    run: Callable[[Any], Any]
    input_shape: Shape
    output_shape: Shape
    num_parameters: int
    dtype: str = "float32"
    output_dtype: str = "float32"


def node(path: Path, what: str, wanted: str, ends: Sequence[str], known: Collection[str]) -> str:
    """Return the name of the input or output to use.

    Args:
        path: the file, for the error.
        what: input or output.
        wanted: a name; "": the only one of `ends`.
        ends: the network's own inputs or outputs.
        known: every name that may be wanted.

    Raises:
        InputError: the name is unknown, or there are several and none is wanted.
    """
    if wanted:
        if wanted in known:
            return wanted
        hint = did_you_mean(wanted, known)
        raise InputError(f"{path}: no {what} {wanted!r}; {hint}its {what}s are {_list(ends)}")
    if len(ends) == 1:
        return ends[0]
    if not ends:
        raise InputError(f"{path}: has no {what}; choose another file")
    raise InputError(f"{path}: has {len(ends)} {what}s. Name one of them: {_list(ends)}")


def only_input(path: Path, wanted: str, starts: Sequence[str], output: str) -> str:
    """Return the only input that an output depends on; InputError if there are others."""
    found = node(path, "input", wanted, starts, starts)
    if len(starts) > 1:
        raise InputError(
            f"{path}: {output} needs {_list(starts)}; choose an output that needs one input"
        )
    return found


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(names[:MAX_SHOWN]) + more


def check_dtypes(path: Path, takes: str, gives: str) -> None:
    """Raise InputError unless a network takes and gives numbers that gfr can use."""
    if takes not in (*FLOATS, "uint8"):
        raise InputError(f"{path}: its input is {takes}; expected float32, float16 or uint8")
    if gives not in FLOATS:
        raise InputError(f"{path}: its output is {gives}; expected float32 or float16")


def sides(shape: Sequence[object]) -> Shape:
    """Return a shape whose unknown sides, named or negative in some formats, are None."""
    return tuple(side if isinstance(side, int) and side > 0 else None for side in shape)
