"""The head, the only part of a model that is trained: features (N, D) -> p_male (N, 1).

Training gives the same result as `Model.fit` of the same head on the same batches
(tests/pipeline/test_equality.py), but runs whole epochs inside TensorFlow, without Python per step.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from gfr.evaluation.metrics import THRESHOLD, History, metrics
from gfr.models.feature_store import Features

_LAYERS = (("hidden", 128, "relu"), ("p_male", 1, "sigmoid"))

_ROWS_PER_CALL = 4096  # rows passed to TensorFlow at once, rounded to whole batches

Report = Callable[[int, int], None]  # epochs done, of how many

# Training rows and validation rows, int (n,) each, epochs, seed, progress -> head, history.
Fit = Callable[[np.ndarray, np.ndarray, int, int, Report], tuple[keras.Model, History]]


def build(num_dims: int, seed: int) -> keras.Model:
    """Build Dense(128, relu) -> Dense(1, sigmoid) on float32 (N, D), initialised by the seed."""
    features = layer = keras.Input((num_dims,), name="features")
    for number, (name, num_units, activation) in enumerate(_LAYERS):
        initializer = keras.initializers.GlorotUniform(seed=seed + number)
        dense = keras.layers.Dense(num_units, activation, kernel_initializer=initializer, name=name)
        layer = dense(layer)
    return keras.Model(features, layer, name="head")


def batch_order(num_train: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of training rows in one epoch, int (num_train,).

    It does not depend on the number of epochs, so shorter trainings are prefixes of longer ones.
    """
    return np.random.default_rng([seed, epoch]).permutation(num_train)


def trainer(features: Features, scale: float, is_male: np.ndarray, batch_size: int) -> Fit:
    """Return a function that trains heads on one feature set, compiled once for all of them.

    Adam at Keras' default rate minimises binary cross-entropy; `is_male` is bool (N,). Every
    training starts from new weights, but returns the same model object: use it before the next one.
    """
    head, optimizer = build(features.num_dims, 0), keras.optimizers.Adam()
    run_steps = _steps(head, optimizer, batch_size)
    initial_state = [variable.numpy() for variable in optimizer.variables]
    rows_per_call = max(batch_size, _ROWS_PER_CALL // batch_size * batch_size)

    def fit(
        train_rows: np.ndarray,
        validation_rows: np.ndarray,
        epochs: int,
        seed: int,
        report: Report,
    ) -> tuple[keras.Model, History]:
        head.set_weights(build(features.num_dims, seed).get_weights())
        for variable, value in zip(optimizer.variables, initial_state, strict=True):
            variable.assign(value)
        per_epoch: list[tuple[float, float, float, float]] = []
        for epoch in range(epochs):
            order = train_rows[batch_order(len(train_rows), seed, epoch)]
            sums = np.zeros(2)
            for start in range(0, len(order), rows_per_call):
                rows = order[start : start + rows_per_call]
                truth = tf.constant(is_male[rows], tf.float32)
                sums += run_steps(tf.constant(features.rows(rows, scale)), truth).numpy()
            scores = logits(head, features, scale, validation_rows)
            validation = metrics(scores, is_male[validation_rows])
            per_epoch.append((*(sums / len(order)), validation.loss, validation.accuracy))
            report(epoch + 1, epochs)
        columns = [tuple(map(float, column)) for column in zip(*per_epoch, strict=True)]
        return head, History(*columns)

    return fit


def logits(head: keras.Model, features: Features, scale: float, rows: np.ndarray) -> np.ndarray:
    """Return the head's output before its sigmoid for rows int (n,) -> float32 (n,)."""
    hidden, last = head.get_layer("hidden"), head.get_layer("p_male")
    parts = []
    for start in range(0, len(rows), _ROWS_PER_CALL):
        block = features.rows(rows[start : start + _ROWS_PER_CALL], scale)
        parts.append((tf.matmul(hidden(block), last.kernel) + last.bias).numpy())
    return np.concatenate(parts)[:, 0]


def _steps(
    head: keras.Model, optimizer: keras.optimizers.Optimizer, batch_size: int
) -> tf.types.experimental.PolymorphicFunction:
    """Compile n / batch_size optimizer steps: (features (n, D), is_male (n,)) -> sums over n of
    loss and of correct answers."""
    binary_cross_entropy = keras.losses.BinaryCrossentropy()
    optimizer.build(head.trainable_variables)

    rows = tf.TensorSpec([None, head.input_shape[1]], tf.float32)

    @tf.function(input_signature=[rows, tf.TensorSpec([None], tf.float32)])
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
