"""Folding changes the layers, not the function."""

import keras
import numpy as np
import pytest

from gfr import backbones
from gfr.applications import APPLICATIONS
from gfr.folding import fold

BN = keras.layers.BatchNormalization


def network(name, shape=backbones.ANY_SIZE):
    """A backbone whose normalisations all do something."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    built = backbones.application(name, shape, None)
    for layer in built.layers:
        if isinstance(layer, BN):
            for variable in layer.weights:  # gamma, beta, moving mean and variance, if there
                low, high = (-0.3, 0.3) if variable.name in ("beta", "moving_mean") else (0.5, 2)
                variable.assign(rng.uniform(low, high, variable.shape))
    return built


def pooled(model, side_px=75):
    """float32 (2, D) of two images of noise, on the scale that the backbone expects."""
    levels = np.random.default_rng(1).integers(0, 256, (2, side_px, side_px, 3))
    return np.asarray(model(levels.astype(np.float32) / 127.5 - 1), np.float32).mean(axis=(1, 2))
