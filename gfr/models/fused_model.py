"""A backbone as a frozen graph, and the fused model from pixels to probability."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Graph = Callable[[Any], Any]  # a concrete tf.function


def fuse(backbone: keras.Model, scale: float, head: keras.Model) -> keras.Model:
    """Raw pixels (N, any H, any W, 3), 0..255 -> p_male float32 (N, 1).

    `scale` is the constant on the pooled output: 1 but for calibrated random weights.
    """
    pooled = backbone.output
    if scale != 1.0:
        pooled = keras.layers.Rescaling(scale, name="calibration")(pooled)
    return keras.Model(backbone.input, head(pooled), name="fused")


def compiled(model: keras.Model) -> Graph:
    """The model as one inference graph: uint8 (N, H, W, 3) of any N, H, W -> float32 (N, D)."""

    # Without autograph, which would look at every layer and change none.
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)], autograph=False)
    def run(pixels: tf.Tensor) -> tf.Tensor:
        return model(tf.cast(pixels, tf.float32), training=False)

    return run.get_concrete_function()


def run_batch(graph: Graph, images: Sequence) -> np.ndarray:
    """Images uint8 (H, W, 3), sizes may differ -> float32 (len(images), D), in the order given."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(row)
    outputs: list = [None] * len(images)
    for rows in by_shape.values():
        values = graph(tf.constant(np.stack([images[row] for row in rows]))).numpy()
        for row, value in zip(rows, values, strict=True):
            outputs[row] = value
    return np.stack(outputs)
