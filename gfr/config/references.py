"""Rows `[[reference]]` of a benchmark file: classifiers that are measured but not trained here.

Does not import TensorFlow and does not look at files.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gfr.config.scaling import Scaling
from gfr.types import MAX_SIDE_PX, Fraction, Label, Share, Side


def _listed(value: object) -> object:
    """Return a single value as a list of one, so that both can be written."""
    return value if isinstance(value, list | tuple) else [value]


def _listed_crops(value: object) -> object:
    """As `_listed`; four numbers of 0..1 are one rectangle."""
    if isinstance(value, list | tuple) and len(value) == 4:
        if all(isinstance(number, int | float) and 0 <= number <= 1 for number in value):
            return [value]
    return _listed(value)


# A centred square of so many px, or left, top, right and bottom in fractions of the aligned image.
Square = Annotated[int, Field(ge=8, le=MAX_SIDE_PX)]
Rectangle = tuple[Share, Share, Share, Share]
Crop = Literal["none"] | Square | Rectangle

# What the output of a classifier is.
Output = Literal["male", "female", "logit-male", "logit-female", "probabilities", "logits"]

OUTPUTS: dict[Output, str] = {
    "male": "probability of male",
    "female": "probability of female",
    "logit-male": "logit of male",
    "logit-female": "logit of female",
    "probabilities": "two probabilities, that of male at `male_index`",
    "logits": "two logits, that of male at `male_index`",
}


@dataclass(frozen=True)
class Reference:
    """One row `[[reference]]`: a classifier that is not trained here, or its answers.

    `file`: a network from elsewhere (gfr/models/external), with its nodes `input` and `output`,
    `size` (height, width; none: that of the file), `scaling` and `crop`. `predictions`: CSV files
    `image,p_male`. Of several scalings, crops or CSV files the best on validation is used.
    `p_male`: what the output means; images above `threshold` are classified as male. Paths are
    absolute once loaded.
    """

    label: Label
    file: str = ""
    predictions: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    input: str = ""
    output: str = ""
    size: tuple[Side, Side] | None = None
    scaling: Annotated[tuple[Scaling, ...], BeforeValidator(_listed), Field(min_length=1)] = (
        "none",
    )
    crop: Annotated[tuple[Crop, ...], BeforeValidator(_listed_crops), Field(min_length=1)] = (
        "none",
    )
    p_male: Output = "male"
    male_index: Literal[0, 1] = 1
    threshold: Fraction = 0.5
    trained_on: str = ""
    license: str = ""
    source: str = ""
