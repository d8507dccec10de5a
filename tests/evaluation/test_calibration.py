"""Calibration, temperature and thresholds against other implementations and counts by hand."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, log_loss
from statsmodels.api import Logit

from gfr.evaluation import calibration
from gfr.evaluation.metrics import probabilities
from gfr.evaluation.statistics import wilson


def overconfident(num_images, seed=0):
    """Logits 2.5 times as large as the true log odds, and is_male."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=4, size=num_images)
    return logits, rng.random(num_images) < probabilities(logits / 2.5)


def test_bins_and_scores_agree_with_scikit_learn():
    """400 images, a temperature of 2: shares, means, cross-entropy; Brier score by definition."""
    logits, is_male = overconfident(400)
    p_male = probabilities(logits / 2)
    found = calibration.calibration(logits, is_male, temperature=2)
    shares, means = calibration_curve(is_male, p_male, n_bins=10)
    counts = np.histogram(p_male, bins=np.linspace(0, 1, 11))[0]
    assert counts.tolist() == [each.num_images for each in found.bins]
    assert pytest.approx(shares) == np.array([each.share_male for each in found.bins])
    assert pytest.approx(means) == np.array([each.mean_p_male for each in found.bins])
    assert pytest.approx(np.abs(shares - means) @ counts / 400) == found.expected_error
    assert pytest.approx(np.mean((p_male - is_male) ** 2)) == found.brier
    assert pytest.approx(log_loss(is_male, p_male)) == found.loss


def test_bins_by_hand():
    """p_male 1/2, 1/2, 1: the sixth and the last bin, each with its interval; no empty bins."""
    found = calibration.calibration(np.array([0.0, 0.0, 50.0]), np.array([True, False, True]))
    assert (
        calibration.Bin(0.5, 0.6, 2, 0.5, 0.5, *wilson(1, 2)),
        calibration.Bin(0.9, 1.0, 1, 1.0, 1.0, *wilson(1, 1)),
    ) == found.bins
    assert (0.0, pytest.approx(0.25 * 2 / 3)) == (found.expected_error, found.brier)


def test_the_temperature_is_the_slope_of_a_logistic_regression():
    """Without an intercept, by statsmodels; it corrects an overconfident model."""
    logits, is_male = overconfident(2000)
    found = calibration.temperature(logits, is_male)
    slope = Logit(is_male.astype(float), logits).fit(disp=False).params[0]
    assert pytest.approx(1 / slope, rel=1e-4) == found.value
    assert found.is_bound is False
    test_logits, test_is_male = overconfident(2000, seed=1)
    before = calibration.calibration(test_logits, test_is_male)
    after = calibration.calibration(test_logits, test_is_male, found.value)
    assert after.expected_error < 0.25 * before.expected_error
    assert after.loss < before.loss


@pytest.mark.parametrize(("expected", "sign"), [(1 / 20, 1), (20, -1)])
def test_a_temperature_without_an_optimum_is_marked(expected, sign):
    """Perfect separation fits a temperature of 0, reversed separation an infinite one."""
    logits = sign * np.array([-3.0, -1.0, 2.0, 4.0], np.float32)
    found = calibration.temperature(logits, np.array([False, False, True, True]))
    assert pytest.approx(expected) == found.value
    assert found.is_bound is True


def test_error_rates_agree_with_the_confusion_matrix():
    """At every threshold of the grid, by scikit-learn."""
    logits, is_male = overconfident(300)
    found = calibration.points(logits, is_male)
    assert 99 == len(found)
    for point in found:
        answer = probabilities(logits) > point.threshold
        (women, false_male), (false_female, men) = confusion_matrix(is_male, answer)
        assert pytest.approx((women + men) / 300) == point.accuracy
        assert pytest.approx(false_male / (women + false_male)) == point.false_male
        assert pytest.approx(false_female / (men + false_female)) == point.false_female


def test_thresholds_are_chosen_on_validation():
    """Two women near 0.7 in validation move it up to there; the test split has no influence."""
    p_male = np.array([0.1, 0.2, 0.65, 0.695, 0.8, 0.9])
    logits = np.log(p_male / (1 - p_male))
    validation = calibration.points(logits, np.array([False, False, False, False, True, True]))
    test = calibration.points(logits, np.array([False, False, True, True, True, False]))
    found = calibration.choices(validation, test)
    assert (0.5, 4 / 6) == (found.usual.validation.threshold, found.usual.validation.accuracy)
    assert (0.7, 1.0) == (found.best.validation.threshold, found.best.validation.accuracy)
    assert (0.7, 3 / 6) == (found.best.test.threshold, found.best.test.accuracy)
    assert found.best == found.equal


def test_equal_error_rates_need_not_be_the_best():
    """Six women, one at 0.605, four men, one at 0.35: 1 error at 0.61; 1/6 against 1/4 at 0.5."""
    p_male = np.array([0.1] * 5 + [0.605, 0.35, 0.7, 0.8, 0.9])
    points = calibration.points(np.log(p_male / (1 - p_male)), np.arange(10) >= 6)
    found = calibration.choices(points, points)
    assert calibration.Point(0.61, 0.9, 0.0, 0.25) == found.best.validation
    assert calibration.Point(0.5, 0.8, 1 / 6, 0.25) == found.equal.validation
