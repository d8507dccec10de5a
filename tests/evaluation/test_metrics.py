"""Metrics by hand."""

import math

import numpy as np
import pytest

from gfr.evaluation.metrics import constant_answer, metrics, probabilities


def test_metrics_by_hand():
    """Four images, one wrong on each side: accuracy 1/2, loss from four logarithms."""
    p_male = np.array([0.9, 0.2, 0.6, 0.1])
    found = metrics(np.log(p_male / (1 - p_male)), np.array([True, True, False, False]))
    assert (1, 1, 1, 1) == (
        found.male_as_male,
        found.male_as_female,
        found.female_as_male,
        found.female_as_female,
    )
    assert 0.5 == found.accuracy
    expected = -(math.log(0.9) + math.log(0.2) + math.log(0.4) + math.log(0.9)) / 4
    assert pytest.approx(expected) == found.loss


def test_a_certain_mistake_costs_its_logit():
    """Wrong by a logit of 40 costs 40 nats, though its probability has rounded to 1."""
    found = metrics(np.array([40.0, -40.0]), np.array([False, False]))
    assert pytest.approx(20.0) == found.loss
    assert [1.0, 0.5] == probabilities(np.array([40.0, 0.0])).tolist()


def test_the_constant_answer_by_hand():
    """Trained on 3 men of 4, it is right for 1 man of 5; cross-entropy of 3/4."""
    accuracy, loss = constant_answer({"train": 3, "test": 1}, {"train": 1, "test": 4}, "test")
    assert (0.2, pytest.approx(-(math.log(0.75) + 4 * math.log(0.25)) / 5)) == (accuracy, loss)
