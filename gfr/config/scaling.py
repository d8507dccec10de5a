"""How pixels are scaled before a network: the named scalings, and those with given numbers.

Does not import TensorFlow: the layers are in gfr/models/backbone.py.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

ChannelOrder = Literal["rgb", "bgr"]

_Value = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]

_Deviation = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]

BGR = "-bgr"  # ends the name of a scaling whose channels are then reversed

# ImageNet's mean and deviation per channel in RGB order, of pixels 0..1 and 0..255. Source:
# keras.applications.imagenet_utils.preprocess_input.
TORCH_MEAN, TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

CAFFE_MEAN = (123.68, 116.779, 103.939)

SCALINGS = {
    "tf": "pixels to [-1, 1]",
    "unit": "pixels to [0, 1]",
    "torch": "pixels to [0, 1], then ImageNet's mean and deviation per channel",
    "caffe": "BGR, ImageNet's mean per channel subtracted",
    "none": "pixels as they are, 0..255: the network scales them itself",
    "tf-bgr": "BGR, pixels to [-1, 1]",
    "unit-bgr": "BGR, pixels to [0, 1]",
    "torch-bgr": "BGR, pixels to [0, 1], then ImageNet's mean and deviation per channel",
    "caffe-rgb": "RGB, ImageNet's mean per channel subtracted",
    "none-bgr": "BGR, pixels as they are, 0..255",
}


@dataclass(frozen=True)
class Normalisation:
    """A scaling with given numbers: (pixel - mean) / std, pixels 0..255.

    `channels`: the order that the network takes; mean and deviation are in that order.
    """

    mean: tuple[_Value, _Value, _Value]
    std: tuple[_Deviation, _Deviation, _Deviation] = (1.0, 1.0, 1.0)
    channels: ChannelOrder = "rgb"


Scaling = str | Normalisation


def title(scaling: Scaling) -> str:
    """Return a scaling as people read it in tables: its name, or its numbers."""
    if isinstance(scaling, str):
        return scaling
    mean, std = (", ".join(f"{value:g}" for value in row) for row in (scaling.mean, scaling.std))
    return f"{scaling.channels.upper()}, mean {mean}, std {std}"


def words(scaling: Scaling) -> str:
    """Return what a scaling does, in words."""
    return SCALINGS[scaling] if isinstance(scaling, str) else title(scaling)
