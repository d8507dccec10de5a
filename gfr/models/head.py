"""The head: the only part that is trained.

In: features float32 (N, D) by row, labels, a split. Out: a trained Keras model (N, D) -> p_male
(N, 1) and its history per epoch. Equals `Model.fit` of the same head on the same batches
(tests/test_equality.py) but runs an epoch inside TensorFlow: no Python per step. Never sees an
image, never touches the test rows.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from gfr.evaluation.metrics import THRESHOLD, History, metrics
from gfr.models.feature_store import Features

HIDDEN_UNITS = 128

_ROWS_PER_CALL = 4096  # rows handed to TensorFlow at once, rounded to whole batches

# Rows to train on and to validate on, epochs, seed, progress -> head, history.
Fit = Callable[
    [np.ndarray, np.ndarray, int, int, Callable[[int, int], None]], tuple[keras.Model, History]
]


def build(num_dims: int, seed: int) -> keras.Model:
    """Dense(128, relu) -> Dense(1, sigmoid) on float32 (N, D); its weights follow from the seed."""
    features = keras.Input((num_dims,), name="features")
    hidden = keras.layers.Dense(
        HIDDEN_UNITS,
        "relu",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name="hidden",
    )(features)
    p_male = keras.layers.Dense(
        1,
        "sigmoid",
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 1),
        name="p_male",
    )(hidden)
    return keras.Model(features, p_male, name="head")


def batch_order(num_train: int, seed: int, epoch: int) -> np.ndarray:
    """Order of the training rows in one epoch, int (num_train,): a prefix run has the same."""
    return np.random.default_rng([seed, epoch]).permutation(num_train)


def train(
    features: Features,
    scale: float,
    is_male: np.ndarray,
    train_rows: np.ndarray,
    validation_rows: np.ndarray,
    epochs: int,
    batch_size: int,
    seed: int,
    report: Callable[[int, int], None],
) -> tuple[keras.Model, History]:
    """Adam at Keras' default rate on binary cross-entropy; is_male bool (N,), rows int (n,)."""
    fit = trainer(features, scale, is_male, batch_size)
    return fit(train_rows, validation_rows, epochs, seed, report)


def trainer(features: Features, scale: float, is_male: np.ndarray, batch_size: int) -> Fit:
    """`train` for several trainings on one feature set: compiled once, from the start each time.

    The head that is returned is the same object each time: use it before the next training.
    """
    head, optimizer = build(features.num_dims, 0), keras.optimizers.Adam()
    run_steps = _steps(head, optimizer, batch_size)
    at_rest = [variable.numpy() for variable in optimizer.variables]
    rows_per_call = max(batch_size, _ROWS_PER_CALL // batch_size * batch_size)

    def fit(
        train_rows: np.ndarray,
        validation_rows: np.ndarray,
        epochs: int,
        seed: int,
        report: Callable[[int, int], None],
    ) -> tuple[keras.Model, History]:
        head.set_weights(build(features.num_dims, seed).get_weights())
        for variable, value in zip(optimizer.variables, at_rest, strict=True):
            variable.assign(value)
        epochs_seen: list[tuple[float, float, float, float]] = []
        for epoch in range(epochs):
            order = train_rows[batch_order(len(train_rows), seed, epoch)]
            sums = np.zeros(2)
            for start in range(0, len(order), rows_per_call):
                rows = order[start : start + rows_per_call]
                sums += run_steps(
                    tf.constant(features.rows(rows, scale)),
                    tf.constant(is_male[rows], tf.float32),
                ).numpy()
            found = metrics(
                logits(head, features, scale, validation_rows), is_male[validation_rows]
            )
            epochs_seen.append((*(sums / len(order)), found.loss, found.accuracy))
            report(epoch + 1, epochs)
        columns = [tuple(map(float, column)) for column in zip(*epochs_seen, strict=True)]
        return head, History(*columns)

    return fit


def logits(head: keras.Model, features: Features, scale: float, rows: np.ndarray) -> np.ndarray:
    """Rows int (n,) of a feature set -> float32 (n,), what the head's sigmoid is applied to."""
    hidden, last = head.get_layer("hidden"), head.get_layer("p_male")
    parts = []
    for start in range(0, len(rows), _ROWS_PER_CALL):
        block = features.rows(rows[start : start + _ROWS_PER_CALL], scale)
        parts.append((tf.matmul(hidden(block), last.kernel) + last.bias).numpy())
    return np.concatenate(parts)[:, 0]


def _steps(
    head: keras.Model, optimizer: keras.optimizers.Optimizer, batch_size: int
) -> tf.types.experimental.PolymorphicFunction:
    """(features (n, D), is_male (n,)) -> sums over n of loss and of right answers, after n / batch
    steps of the optimizer."""
    binary_cross_entropy = keras.losses.BinaryCrossentropy()
    optimizer.build(head.trainable_variables)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, head.input_shape[1]], tf.float32),
            tf.TensorSpec([None], tf.float32),
        ]
    )
    def run(features: tf.Tensor, is_male: tf.Tensor) -> tf.Tensor:
        sums = tf.zeros(2)
        for start in tf.range(0, tf.shape(features)[0], batch_size):
            truth = is_male[start : start + batch_size, tf.newaxis]
            with tf.GradientTape() as tape:
                p_male = head(features[start : start + batch_size], training=True)
                loss = binary_cross_entropy(truth, p_male)
            gradients = tape.gradient(loss, head.trainable_variables)
            optimizer.apply(gradients, head.trainable_variables)
            right = tf.cast((p_male > THRESHOLD) == (truth > THRESHOLD), tf.float32)
            num_images = tf.cast(tf.shape(truth)[0], tf.float32)
            sums += tf.stack([loss * num_images, tf.reduce_sum(right)])
        return sums

    return run
