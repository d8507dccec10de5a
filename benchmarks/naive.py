"""The way every good user would write it: Keras `fit` with the frozen backbone in the graph.

In: a FeatureSet, weights, image files and labels. Out: seconds an epoch. tf.data decodes in
parallel, caches and prefetches; batch and precision are the caller's. Never features once: that is
what it is compared with.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gfr.config.schema import FeatureSet
from gfr.models.backbone import application


def model(feature_set: FeatureSet, weights_path: Path, precision: str) -> keras.Model:
    """Pixels 0..255 of the trial's size -> p_male, compiled; the backbone is frozen."""
    keras.utils.clear_session()
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]
    keras.config.set_dtype_policy(policy)
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


def epoch_s(
    feature_set: FeatureSet,
    weights_path: Path,
    precision: str,
    batch_size: int,
    paths: Sequence[Path],
    is_male: np.ndarray,
) -> float:
    """Seconds of the second epoch; a quarter of the images validates, as in the experiment.

    The first epoch decodes, fills the cache and traces: it is not counted against the naive way.
    """
    num_train = 3 * len(paths) // 4
    whole = model(feature_set, weights_path, precision)
    train, validation = (
        _images(feature_set, paths[part], is_male[part], batch_size)
        for part in (slice(num_train), slice(num_train, None))
    )
    clock = _Clock()
    whole.fit(train, validation_data=validation, epochs=2, verbose=0, callbacks=[clock])
    return clock.seconds[-1]


def _images(
    feature_set: FeatureSet, paths: Sequence[Path], is_male: np.ndarray, batch_size: int
) -> tf.data.Dataset:
    def decode(path: tf.Tensor, male: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(pixels, feature_set.size), male

    files = tf.data.Dataset.from_tensor_slices(([str(path) for path in paths], is_male))
    decoded = files.map(decode, num_parallel_calls=tf.data.AUTOTUNE).cache()
    return decoded.batch(batch_size).prefetch(tf.data.AUTOTUNE)


class _Clock(keras.callbacks.Callback):
    """Seconds of each epoch, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.begun_s = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self.begun_s)
