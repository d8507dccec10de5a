"""A reference from a file as a Keras model: raw pixels to the network's raw output.

Cropping, resizing and scaling are the layers that backbones have (gfr/models/backbone.py).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from gfr.config.references import Crop, Reference
from gfr.config.scaling import Scaling
from gfr.errors import InputError, reason
from gfr.evaluation import references
from gfr.models import backbone
from gfr.models.external import files
from gfr.models.external import network as external


@dataclass(frozen=True)
class Network:
    """The network of a reference, and the size (height, width) of the images that it gets."""

    layer: Any  # a Keras layer or model with the attributes of gfr.models.external.network.load
    size: tuple[int, int]

    @property
    def num_parameters(self) -> int:
        """Number of its parameters; 0 if it is not known."""
        return int(self.layer.num_parameters or 0)


def load(reference: Reference) -> Network:
    """Load the network of a reference with a `file`; InputError if it cannot be used."""
    path = Path(reference.file)
    layer = external.load(path, reference.input, reference.output)
    if files.kind(path).name == "keras" and (problem := _input_problem(layer)):
        raise InputError(f"{path}: {problem}")
    size = reference.size or tuple(layer.size)
    if any(fixed not in (None, side) for fixed, side in zip(layer.size, size, strict=True)):
        words = " x ".join("any" if side is None else str(side) for side in layer.size)
        raise InputError(
            f"{path}: takes images of {words} (height x width) only; change "
            f"size = {list(size)} of the reference {reference.label}"
        )
    height, width = size
    if height is None or width is None:
        raise InputError(
            f"{path}: takes images of any size. Add size = [height, width] to the reference "
            f"{reference.label}"
        )
    return Network(layer, (height, width))


def _input_problem(model: keras.Model) -> str:
    """Return why a model of Keras does not take RGB images; "" if it does."""
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", [])]
    if not shapes:  # a Sequential that was never built has random weights
        return "its input has no known shape; start it with keras.Input((None, None, 3))"
    if len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][3] in (None, 3):
        return ""
    takes = " and ".join(map(str, shapes))
    return f"its input is {takes}; expected (None, height, width, 3)"


def build(network: Network, scaling: Scaling, crop: Crop) -> keras.Model:
    """Build a model: raw pixels (N, any H, any W, 3), 0..255 -> raw output float32 (N, ...)."""
    pixels, prepared = backbone.front(network.size, scaling, crop)
    model = keras.Model(pixels, network.layer(prepared), name="reference")
    model.trainable = False
    return model


def check(reference: Reference) -> None:
    """Raise InputError if the file cannot be loaded, or its output has the wrong shape."""
    if not reference.file:
        return
    keras.utils.clear_session()
    network = load(reference)
    for scaling in reference.scalings:
        if problem := external.scaling_problem(network.layer, scaling):
            raise InputError(f"{reference.file}: {problem}")
    try:
        model = build(network, reference.scalings[0], reference.crops[0])
    except InputError:
        raise
    except Exception as error:  # TensorFlow raises many kinds for a user's network
        size = "{} x {}".format(*network.size)
        raise InputError(
            f"{reference.file}: cannot be run on images of {size} ({reason(error)}); choose "
            "another size or output"
        ) from None
    num_values = math.prod(side or 1 for side in model.output_shape[1:])
    keras.utils.clear_session()
    if problem := references.shape_problem(num_values, reference.p_male):
        raise InputError(f"{reference.file}: {problem}")
