"""Intervals of what was counted.

In: counts. Out: intervals 0..1. Pure functions of numbers: never see a model, an image or a file.
"""

import math

import numpy as np
from scipy.special import bdtr

_TAIL = 0.025
_Z_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


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
    p, z2 = num_right / num_images, _Z_95**2 / num_images
    middle = (p + z2 / 2) / (1 + z2)
    half = math.sqrt(p * (1 - p) * z2 + z2**2 / 4) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)
