"""Keras `fit` with a frozen backbone in the graph, with which studies/speed.py compares gfr.

tf.data decodes in parallel, caches and prefetches.
"""

import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gfr.config.schema import FeatureSet
from gfr.models.backbone import application


def model(feature_set: FeatureSet, weights_path: Path, precision: str) -> keras.Model:
    """Pixels 0..255 of the trial's size -> p_male, compiled; the backbone is frozen."""
    keras.utils.clear_session()
    keras.config.set_dtype_policy({"bfloat16": "mixed_bfloat16"}.get(precision, precision))
    try:
        base = application(feature_set.backbone.name, (*feature_set.size, 3), weights_path)
        base.trainable = False
        pixels = keras.Input((*feature_set.size, 3))
        scaled = keras.layers.Rescaling(1 / 127.5, -1.0)(pixels)
        pooled = keras.layers.GlobalAveragePooling2D()(base(scaled, training=False))
        hidden = keras.layers.Dense(128, "relu")(pooled)
        p_male = keras.layers.Dense(1, "sigmoid", dtype="float32")(hidden)
        whole = keras.Model(pixels, p_male)
    finally:
        keras.config.set_dtype_policy("float32")
    whole.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return whole


def epoch_s(whole: keras.Model, labeled: tuple[list[Path], np.ndarray], batch_size: int) -> float:
    """Seconds of the second epoch on paths (N,) and is_male float32 (N,), validation included.

    A quarter of the images validates, as in the experiment. The first epoch decodes, fills the
    cache and traces: it is not counted.
    """
    size = whole.input_shape[1:3]

    def decode(path: tf.Tensor, male: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(pixels, size), male

    def batches(part: slice) -> tf.data.Dataset:
        paths = [str(path) for path in labeled[0][part]]
        files = tf.data.Dataset.from_tensor_slices((paths, labeled[1][part]))
        decoded = files.map(decode, num_parallel_calls=tf.data.AUTOTUNE).cache()
        return decoded.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    num_train = 3 * len(labeled[0]) // 4
    train, validation = batches(slice(num_train)), batches(slice(num_train, None))
    whole.fit(train, validation_data=validation, verbose=0)
    start_s = time.perf_counter()
    whole.fit(train, validation_data=validation, verbose=0)
    return time.perf_counter() - start_s
