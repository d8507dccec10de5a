"""Statistics for reports: confidence intervals, significance tests, selection bias.

Inputs are counts, or one value per image or seed; outputs are 95% intervals, p-values and small
records. The same seed gives the same numbers. statsmodels and scipy.stats take about a second to
import, so functions import them when called.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

ALPHA = 0.05  # of all tests that are adjusted together

_TAIL = 0.025

Z_95 = 1.959963984540054  # 97.5% quantile of the standard normal distribution

_NUM_MEANS = 4_000  # below a second for 40,000 values; resampling moves a bound by 2% of the width

_NUM_PAIRED = 100_000  # their cost does not grow with the number of images

_MAX_DRAWN = 2**19  # values in memory at once while resampling: 4 MB, which fits the cache


@dataclass(frozen=True)
class Spread:
    """Mean, standard deviation, Student interval `low` to `high` and extremes over repetitions.

    `sd`, `low` and `high` are None for a single value.
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
    """Overestimate from selecting and testing on the same images: difference of accuracies, -1..1.

    `mean`, and the bounds of the middle 95% of the resamples: the range for a single test set, not
    the uncertainty of the mean.
    """

    mean: float
    low: float
    high: float


def quantile_ranks(num_values: int, quantile: float) -> tuple[int, int] | None:
    """Return the ranks (from 1) of the ordered values that enclose a quantile with 95% confidence.

    Two-sided order-statistic interval with at most 2.5% in either tail, for any distribution; None
    for too few values. Conover (1999), "Practical Nonparametric Statistics", section 3.2.
    """
    from scipy.stats import binom

    # The number of values below the quantile is binomial.
    low, high = binom.ppf([_TAIL, 1 - _TAIL], num_values, quantile)
    return (int(low), int(high) + 1) if low >= 1 and high < num_values else None


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value that two classifiers err equally often. McNemar (1947).

    Args:
        only_first: images that only the first classifier gets right.
        only_second: images that only the second one gets right.
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact_test

    return float(exact_test([[0, only_first], [only_second, 0]], exact=True).pvalue)


def wilson(num_right: int, num_images: int) -> tuple[float, float]:
    """Return the two-sided 95% score interval of a proportion, 0..1. Wilson (1927)."""
    from statsmodels.stats.proportion import proportion_confint

    return proportion_confint(num_right, num_images, method="wilson")


def newcombe(
    num_right: int, num_images: int, other_right: int, other_images: int
) -> tuple[float, float]:
    """Return the 95% interval of the first minus the second of two independent proportions.

    Newcombe (1998), "Interval estimation for the difference between independent proportions",
    method 10.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    counts = num_right, num_images, other_right, other_images
    low, high = confint_proportions_2indep(*counts, method="newcomb")
    return float(low), float(high)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust p-values for multiple tests: (A,), 0..1 -> float64 (A,), 0..1, in the same order.

    Holm (1979), "A simple sequentially rejective multiple test procedure". Valid for dependent
    tests. Not statsmodels' function, which collects Python's garbage at each call: 0.1 s and more.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order])
    return np.minimum(adjusted, 1)


def over_seeds(values: Sequence[float] | np.ndarray) -> Spread:
    """Summarize one value per seed, (S,). The interval of the mean is Student's (1908).

    It is not clipped to 0..1, because it is also used for losses.
    """
    x = np.asarray(values, np.float64)
    mean, sd, low, high = float(np.mean(x)), None, None, None
    if len(x) > 1:
        sd = float(np.std(x, ddof=1))
        half = float(stdtrit(len(x) - 1, 1 - _TAIL)) * sd / math.sqrt(len(x))
        low, high = mean - half, mean + half
    return Spread(len(x), mean, sd, low, high, float(np.min(x)), float(np.max(x)))


def bootstrap_mean(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the two-sided 95% interval of the mean of float (N,).

    Bias-corrected and accelerated bootstrap, because a few images have very large losses. Efron
    (1987), "Better bootstrap confidence intervals". The acceleration is the jackknife's in closed
    form: for a mean it is the skewness of the values over 6 sqrt(N).
    """
    x = np.asarray(values, np.float64)
    mean = x.mean()
    if np.all(x == x[0]):
        return float(mean), float(mean)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [x[rng.integers(len(x), size=(num, len(x)))].mean(1) for num in _chunks(len(x))]
    )
    deviations = x - mean
    acceleration = np.sum(deviations**3) / (6 * np.sum(deviations**2) ** 1.5)
    bias = ndtri((np.mean(means < mean) + np.mean(means <= mean)) / 2)
    z = bias + np.array([-Z_95, Z_95])
    low, high = np.quantile(means, ndtr(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def _chunks(num_columns: int) -> Iterator[int]:
    """Yield numbers of resamples, _NUM_MEANS in all, that fit into memory together."""
    size = max(1, _MAX_DRAWN // num_columns)
    for start in range(0, _NUM_MEANS, size):
        yield min(size, _NUM_MEANS - start)


def paired_difference(
    right_a: np.ndarray, right_b: np.ndarray, seed: int = 0
) -> tuple[float, float, float]:
    """Return accuracy of a minus that of b on the same images, bool (N,), and its 95% interval.

    Percentile bootstrap over images: Efron and Tibshirani (1993), "An introduction to the
    bootstrap", chapter 13. Each image contributes +1, -1 or 0, so a resample is a draw of three
    multinomial counts. Without discordant images the bootstrap interval has no width.
    """
    num_images = len(right_a)
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(~right_a & right_b))
    shares = np.array([only_a, only_b, num_images - only_a - only_b]) / num_images
    drawn = np.random.default_rng(seed).multinomial(num_images, shares, size=_NUM_PAIRED)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / num_images, [_TAIL, 1 - _TAIL])
    return (only_a - only_b) / num_images, float(low), float(high)


def optimism(right: np.ndarray, seed: int = 0) -> Optimism:
    """Estimate how much selecting the best trial on the test set would overestimate its accuracy.

    Draw N images with replacement, select the best trial on them, and subtract its accuracy on all
    N images from that on the drawn ones; ties are averaged. Efron (1983), "Estimating the error
    rate of a prediction rule". Too small by about sqrt(2) if all T trials are equally good and
    independent.

    Args:
        right: bool (T, N), whether trial t classifies image n correctly.
        seed: seed of the resampling.
    """
    num_images = right.shape[1]
    # Images with the same column are interchangeable, so a resample is one multinomial draw.
    columns, counts = np.unique(right.T, axis=0, return_counts=True)  # (K, T), K <= min(N, 2^T)
    columns = columns.astype(np.float64)  # BLAS multiplies floats; the numbers stay whole
    num_right = counts @ columns
    rng = np.random.default_rng(seed)
    excess = []
    for num in _chunks(len(columns)):
        drawn = rng.multinomial(num_images, counts / num_images, num) @ columns  # (num, T)
        best = drawn.max(axis=1)
        is_best = drawn == best[:, np.newaxis]
        excess.append(best - is_best @ num_right / is_best.sum(axis=1))
    differences = np.concatenate(excess) / num_images
    low, high = np.quantile(differences, [_TAIL, 1 - _TAIL])
    return Optimism(float(differences.mean()), float(low), float(high))
