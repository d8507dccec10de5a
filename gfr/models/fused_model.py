"""A backbone as a frozen graph, and the fused model from pixels to probability."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gfr.data import images
from gfr.models.external import network

Graph = Callable[[Any], Any]  # a concrete tf.function


def fuse(backbone: keras.Model, scale: float, head: keras.Model) -> keras.Model:
    """Join backbone and head: raw pixels (N, any H, any W, 3), 0..255 -> p_male float32 (N, 1).

    `scale` multiplies the features; it is 1 except for calibrated random weights.
    """
    pooled = backbone.output
    if scale != 1.0:
        pooled = keras.layers.Rescaling(scale, name="calibration")(pooled)
    return keras.Model(backbone.input, head(pooled), name="fused")


def num_parameters(model: keras.Model) -> int:
    """Count the parameters of a model, also those of a network that Keras does not know."""
    return model.count_params() + sum(row.num_parameters for row in external_networks(model))


def external_networks(model: keras.Model) -> list[network.ExternalNetwork]:
    """Return the layers of a model that are networks from elsewhere and not Keras' own."""
    return [row for row in model.layers if isinstance(row, network.ExternalNetwork)]


def compiled(model: keras.Model) -> Graph:
    """Compile the model into one graph: uint8 (N, H, W, 3) of any N, H, W -> float32 (N, D)."""

    # Autograph would inspect every layer and change none.
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)], autograph=False)
    def run(pixels: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pixels, tf.float32), training=False)

    return run.get_concrete_function()


def run_batch(graph: Graph, pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Run images uint8 (H, W, 3) of any sizes, grouped by size -> float32 (len(pixels), D)."""
    return images.run_by_size(lambda batch: graph(tf.constant(batch)).numpy(), pixels)
