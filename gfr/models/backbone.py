"""Frozen backbones and fused models as Keras models that take raw pixels.

Resizing and scaling are float32 layers at the front of the model: feature extraction, latency
measurement, prediction and export all use these same layers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gfr.config import references
from gfr.config.keras_applications import APPLICATIONS
from gfr.config.scaling import BGR, CAFFE_MEAN, TORCH_MEAN, TORCH_STD, Normalisation, Scaling
from gfr.config.schema import FeatureSet, Precision
from gfr.errors import InputError, reason
from gfr.models.bn_folding import fold
from gfr.models.external import keras_file
from gfr.models.external import network as external_network

ANY_SIZE = (None, None, 3)

_SCALING_LAYERS = {
    "tf": lambda x: keras.layers.Rescaling(1 / 127.5, -1.0, name="scaling")(x),
    "unit": lambda x: keras.layers.Rescaling(1 / 255, name="scaling")(x),
    "torch": lambda x: keras.layers.Normalization(
        mean=[255 * m for m in TORCH_MEAN],
        variance=[(255 * s) ** 2 for s in TORCH_STD],
        name="scaling",
    )(x),
    "caffe": lambda x: _subtracted(_reversed(x), CAFFE_MEAN[::-1]),
    "caffe-rgb": lambda x: _subtracted(x, CAFFE_MEAN),
    "none": lambda x: x,
}


def _subtracted(x: keras.KerasTensor, mean: Sequence[float]) -> keras.KerasTensor:
    return keras.layers.Rescaling([1.0, 1.0, 1.0], [-m for m in mean], name="scaling")(x)


def _reversed(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.flip(x, axis=-1)


def scaled(x: keras.KerasTensor, scaling: Scaling) -> keras.KerasTensor:
    """Scale pixels float32 (N, H, W, 3), RGB, 0..255, as a network takes them."""
    if isinstance(scaling, Normalisation):
        variance = [std**2 for std in scaling.std]
        ordered = _reversed(x) if scaling.channels == "bgr" else x
        layer = keras.layers.Normalization(mean=scaling.mean, variance=variance, name="scaling")
        return layer(ordered)
    if scaling.endswith(BGR):
        return _SCALING_LAYERS[scaling.removesuffix(BGR)](_reversed(x))
    return _SCALING_LAYERS[scaling](x)


@keras.saving.register_keras_serializable("gfr")
class Crop(keras.layers.Layer):
    """Cut a part out of images (N, H, W, C) of any size: see `gfr.config.references.Crop`.

    A square that is larger than an image is as high or as wide as that.
    """

    def __init__(self, part: int | Sequence[float], **others: Any) -> None:
        """Take the side of a centred square in px, or left, top, right and bottom, 0..1."""
        super().__init__(**others)
        self.part = part if isinstance(part, int) else tuple(part)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Return the part."""
        shape = tf.shape(images)
        height, width = shape[1], shape[2]
        if isinstance(self.part, int):
            sides = tf.minimum(shape[1:3], self.part)
            top, left = tf.unstack((shape[1:3] - sides) // 2)
            bottom, right = top + sides[0], left + sides[1]
        else:
            left, right = (_rounded(width, share) for share in self.part[::2])
            top, bottom = (_rounded(height, share) for share in self.part[1::2])
        return images[:, top:bottom, left:right]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape, whose sides depend on the image."""
        return (input_shape[0], None, None, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is built from."""
        return {**super().get_config(), "part": self.part}


def _rounded(side: tf.Tensor, share: float) -> tf.Tensor:
    return tf.cast(tf.round(tf.cast(side, tf.float32) * share), tf.int32)


def front(
    size: tuple[int, int], scaling: Scaling, crop: references.Crop = "none"
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input, raw pixels (N, any H, any W, 3), 0..255, and what a network gets of it.

    That is float32 (N, height, width, 3): cropped, resized and scaled.
    """
    pixels = keras.Input((None, None, 3), dtype="float32", name="pixels")
    part = pixels if crop == "none" else Crop(crop, name="crop")(pixels)
    resized = keras.layers.Resizing(*size, "bilinear", name="resize")(part)
    return pixels, scaled(resized, scaling)


def make_deterministic() -> None:
    """Make TensorFlow reject operations whose result depends on thread timing."""
    tf.config.experimental.enable_op_determinism()


def build(
    feature_set: FeatureSet, weights_path: Path | None, precision: Precision = "float32"
) -> keras.Model:
    """Build a frozen model: raw pixels (N, any H, any W, 3), 0..255 -> features float32 (N, D).

    In bfloat16 the network is folded first (gfr/models/bn_folding.py); the layers around it stay
    float32.
    `weights_path` None keeps Keras' initialisation. InputError if the file does not fit.
    """
    height, width = feature_set.size
    pixels, prepared = front(feature_set.size, feature_set.backbone.scaling)
    shape = (height, width, 3) if feature_set.input == "fixed" else ANY_SIZE
    row = feature_set.backbone
    if row.file:
        path = weights_path or Path(row.file)
        network = external_network.load(path, row.input, row.features)
    else:
        network = application(row.name, shape, weights_path)
    if precision == "bfloat16":
        network = fold(network, "bfloat16")
    pooled = network(prepared, training=False)
    if len(pooled.shape) == 4:
        pooled = keras.layers.GlobalAveragePooling2D(name="pooling")(pooled)
    if len(pooled.shape) != 2:
        raise InputError(
            f"{row.file}: its output is {tuple(pooled.shape)}; features are (None, features) or a "
            "feature map (None, height, width, features). Name another node in `features`"
        )
    model = keras.Model(pixels, pooled, name=feature_set.id.replace("+", "_"))
    model.trainable = False
    return model


@keras_file.refusing_missing_weights()
def application(
    name: str, input_shape: tuple[int | None, int | None, int], weights_path: Path | None
) -> keras.Model:
    """Build a Keras application without its top; InputError if the weights do not fit it."""
    constructor = getattr(keras.applications, name)
    try:
        network = constructor(
            include_top=False,
            input_shape=input_shape,
            weights=None if weights_path is None else str(weights_path),
        )
        if weights_path is not None and APPLICATIONS[name].squares_deviation:
            _square_deviation(network)
        return network
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise InputError(
            f"{weights_path}: no weights of {name} without top ({reason(error)}); "
            f"expected Keras' {APPLICATIONS[name].weights_file}"
        ) from None


def _square_deviation(network: keras.Model) -> None:
    """Apply a factor that Keras adds to EfficientNet only if it downloads the weights itself.

    They were trained with (x - mean) / variance, so Keras divides by the root of ImageNet's
    deviation once more in an extra layer (keras/src/applications/efficientnet.py). Here the factor
    goes into the variance of the normalisation layer.
    """
    layer = next(each for each in network.layers if isinstance(each, keras.layers.Normalization))
    mean, variance, count = layer.get_weights()
    layer.set_weights([mean, variance * np.array(TORCH_STD, np.float32), count])
    layer.finalize_state()
