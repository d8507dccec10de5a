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
from gfr.errors import InputError
from gfr.evaluation import references
from gfr.models import backbone
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
    height, width = reference.size or layer.size
    if height is None or width is None:
        raise InputError(
            f"{path}: takes images of any size. Add size = [height, width] to the reference "
            f"{reference.label}"
        )
    return Network(layer, (height, width))


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
    model = build(load(reference), reference.scalings[0], reference.crops[0])
    num_values = math.prod(side or 1 for side in model.output_shape[1:])
    keras.utils.clear_session()
    if problem := references.shape_problem(num_values, reference.p_male):
        raise InputError(f"{reference.file}: {problem}")
