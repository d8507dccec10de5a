"""Types of numbers in records; pydantic refuses values out of range.

A damaged record is refused where it is read, not where its values are used.
"""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

SPLITS = ("train", "validation", "test")

Value = TypeVar("Value")

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+]{0,63}$"  # becomes part of a file name

Label = Annotated[str, Field(pattern=NAME)]

Share = Annotated[float, Field(ge=0, le=1)]

Fraction = Annotated[float, Field(gt=0, lt=1)]

MAX_SIDE_PX = 2048  # of an image that a network takes

Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]

_MOST = 10**15  # of bytes, images or seconds; with larger numbers arithmetic overflows

Count = Annotated[int, Field(ge=0, le=_MOST)]

Positive = Annotated[int, Field(ge=1, le=_MOST)]

Logit = Annotated[float, Field(ge=-_MOST, le=_MOST, allow_inf_nan=False)]

Nats = Annotated[float, Field(ge=0, le=_MOST, allow_inf_nan=False)]

Amount = Annotated[float, Field(ge=0, le=_MOST, allow_inf_nan=False)]

Seconds = Annotated[float, Field(ge=0, le=_MOST, allow_inf_nan=False)]

Above0 = Annotated[float, Field(gt=0, le=_MOST, allow_inf_nan=False)]

# Of float32 values; MobileNet's random weights leave features of 1e-22.
Scale = Annotated[float, Field(gt=0, le=1e38, allow_inf_nan=False)]


def every_split(values: dict[str, Value]) -> dict[str, Value]:
    """Return the values if there is one for each split; else ValueError."""
    if set(values) != set(SPLITS):
        raise ValueError(f"one value for each of {', '.join(SPLITS)} is expected")
    return values


BySplit = Annotated[dict[str, Value], AfterValidator(every_split)]

CountsBySplit = BySplit[Positive]

NonEmpty = Annotated[tuple[Value, ...], Field(min_length=1)]
