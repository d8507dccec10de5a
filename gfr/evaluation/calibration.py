"""Calibration of p_male, temperature scaling, and decision thresholds other than 0.5.

Inputs are logits of p_male, float (N,), and is_male, bool (N,) with images of both sexes, as every
split of a run has. Temperatures and thresholds are fitted on the validation split and evaluated on
the test split.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gfr.evaluation.metrics import THRESHOLD, metrics, probabilities
from gfr.evaluation.statistics import wilson
from gfr.types import Above0, Nats, Positive, Share

NUM_BINS = 10

MAX_TEMPERATURE = 20.0  # 1/20 is the minimum; a model that needs more is broken, not overconfident

THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))  # 0.5 is one of them


@dataclass(frozen=True)
class Bin:
    """Images with `least` <= p_male < `most`; the last bin includes 1. All values are 0..1.

    `share_male` is the true share of men, `low` to `high` its Wilson interval.
    """

    least: Share
    most: Share
    num_images: Positive
    mean_p_male: Share
    share_male: Share
    low: Share
    high: Share


@dataclass(frozen=True)
class Calibration:
    """The non-empty `bins`, `expected_error` (ECE) 0..1, `brier` 0..1, `loss` in nats."""

    bins: tuple[Bin, ...]
    expected_error: Share
    brier: Share
    loss: Nats


@dataclass(frozen=True)
class Temperature:
    """Divisor of the logits, above 1 for an overconfident model.

    `is_bound`: the loss has no minimum within the bounds.
    """

    value: Above0
    is_bound: bool


@dataclass(frozen=True)
class Point:
    """Results at one threshold: shares 0..1 of women classified as male, of men as female."""

    threshold: Share
    accuracy: Share
    false_male: Share
    false_female: Share


@dataclass(frozen=True)
class Choice:
    """One threshold on the split that it was chosen on, and on the test split."""

    validation: Point
    test: Point


@dataclass(frozen=True)
class Choices:
    """Thresholds: 0.5, that of the best validation accuracy, that of equal error rates."""

    usual: Choice
    best: Choice
    equal: Choice


def calibration(logits: np.ndarray, is_male: np.ndarray, temperature: float = 1.0) -> Calibration:
    """Measure the calibration of the logits divided by the temperature.

    Bins have equal width over p_male, not over the confidence, which shows a model that is
    overconfident for men only. ECE is the mean over images of |mean p_male - share of men| of their
    bin: Naeini, Cooper and Hauskrecht (2015), "Obtaining well calibrated probabilities using
    Bayesian binning".
    """
    from sklearn.metrics import brier_score_loss  # takes a second to import

    z = logits.astype(np.float64) / temperature
    p_male = probabilities(z)
    filled = bins(p_male, is_male)
    brier = float(brier_score_loss(is_male, p_male))
    return Calibration(filled, expected_error(filled), brier, metrics(z, is_male).loss)


def bins(p_male: np.ndarray, is_male: np.ndarray) -> tuple[Bin, ...]:
    """Sort images into bins of equal width over p_male, float (N,), 0..1; without empty ones."""
    index = np.minimum((p_male * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    numbers = np.unique(index).tolist()
    return tuple(_bin(k, p_male[index == k], is_male[index == k]) for k in numbers)


def expected_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error (ECE), 0..1; see `calibration`."""
    error = sum(row.num_images * abs(row.mean_p_male - row.share_male) for row in bins)
    return error / sum(row.num_images for row in bins)


def _bin(number: int, p_male: np.ndarray, is_male: np.ndarray) -> Bin:
    """Summarize the images of a non-empty bin."""
    num_images, num_male = len(is_male), int(is_male.sum())
    least, most = number / NUM_BINS, (number + 1) / NUM_BINS
    mean, share = float(p_male.mean()), num_male / num_images
    return Bin(least, most, num_images, mean, share, *wilson(num_male, num_images))


def temperature(logits: np.ndarray, is_male: np.ndarray) -> Temperature:
    """Fit the temperature with the lowest loss on validation logits.

    Scaling changes neither the order of the images nor the side of 0.5: Guo et al. (2017), "On
    calibration of modern neural networks". The loss has one minimum over log T. If the logits
    separate the sexes perfectly it lies at 0, if they do so in reverse at infinity; then the result
    is the bound.
    """
    from scipy.optimize import minimize_scalar  # takes half a second to import

    bound = math.log(MAX_TEMPERATURE)
    z = logits.astype(np.float64)

    def loss(log_t: float) -> float:
        return metrics(z / math.exp(log_t), is_male).loss

    log_t = minimize_scalar(loss, bounds=(-bound, bound), options={"xatol": 1e-6}).x
    is_bound = bool(bound - abs(log_t) < 1e-4)
    return Temperature(math.exp(math.copysign(bound, log_t) if is_bound else log_t), is_bound)


def points(logits: np.ndarray, is_male: np.ndarray) -> tuple[Point, ...]:
    """Evaluate each of THRESHOLDS."""
    p_male = probabilities(logits)
    return tuple(_point(threshold, p_male > threshold, is_male) for threshold in THRESHOLDS)


def _point(threshold: float, answer: np.ndarray, is_male: np.ndarray) -> Point:
    """Compare answers with labels, bool (N,) each."""
    shares = (answer == is_male, answer[~is_male], ~answer[is_male])
    return Point(threshold, *(float(share.mean()) for share in shares))


def choices(validation: tuple[Point, ...], test: tuple[Point, ...]) -> Choices:
    """Choose thresholds on the `points` of validation and report them on both splits.

    Among equally good thresholds the one nearest to 0.5 wins. Error rates are equal where the
    shares of women classified as male and of men classified as female differ least.
    """
    pairs = [Choice(*pair) for pair in zip(validation, test, strict=True)]
    pairs.sort(key=lambda pair: abs(pair.validation.threshold - THRESHOLD))
    best = max(pairs, key=lambda pair: pair.validation.accuracy)
    equal = min(pairs, key=lambda row: abs(row.validation.false_male - row.validation.false_female))
    return Choices(pairs[0], best, equal)
