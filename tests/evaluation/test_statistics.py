"""Each statistic against a published value, a count by hand or another implementation."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import bootstrap

from gfr.evaluation import statistics


@pytest.mark.parametrize(
    ("expected", "num_right", "num_images"),
    [
        ((0.2553, 0.3662), 81, 263),
        ((0.0624, 0.1605), 15, 148),
        ((0.0, 0.1611), 0, 20),
        ((0.0061, 0.1718), 1, 29),
    ],
)
def test_wilson_gives_the_published_interval(expected, num_right, num_images):
    """Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I."""
    assert expected == tuple(round(x, 4) for x in statistics.wilson(num_right, num_images))


def test_newcombe_gives_the_published_interval():
    """Newcombe (1998), "Interval estimation for the difference", table II, method 10."""
    assert (0.0524, 0.3339) == tuple(round(x, 4) for x in statistics.newcombe(56, 70, 48, 80))
    assert (0.6791, 1.0) == tuple(round(x, 4) for x in statistics.newcombe(10, 10, 0, 20))


@pytest.mark.parametrize(
    ("expected", "counts"),
    [(2 / 2**8, (8, 0)), (2 * 7 / 2**6, (1, 5)), (1.0, (5, 5)), (1.0, (0, 0))],
)
def test_mcnemar_by_hand(expected, counts):
    """Twice the binomial tail: of 6 discordant pairs 1 way has none and 6 have one on a side."""
    assert pytest.approx(expected, abs=1e-15) == statistics.mcnemar(*counts)


def test_holm_by_hand():
    """Three tests: 3 x 0.01, 2 x 0.03, and 0.04, raised to the value before it; at most 1."""
    assert pytest.approx([0.06, 0.03, 0.06]) == statistics.holm([0.03, 0.01, 0.04])
    assert [1.0, 1.0] == statistics.holm([0.9, 0.8]).tolist()
    assert [] == statistics.holm([]).tolist()


def test_seeds_have_a_student_interval():
    """1 to 5: sd sqrt(2.5), and 2.7764 from Student's table at 4 degrees of freedom."""
    spread = statistics.over_seeds([3, 1, 5, 2, 4])
    half = 2.776445 * math.sqrt(2.5) / math.sqrt(5)
    assert (5, 3.0, 1.0, 5.0) == (spread.num, spread.mean, spread.least, spread.most)
    assert pytest.approx((math.sqrt(2.5), 3 - half, 3 + half)) == (
        spread.sd,
        spread.low,
        spread.high,
    )


def test_one_seed_has_no_interval():
    """A single value says nothing about the spread."""
    assert statistics.Spread(1, 0.9, None, None, None, 0.9, 0.9) == statistics.over_seeds([0.9])


def test_the_interval_of_a_mean_agrees_with_scipy():
    """A hundred skewed losses, for which the percentile interval is too low."""
    losses = np.random.default_rng(1).lognormal(size=100)
    theirs = bootstrap((losses,), np.mean, n_resamples=20_000, rng=1).confidence_interval
    plain = bootstrap((losses,), np.mean, n_resamples=20_000, rng=1, method="percentile")
    tolerance = 0.04 * (theirs.high - theirs.low)
    assert plain.confidence_interval.high < theirs.high - 2 * tolerance
    assert pytest.approx(tuple(theirs), abs=tolerance) == statistics.bootstrap_mean(losses)


def test_the_interval_of_a_mean_does_not_depend_on_the_chunks(monkeypatch):
    """All resamples at once or three at a time are the same draws; equal losses have no width."""
    losses = np.random.default_rng(0).exponential(size=50)
    expected = statistics.bootstrap_mean(losses, seed=5)
    monkeypatch.setattr(statistics, "_MAX_DRAWN", 150)
    assert expected == statistics.bootstrap_mean(losses, seed=5)
    assert expected != statistics.bootstrap_mean(losses, seed=6)
    assert (0.25, 0.25) == statistics.bootstrap_mean(np.full(9, 0.25))


def test_a_paired_difference_resamples_images():
    """60 images, 12 of them right for a only and 5 for b only; scipy resamples single images."""
    right_a = np.arange(60) < 40
    right_b = np.roll(right_a, 5) & ~((np.arange(60) >= 30) & (np.arange(60) < 37))
    steps = right_a.astype(int) - right_b.astype(int)
    assert (12, 5) == (np.sum(steps == 1), np.sum(steps == -1))
    theirs = bootstrap((steps,), np.mean, n_resamples=20_000, rng=1, method="percentile")
    difference, low, high = statistics.paired_difference(right_a, right_b)
    assert pytest.approx(7 / 60) == difference
    # Differences are multiples of 1/60, so both intervals may end one step apart.
    assert pytest.approx(tuple(theirs.confidence_interval), abs=1.01 / 60) == (low, high)


def test_a_paired_difference_has_the_closed_forms_width():
    """4,000 images, 300 and 220 discordant: variance (520/n - (80/n)^2) / n, normal bounds."""
    right_a, right_b = np.ones(4000, bool), np.ones(4000, bool)
    right_b[:300] = right_a[300:520] = False
    half = 1.959964 * math.sqrt((520 / 4000 - 0.02**2) / 4000)
    interval = statistics.paired_difference(right_a, right_b)
    assert pytest.approx((0.02, 0.02 - half, 0.02 + half), abs=3e-4) == interval


def test_optimism_is_the_mean_over_all_resamples():
    """Three trials on five images: all 3,125 resamples enumerated, ties averaged."""
    right = np.array([[1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [1, 0, 1, 0, 0]], bool)
    expected = []
    for images in itertools.product(range(5), repeat=5):
        resampled = right[:, images].mean(axis=1)
        selected = np.isclose(resampled, resampled.max())
        expected.append(resampled.max() - right[selected].mean())
    optimism = statistics.optimism(right)
    assert pytest.approx(np.mean(expected), abs=0.008) == optimism.mean
    assert pytest.approx(np.quantile(expected, [0.025, 0.975])) == (optimism.low, optimism.high)


def test_optimism_of_equal_trials_is_short_by_the_root_of_two():
    """Best of nine normals is 1.48501 sd above its mean (David and Nagaraja); over 60 test sets."""
    rng = np.random.default_rng(0)
    means = [statistics.optimism(rng.random((9, 400)) < 0.5).mean for _ in range(60)]
    expected = 1.48501 * math.sqrt(0.5 * 0.5 / 400) / math.sqrt(2)
    assert pytest.approx(expected, rel=0.06) == np.mean(means)


def test_a_single_trial_has_no_optimism():
    """Its accuracy in a resample is unbiased."""
    assert pytest.approx(0, abs=0.003) == statistics.optimism(np.arange(200)[np.newaxis] < 150).mean
