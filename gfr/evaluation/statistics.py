"""How far a measured figure may be off: intervals, tests, and what choosing the best flatters.

In: counts, or one value an image or a seed. Out: 95 % intervals, p-values, small records. The same
seed gives the same numbers. Never sees a model, an image or a file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtr, ndtri, stdtrit

_TAIL = 0.025

Z_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution

_NUM_MEANS = 4_000  # on 40,000 values below a second; chance moves an end by 2 % of the half width

_NUM_PAIRED = 100_000  # their cost does not grow with the images

_MOST_DRAWN = 2**19  # values held at once while resampling: 4 MB, within the cache


@dataclass(frozen=True)
class Spread:
    """Over repetitions: mean, standard deviation, Student interval `low` to `high`, extremes.

    `sd`, `low` and `high` are None of a single value, which says nothing about its spread.
    """

    num: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    least: float
    most: float


@dataclass(frozen=True)
class Optimism:
    """What choosing flatters, as a difference of accuracies, -1..1, over resamples of the images.

    The mean, and the bounds of the middle 95 % of resamples: what one test set may do, not how well
    the mean is known.
    """

    mean: float
    low: float
    high: float


def quantile_ranks(num_values: int, quantile: float) -> tuple[int, int] | None:
    """Ranks (from 1) of the ordered values that enclose a quantile with 95 % confidence, 0..1.

    Two-sided order-statistic interval without assumptions on the distribution, at most 2.5 % in
    either tail; None if so few values have none. Conover (1999), "Practical Nonparametric
    Statistics", section 3.2.
    """
    # B, the number of values below the quantile, is binomial: P(B <= k) for k = 0, 1, ...
    cumulative = bdtr(np.arange(num_values + 1), num_values, quantile)
    low = int(np.searchsorted(cumulative, _TAIL))  # largest rank with P(B < rank) <= 2.5 %
    high = int(np.searchsorted(cumulative, 1 - _TAIL)) + 1  # smallest with P(B >= rank) <= 2.5 %
    return (low, high) if 1 <= low and high <= num_values else None


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value, 0..1, that two classifiers err equally often on the same images.

    In: images that only the one and only the other gets right. Of these discordant pairs each is
    equally likely under the hypothesis: a binomial test with probability 1/2. McNemar (1947).
    """
    num_discordant = only_first + only_second
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), num_discordant, 0.5)))


def wilson(num_right: int, num_images: int) -> tuple[float, float]:
    """Two-sided 95 % score interval of a proportion, 0..1.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    p, z2 = num_right / num_images, Z_95**2 / num_images
    middle = (p + z2 / 2) / (1 + z2)
    half = math.sqrt(p * (1 - p) * z2 + z2**2 / 4) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(
    num_right: int, num_images: int, other_right: int, other_images: int
) -> tuple[float, float]:
    """Two-sided 95 % interval of the difference of two independent proportions, -1..1.

    The first minus the other, built of two Wilson intervals. Newcombe (1998), "Interval estimation
    for the difference between independent proportions", method 10.
    """
    p, other = num_right / num_images, other_right / other_images
    low, high = wilson(num_right, num_images)
    other_low, other_high = wilson(other_right, other_images)
    difference = p - other
    return (
        difference - math.hypot(p - low, other_high - other),
        difference + math.hypot(high - p, other - other_low),
    )


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """p-values (A,), 0..1 -> adjusted float64 (A,), 0..1, in the order given.

    Rejecting what lies below 5 % errs anywhere among the A with at most 5 %, however the tests
    depend on each other. Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


def over_seeds(values: Sequence[float] | np.ndarray) -> Spread:
    """One figure a seed, (S,) -> Spread. Student (1908): mean +- t sd / sqrt(S), S - 1 degrees.

    The interval is that of the mean over seeds, for figures near a normal distribution; it is not
    cut to 0..1, since losses come here too.
    """
    x = np.asarray(values, np.float64)
    mean, sd, half = float(np.mean(x)), None, None
    if len(x) > 1:
        sd = float(np.std(x, ddof=1))
        half = float(stdtrit(len(x) - 1, 1 - _TAIL)) * sd / math.sqrt(len(x))
    return Spread(
        num=len(x),
        mean=mean,
        sd=sd,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        least=float(np.min(x)),
        most=float(np.max(x)),
    )


def bootstrap_mean(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Two-sided 95 % interval of the mean of float (N,), without assuming a distribution.

    Bias-corrected and accelerated bootstrap, for losses have a long tail: a few images cost much.
    Efron (1987), "Better bootstrap confidence intervals"; the acceleration is the jackknife's,
    which for a mean is the skewness of the values over 6 sqrt(N).
    """
    x = np.asarray(values, np.float64)
    mean = x.mean()
    if np.all(x == x[0]):
        return float(mean), float(mean)
    means = _resampled_means(x, seed)
    away = x - mean
    acceleration = np.sum(away**3) / (6 * np.sum(away**2) ** 1.5)
    bias = ndtri((np.mean(means < mean) + np.mean(means <= mean)) / 2)
    z = bias + np.array([-Z_95, Z_95])
    low, high = np.quantile(means, ndtr(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def _resampled_means(values: np.ndarray, seed: int) -> np.ndarray:
    """Means of as many values drawn with replacement: float64 (N,) -> float64 (_NUM_MEANS,)."""
    rng = np.random.default_rng(seed)
    rows = max(1, _MOST_DRAWN // len(values))
    means = [
        values[rng.integers(len(values), size=(min(rows, _NUM_MEANS - done), len(values)))].mean(1)
        for done in range(0, _NUM_MEANS, rows)
    ]
    return np.concatenate(means)


def paired_difference(
    right_a: np.ndarray, right_b: np.ndarray, seed: int = 0
) -> tuple[float, float, float]:
    """Accuracy of a minus that of b on the same images, bool (N,) each, and its 95 % interval.

    Percentile bootstrap over images: Efron and Tibshirani (1993), "An introduction to the
    bootstrap", chapter 13. An image adds +1, -1 or 0, so that drawing N of them is drawing three
    multinomial counts: the very same law. No discordant image gives no width: that is the
    bootstrap's limit, not certainty.
    """
    num_images = len(right_a)
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(~right_a & right_b))
    shares = np.array([only_a, only_b, num_images - only_a - only_b]) / num_images
    drawn = np.random.default_rng(seed).multinomial(num_images, shares, size=_NUM_PAIRED)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / num_images, [_TAIL, 1 - _TAIL])
    return (only_a - only_b) / num_images, float(low), float(high)


def optimism(right: np.ndarray, seed: int = 0) -> Optimism:
    """bool (T, N), trial t answers image n rightly -> how much choosing the best of T flatters.

    Draw N images with replacement, choose the trial best on them, take its accuracy on them minus
    its accuracy on all N (the mean over those that tie). Bootstrap after Efron (1983), "Estimating
    the error rate of a prediction rule". Too small where trials differ by chance alone: the
    resamples take their differences for real, by about sqrt(2) if all T are equally good and
    independent.
    """
    num_images = right.shape[1]
    # Images that the same trials answer rightly are alike, so a resample is one multinomial draw.
    kinds, counts = np.unique(right.T, axis=0, return_counts=True)  # (K, T), (K,); K <= min(N, 2^T)
    kinds = kinds.astype(np.float64)  # whole numbers still, and BLAS multiplies them
    num_right = counts @ kinds
    rng = np.random.default_rng(seed)
    rows = max(1, _MOST_DRAWN // len(kinds))
    flattery = []
    for done in range(0, _NUM_MEANS, rows):
        size = min(rows, _NUM_MEANS - done)
        drawn = rng.multinomial(num_images, counts / num_images, size) @ kinds  # (size, T)
        best = drawn.max(axis=1)
        is_best = drawn == best[:, np.newaxis]
        flattery.append(best - is_best @ num_right / is_best.sum(axis=1))
    found = np.concatenate(flattery) / num_images
    low, high = np.quantile(found, [_TAIL, 1 - _TAIL])
    return Optimism(float(found.mean()), float(low), float(high))
