"""Numbers that can be checked by hand."""

import math

import numpy as np
import pytest

from gfr.evaluate import metrics


def test_metrics_by_hand():
    """Four images, one wrong on each side: accuracy 1/2, loss from four logarithms."""
    found = metrics(np.array([0.9, 0.2, 0.6, 0.1]), np.array([True, True, False, False]))
    assert (1, 1, 1, 1) == (
        found.male_as_male,
        found.male_as_female,
        found.female_as_male,
        found.female_as_female,
    )
    assert 0.5 == found.accuracy
    expected = -(math.log(0.9) + math.log(0.2) + math.log(0.4) + math.log(0.9)) / 4
    assert pytest.approx(expected) == found.loss


def test_a_certain_mistake_costs_as_much_as_keras_says():
    """Probabilities are clipped to 1e-7, so a loss is never infinite."""
    found = metrics(np.array([1.0, 0.0]), np.array([False, False]))
    assert pytest.approx(-math.log(1e-7) / 2, rel=1e-6) == found.loss
