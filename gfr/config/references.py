"""Rows `[[reference]]` of a benchmark file: classifiers that are measured but not trained here.

Does not import TensorFlow and does not look at files.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, cast

from pydantic import Field

from gfr.config.scaling import Scaling
from gfr.types import MAX_SIDE_PX, Fraction, Label, NonEmpty, Share, Side

MIN_SQUARE_PX = 8

# A centred square of so many px, or left, top, right and bottom in fractions of the aligned image.
Square = Annotated[int, Field(ge=MIN_SQUARE_PX, le=MAX_SIDE_PX)]
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
    predictions: str | tuple[str, ...] = ()
    input: str = ""
    output: str = ""
    size: tuple[Side, Side] | None = None
    scaling: Scaling | NonEmpty[Scaling] = "none"
    crop: Crop | NonEmpty[Crop] = "none"
    p_male: Output = "male"
    male_index: Literal[0, 1] = 1
    threshold: Fraction = 0.5
    trained_on: str = ""
    license: str = ""
    source: str = ""

    @property
    def prediction_files(self) -> tuple[str, ...]:
        """The CSV files, also if there is only one."""
        if isinstance(self.predictions, str):
            return (self.predictions,)
        return self.predictions

    @property
    def scalings(self) -> tuple[Scaling, ...]:
        """The scalings to try, also if there is only one."""
        return self.scaling if isinstance(self.scaling, tuple) else (self.scaling,)

    @property
    def crops(self) -> tuple[Crop, ...]:
        """The crops to try, also if there is only one."""
        if isinstance(self.crop, str | int) or isinstance(self.crop[0], float):
            return (cast(Crop, self.crop),)
        return cast(tuple[Crop, ...], self.crop)
