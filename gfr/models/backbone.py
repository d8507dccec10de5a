"""Frozen backbones and fused models as Keras models that take raw pixels.

Resizing and scaling are float32 layers at the front of the model: feature extraction, latency
measurement, prediction and export all use these same layers.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gfr.config.keras_applications import APPLICATIONS
from gfr.config.schema import FeatureSet, Precision
from gfr.errors import InputError, reason
from gfr.models.bn_folding import fold

ANY_SIZE = (None, None, 3)

# What keras.applications.imagenet_utils.preprocess_input subtracts and divides by, in RGB order.
_TORCH_MEAN, _TORCH_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]

_CAFFE_BGR_MEAN = [103.939, 116.779, 123.68]

_SCALING_LAYERS = {
    "tf": lambda x: keras.layers.Rescaling(1 / 127.5, -1.0, name="scaling")(x),
    "unit": lambda x: keras.layers.Rescaling(1 / 255, name="scaling")(x),
    "torch": lambda x: keras.layers.Normalization(
        mean=[255 * m for m in _TORCH_MEAN],
        variance=[(255 * s) ** 2 for s in _TORCH_STD],
        name="scaling",
    )(x),
    "caffe": lambda x: keras.layers.Rescaling(
        [1.0, 1.0, 1.0], [-m for m in _CAFFE_BGR_MEAN], name="scaling"
    )(keras.ops.flip(x, axis=-1)),
    "none": lambda x: x,
}


@contextlib.contextmanager
def _refusing_missing_weights() -> Iterator[None]:
    """Make Keras raise a UserWarning if layers would keep their random initialisation."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping nested container")
        yield


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
    pixels = keras.Input((None, None, 3), dtype="float32", name="pixels")
    resized = keras.layers.Resizing(height, width, "bilinear", name="resize")(pixels)
    scaled = _SCALING_LAYERS[feature_set.backbone.scaling](resized)
    shape = (height, width, 3) if feature_set.input == "fixed" else ANY_SIZE
    if feature_set.backbone.file:
        network = own(weights_path or Path(feature_set.backbone.file))
    else:
        network = application(feature_set.backbone.name, shape, weights_path)
    if precision == "bfloat16":
        network = fold(network, "bfloat16")
    pooled = network(scaled, training=False)
    if len(pooled.shape) == 4:
        pooled = keras.layers.GlobalAveragePooling2D(name="pooling")(pooled)
    model = keras.Model(pixels, pooled, name=feature_set.id.replace("+", "_"))
    model.trainable = False
    return model


@_refusing_missing_weights()
def own(path: Path) -> keras.Model:
    """Load a user's own model; InputError if Keras cannot.

    Only for files that gfr/models/custom_model.py has accepted.
    """
    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # depends on what Keras' layers do with the file's values
        raise InputError(
            f"{path}: Keras {keras.__version__} cannot load it ({reason(error)}); save it again "
            "with model.save"
        ) from None
    network.name = "network"  # its own name may be that of another layer here
    return network


@_refusing_missing_weights()
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
    layer.set_weights([mean, variance * np.array(_TORCH_STD, np.float32), count])
    layer.finalize_state()
