"""Curves against their definition, the interval against every pair of a man and a woman."""

import math

import numpy as np
import pytest

from gfr.evaluation import roc as evaluation_roc


def faces(num_images, decimals, seed=0):
    """Logits that men have higher by one, rounded so that they tie, and is_male."""
    rng = np.random.default_rng(seed)
    is_male = rng.random(num_images) < 0.4
    return np.round(rng.normal(size=num_images) + is_male, decimals), is_male


def test_curves_by_hand():
    """A man at 3, a man and a woman at 2, a woman at 1."""
    logits, is_male = np.array([3.0, 2, 2, 1]), np.array([True, True, False, False])
    roc = evaluation_roc.roc(logits, is_male)
    assert ((0, 0, 0.5, 1), (0, 0.5, 1, 1)) == (roc.false_male, roc.true_male)
    assert 0.875 == roc.area
    recall = evaluation_roc.precision_recall(logits, is_male)
    assert ((0, 0.5, 1, 1), (1, 1, 2 / 3, 0.5)) == (recall.recall, recall.precision)
    assert pytest.approx(0.5 * 1 + 0.5 * 2 / 3) == recall.average


@pytest.mark.parametrize("decimals", [0, 1, 9])
def test_curves_are_the_shares_above_each_threshold(decimals):
    """From seven distinct logits to no ties."""
    logits, is_male = faces(300, decimals)
    is_above = logits >= np.unique(logits)[::-1, np.newaxis]
    men, women = is_above[:, is_male].sum(axis=1), is_above[:, ~is_male].sum(axis=1)
    recall, precision = men / is_male.sum(), men / (men + women)
    roc = evaluation_roc.roc(logits, is_male)
    assert pytest.approx([0, *(women / (~is_male).sum())]) == list(roc.false_male)
    assert pytest.approx([0, *recall]) == list(roc.true_male)
    found = evaluation_roc.precision_recall(logits, is_male)
    assert pytest.approx([0, *recall]) == list(found.recall)
    assert pytest.approx([1, *precision]) == list(found.precision)
    assert pytest.approx(np.diff(recall, prepend=0) @ precision) == found.average


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


def test_delong_intervals_contain_the_true_area():
    """Normals one sd apart have an area of 0.7602; 95% of 400 samples' intervals contain it."""
    samples = (evaluation_roc.roc(*faces(120, 9, seed)) for seed in range(400))
    covered = np.mean([roc.low <= 0.76025 <= roc.high for roc in samples])
    assert pytest.approx(0.95, abs=0.025) == covered


def test_a_long_curve_is_thinned_between_its_ends(monkeypatch):
    """20,000 images: 500 points at most, and no dropped point is far from a kept one."""
    logits, is_male = faces(20_000, 9)
    roc = evaluation_roc.roc(logits, is_male)
    assert len(roc.false_male) <= evaluation_roc.MAX_POINTS
    assert (0, 1) == (roc.false_male[0], roc.false_male[-1])
    assert (0, 1) == (roc.true_male[0], roc.true_male[-1])
    found = evaluation_roc.precision_recall(logits, is_male)
    assert len(found.recall) <= evaluation_roc.MAX_POINTS
    assert (0, 1) == (found.recall[0], found.recall[-1])
    assert (1, is_male.mean()) == (found.precision[0], found.precision[-1])
    max_step = 2 / (evaluation_roc.MAX_POINTS - 1) + 1 / is_male.sum()  # one step and one image
    monkeypatch.setattr(evaluation_roc, "MAX_POINTS", len(logits) + 1)
    whole = evaluation_roc.roc(logits, is_male)
    x, y = np.array(whole.false_male), np.array(whole.true_male)
    following = np.searchsorted(np.add(roc.false_male, roc.true_male), x + y - 1e-9)
    gap = np.array(roc.false_male)[following] - x + np.array(roc.true_male)[following] - y
    assert gap.max() <= max_step


def test_equal_logits_have_no_order():
    """An area of one half without an interval; precision is the share of men."""
    is_male = np.array([True, False, False, False])
    roc = evaluation_roc.roc(np.zeros(4), is_male)
    assert evaluation_roc.Roc((0, 1), (0, 1), 0.5, None, None) == roc
    assert 0.25 == evaluation_roc.precision_recall(np.zeros(4), is_male).average


def test_a_perfect_order_claims_no_interval():
    """The sample variance is 0, although the true one need not be."""
    roc = evaluation_roc.roc(np.array([1.0, 2, 3, 4]), np.array([False, False, True, True]))
    assert (1.0, None, None) == (roc.area, roc.low, roc.high)
