"""Curves and areas against scikit-learn, the interval against every pair of a man and a woman."""

import math

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from gfr.evaluation import roc as evaluation_roc


def faces(num_images, decimals, seed=0):
    """Logits that men have higher by one, rounded so that they tie, and is_male."""
    rng = np.random.default_rng(seed)
    is_male = rng.random(num_images) < 0.4
    return np.round(rng.normal(size=num_images) + is_male, decimals), is_male


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_curves_and_areas_are_those_of_scikit_learn(decimals):
    """From seven distinct logits to none tied."""
    logits, is_male = faces(300, decimals)
    roc = evaluation_roc.roc(logits, is_male)
    expected = roc_curve(is_male, logits, drop_intermediate=False)
    assert pytest.approx(expected[0]) == np.array(roc.false_male)
    assert pytest.approx(expected[1]) == np.array(roc.true_male)
    assert pytest.approx(roc_auc_score(is_male, logits)) == roc.area
    found = evaluation_roc.precision_recall(logits, is_male)
    precision, recall, _ = precision_recall_curve(is_male, logits)
    assert pytest.approx(recall[::-1]) == np.array(found.recall)
    assert pytest.approx(precision[::-1]) == np.array(found.precision)
    assert pytest.approx(average_precision_score(is_male, logits)) == found.average


@pytest.mark.parametrize("decimals", [0, 9])
def test_delong_is_the_variance_over_all_pairs(decimals):
    """The definition of 1988: mean wins of each man and each woman, and how these vary."""
    logits, is_male = faces(80, decimals)
    men, women = logits[is_male][:, np.newaxis], logits[~is_male]
    wins = (men > women) + 0.5 * (men == women)
    of_men, of_women = wins.mean(axis=1), wins.mean(axis=0)
    variance = of_men.var(ddof=1) / len(of_men) + of_women.var(ddof=1) / len(of_women)
    half = 1.959964 * math.sqrt(variance)
    roc = evaluation_roc.roc(logits, is_male)
    assert pytest.approx((wins.mean() - half, wins.mean() + half)) == (roc.low, roc.high)


def test_delong_covers_what_is_true():
    """Normals one sd apart have an area of 0.7602; 95 % of 400 samples' intervals hold it."""
    samples = (evaluation_roc.roc(*faces(120, 9, seed)) for seed in range(400))
    covered = np.mean([roc.low <= 0.76025 <= roc.high for roc in samples])
    assert pytest.approx(0.95, abs=0.025) == covered


def test_a_long_curve_is_thinned_between_its_ends():
    """20,000 images: 500 points at most, and no point dropped is far from one kept."""
    logits, is_male = faces(20_000, 9)
    roc = evaluation_roc.roc(logits, is_male)
    assert len(roc.false_male) <= evaluation_roc.MOST_POINTS
    assert (0, 1) == (roc.false_male[0], roc.false_male[-1])
    assert (0, 1) == (roc.true_male[0], roc.true_male[-1])
    x, y, _ = roc_curve(is_male, logits, drop_intermediate=False)
    following = np.searchsorted(np.add(roc.false_male, roc.true_male), x + y - 1e-9)
    gap = np.array(roc.false_male)[following] - x + np.array(roc.true_male)[following] - y
    assert (
        gap.max() <= 2 / (evaluation_roc.MOST_POINTS - 1) + 1 / is_male.sum()
    )  # a step and an image
    found = evaluation_roc.precision_recall(logits, is_male)
    assert len(found.recall) <= evaluation_roc.MOST_POINTS
    assert (0, 1) == (found.recall[0], found.recall[-1])
    assert (1, is_male.mean()) == (found.precision[0], found.precision[-1])


def test_equal_logits_rank_nobody():
    """An area of one half without an interval; precision is the share of men."""
    is_male = np.array([True, False, False, False])
    roc = evaluation_roc.roc(np.zeros(4), is_male)
    assert evaluation_roc.Roc((0, 1), (0, 1), 0.5, None, None) == roc
    assert 0.25 == evaluation_roc.precision_recall(np.zeros(4), is_male).average


def test_a_perfect_order_claims_no_interval():
    """No variance is seen, which is not to say that there is none."""
    roc = evaluation_roc.roc(np.array([1.0, 2, 3, 4]), np.array([False, False, True, True]))
    assert (1.0, None, None) == (roc.area, roc.low, roc.high)


@pytest.mark.parametrize("is_male", [np.ones(3, bool), np.zeros(3, bool)])
def test_one_sex_alone_has_no_curve(is_male):
    """Nobody to tell apart from whom."""
    assert evaluation_roc.roc(np.arange(3.0), is_male) is None
    assert evaluation_roc.precision_recall(np.arange(3.0), is_male) is None
