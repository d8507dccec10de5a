"""Intervals of what was counted.

In: counts. Out: intervals 0..1. Pure functions of numbers: never see a model, an image or a file.
"""

import math

_Z_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


def wilson(num_right: int, num_images: int) -> tuple[float, float]:
    """Two-sided 95 % score interval of a proportion, 0..1.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    p, z2 = num_right / num_images, _Z_95**2 / num_images
    middle = (p + z2 / 2) / (1 + z2)
    half = math.sqrt(p * (1 - p) * z2 + z2**2 / 4) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)
