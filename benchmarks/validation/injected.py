"""Regressions that validation/regressions.py puts into a copy of the code, one at a time.

Each function takes a function of gfr and returns its replacement; CHANGES says which one. Does not
import gfr before one is called.
"""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

Function = Callable[..., Any]


def slowed(call: Function, factor: float) -> Function:
    """The same call, made `factor` times as long by busy waiting."""

    def run(*arguments: object) -> Any:
        start_s = time.perf_counter()
        value = call(*arguments)
        end_s = start_s + factor * (time.perf_counter() - start_s)
        while time.perf_counter() < end_s:
            pass
        return value

    return run


def slow_calls(classifier: Function) -> Function:
    """Model calls take 1.3 times as long."""
    return lambda model: slowed(classifier(model), 1.3)


def no_graph(_: Function) -> Function:
    """The model is called without a graph."""
    import keras

    from gfr.engines.base import Predictions
    from gfr.models import fused_model

    def changed(model: Any) -> Function:
        eager = lambda pixels: model(keras.ops.cast(pixels, "float32"), training=False)  # noqa: E731
        return lambda pixels: Predictions(fused_model.run_batch(eager, pixels)[:, 0])

    return changed


def no_calibration(load: Function) -> Function:
    """The model is built without its calibration."""

    def changed(run_dir: object, result: Any, *rest: object) -> Any:
        features = dataclasses.replace(result.features, scale=1.0)
        return load(run_dir, dataclasses.replace(result, features=features), *rest)

    return changed


def high_learning_rate(trainer: Function) -> Function:
    """Learning rate 0.1."""
    import keras

    def changed(*arguments: object) -> Function:
        with patch.object(keras.optimizers, "Adam", partial(keras.optimizers.Adam, 0.1)):
            return trainer(*arguments)

    return changed


def flipped_labels(trainer: Function) -> Function:
    """A third of the training labels is flipped."""

    def changed(features: Any, scale: float, is_male: np.ndarray, batch_size: int) -> Function:
        def fit(train_rows: np.ndarray, *rest: object) -> Any:
            labels = is_male.copy()
            labels[train_rows[train_rows % 3 == 0]] ^= True
            return trainer(features, scale, labels, batch_size)(train_rows, *rest)

        return fit

    return changed


def few_epochs(trainer: Function) -> Function:
    """Four of five epochs are left out."""

    def changed(*arguments: object) -> Function:
        fit = trainer(*arguments)
        return lambda train_rows, validation_rows, epochs, *rest: fit(
            train_rows, validation_rows, max(1, epochs // 5), *rest
        )

    return changed


def another_scale(trainer: Function) -> Function:
    """Features are scaled differently in training."""
    return lambda features, scale, *rest: trainer(features, scale / 10, *rest)


def rows_by_class(trainer: Function) -> Function:
    """Training rows come in the order of their class."""

    def changed(features: Any, scale: float, is_male: np.ndarray, batch_size: int) -> Function:
        fit = trainer(features, scale, is_male, batch_size)
        return lambda rows, *rest: fit(rows[np.argsort(is_male[rows], kind="stable")], *rest)

    return changed


def no_shuffling(_: Function) -> Function:
    """Training rows come in the order given; for `rows_by_class`."""
    return lambda num_train, *_: np.arange(num_train)


def few_rows(batch_order: Function) -> Function:
    """A tenth of the training rows."""
    return lambda num_train, *rest: batch_order(num_train, *rest)[: num_train // 10]


def shifted_features(extract: Function) -> Function:
    """Features are stored one row off."""
    from gfr.models import feature_store

    write = feature_store.write

    def shifted(directory: object, shard: int, features: np.ndarray) -> None:
        write(directory, shard, np.roll(features, 1, axis=0))

    def changed(*arguments: object) -> Any:
        with patch.object(feature_store, "write", shifted):
            return extract(*arguments)

    return changed


# Functions of gfr and their replacements; the docstring of the first replacement names the change.
CHANGES = (
    {"gfr.engines.tensorflow:classifier": slow_calls},
    {"gfr.engines.tensorflow:classifier": no_graph},
    {"gfr.engines.keras_model:load": no_calibration},
    {"gfr.models.head:trainer": high_learning_rate},
    {"gfr.models.head:trainer": flipped_labels},
    {"gfr.models.head:trainer": few_epochs},
    {"gfr.models.head:trainer": another_scale},
    {"gfr.models.head:trainer": rows_by_class, "gfr.models.head:batch_order": no_shuffling},
    {"gfr.models.head:batch_order": few_rows},
    {"gfr.models.feature_extraction:extract": shifted_features},
)
FRESH = (shifted_features,)  # shows only where features are computed
