"""Fold normalisation layers of a frozen network into its convolutions.

The result is a new model with the same outputs but for rounding, optionally computed in bfloat16.
Folded are every BatchNormalization that is the only reader of a convolution, and
InceptionResNetV2's residual scale: both are multiplied into the kernel and bias of the convolution.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from gfr.config.schema import Precision

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)

_PIXEL_LAYERS = (keras.layers.Rescaling, keras.layers.Normalization)

_RESIDUAL_SCALE = "CustomScaleLayer"  # private to keras.applications: x + scale * residual


def fold(network: keras.Model, precision: Precision = "float32") -> keras.Model:
    """Return a folded, frozen copy of `network`; folding itself is computed in float32.

    Every layer of `network` must be called once, as in a Keras application.
    """
    affine: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # per convolution: factor, offset
    instead: dict[str, keras.Layer] = {}  # per folded layer: its replacement
    for layer, convolution in _foldable(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            affine[convolution.name] = _factor_and_offset(layer)
            substitute = keras.layers.Identity
        else:
            affine[convolution.name] = np.array(layer.scale), np.array(0.0)
            substitute = keras.layers.Add
        instead[layer.name] = substitute(name=layer.name, dtype=_policy(layer, precision))

    def clone(layer: keras.Operation) -> keras.Operation:
        return instead.get(layer.name) or _clone(layer, layer.name in affine, precision)

    def call(layer: keras.Operation, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        return args[0] if isinstance(layer, keras.layers.Identity) else layer(*args, **kwargs)

    folded = keras.models.clone_model(network, clone_function=clone, call_function=call)
    for layer in network.layers:
        if layer.name in instead or not layer.weights:
            continue
        values = layer.get_weights()
        if layer.name in affine:
            values = _absorb(layer, values, *affine[layer.name])
        folded.get_layer(layer.name).set_weights(values)
        if isinstance(layer, keras.layers.Normalization):
            folded.get_layer(layer.name).finalize_state()
    folded.trainable = False
    return folded


def _foldable(network: keras.Model) -> Iterator[tuple[keras.Layer, keras.Layer]]:
    """Yield (layer, convolution before it) where nothing else reads the convolution's output."""
    convolution_of = {
        id(layer.output): layer
        for layer in network.layers
        if isinstance(layer, _CONVOLUTIONS)
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
    }
    tensors = [*network.outputs]
    for operation in network.operations:
        tensors += keras.tree.flatten(operation.input)
    num_readers = Counter(map(id, tensors))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.axis in (-1, 3):
            before = layer.input
        elif type(layer).__name__ == _RESIDUAL_SCALE:
            before = layer.input[1]
        else:
            continue
        if id(before) in convolution_of and num_readers[id(before)] == 1:
            yield layer, convolution_of[id(before)]


def _factor_and_offset(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """Return the factor and offset of inference, float64 (channels,) each."""
    mean, variance = (np.float64(v) for v in (layer.moving_mean, layer.moving_variance))
    factor = (np.float64(layer.gamma) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return factor, (np.float64(layer.beta) if layer.center else 0.0) - mean * factor


def _absorb(
    convolution: keras.Layer, values: list[np.ndarray], factor: np.ndarray, offset: np.ndarray
) -> list[np.ndarray]:
    """Return the weights of factor * convolution + offset, float32, with a bias."""
    bias = values.pop() if convolution.use_bias else np.zeros(convolution.output.shape[-1])
    kernel = values.pop()  # of a SeparableConv2D: the pointwise kernel; the depthwise one stays
    is_depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    per_output = factor.reshape(kernel.shape[-2:]) if is_depthwise else factor
    absorbed = [kernel * per_output, bias * factor + offset]
    return values + [value.astype(np.float32) for value in absorbed]


def _clone(operation: keras.Operation, with_bias: bool, precision: Precision) -> keras.Operation:
    config = operation.get_config()
    if isinstance(operation, keras.Layer):
        config["dtype"] = _policy(operation, precision)
    if isinstance(operation, _CONVOLUTIONS):
        config["use_bias"] = operation.use_bias or with_bias
        # The values are overwritten, and drawing them would take longer than everything else.
        config |= {key: "zeros" for key in config if key.endswith("_initializer")}
    return operation.__class__.from_config(config)


def _policy(layer: keras.Layer, precision: Precision) -> str:
    # Otherwise ImageNet's mean and deviation would be rounded, with the same error in every image.
    if precision == "float32" or isinstance(layer, _PIXEL_LAYERS):
        return "float32"
    # bfloat16 kernels need no cast in each batch; normalisation variables stay float32.
    return "bfloat16" if isinstance(layer, _CONVOLUTIONS) else "mixed_bfloat16"
