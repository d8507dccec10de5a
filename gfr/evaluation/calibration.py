"""Does p_male mean what it says, and would another threshold than 0.5 answer better?

In: logits of p_male, float (N,), and is_male bool (N,). Out: frozen records of reliability, of the
temperature that mends it, and of thresholds. What is fitted or chosen is so on the validation split
alone; test images are only judged. Never sees a model, an image or a file.
"""

import math
from dataclasses import dataclass

import numpy as np

from gfr.evaluation.metrics import THRESHOLD, metrics, probabilities
from gfr.evaluation.statistics import wilson
from gfr.types import Above0, Nats, Positive, Share

NUM_BINS = 10

MOST_TEMPERATURE = 20.0  # and its inverse the least: past either, a model is broken, not too sure

THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))  # 0.5 is one of them


@dataclass(frozen=True)
class Bin:
    """Images with `least` <= p_male < `most` (the last bin includes 1): said and true share of men.

    `low` to `high` is the Wilson interval of `share_male`. All 0..1.
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
    """`bins` that hold images, `expected_error` (ECE) 0..1, `brier` 0..1, `loss` in nats."""

    bins: tuple[Bin, ...]
    expected_error: Share
    brier: Share
    loss: Nats


@dataclass(frozen=True)
class Temperature:
    """What to divide logits by: above 1 the model was too sure. `is_bound`: no optimum within."""

    value: Above0
    is_bound: bool


@dataclass(frozen=True)
class Point:
    """Answers at one threshold. Shares 0..1 of women answered male, of men answered female.

    None where a split has no images of that sex.
    """

    threshold: Share
    accuracy: Share
    false_male: Share | None
    false_female: Share | None


@dataclass(frozen=True)
class Choice:
    """One threshold on the split it was chosen on, and on the one it was not."""

    validation: Point
    test: Point


@dataclass(frozen=True)
class Choices:
    """The usual threshold, the one of the best validation accuracy, the one of equal error rates.

    `equal` is None where validation has one sex alone.
    """

    usual: Choice
    best: Choice
    equal: Choice | None


def calibration(logits: np.ndarray, is_male: np.ndarray, temperature: float = 1.0) -> Calibration:
    """float (N,), bool (N,) -> Calibration of the logits over the temperature.

    Bins of equal width over p_male, not over the confidence in the answer: a model too sure of men
    and not of women is seen. ECE is the mean over images of |mean p_male - share of men| of their
    bin: Naeini, Cooper and Hauskrecht (2015), "Obtaining well calibrated probabilities using
    Bayesian binning". Brier (1950) is the mean squared difference of p_male and 0 or 1.
    """
    z = logits.astype(np.float64) / temperature
    p_male = probabilities(z)
    place = np.minimum((p_male * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    bins = tuple(
        _bin(number, p_male[place == number], is_male[place == number])
        for number in np.unique(place).tolist()
    )
    error = sum(each.num_images * abs(each.mean_p_male - each.share_male) for each in bins)
    return Calibration(
        bins=bins,
        expected_error=error / len(z),
        brier=float(np.mean((p_male - is_male) ** 2)),
        loss=metrics(z, is_male).loss,
    )


def _bin(number: int, p_male: np.ndarray, is_male: np.ndarray) -> Bin:
    """The images of one bin, at least one."""
    num_images, num_male = len(is_male), int(is_male.sum())
    return Bin(
        number / NUM_BINS,
        (number + 1) / NUM_BINS,
        num_images,
        float(p_male.mean()),
        num_male / num_images,
        *wilson(num_male, num_images),
    )


def temperature(logits: np.ndarray, is_male: np.ndarray) -> Temperature:
    """Validation logits, float (N,), bool (N,) -> the temperature of the least loss.

    Platt scaling by one number, which leaves every answer at 0.5 and every rank as they are: Guo et
    al. (2017), "On calibration of modern neural networks". The loss has one minimum over log T.
    Where the logits separate the sexes it lies at 0, where they say the reverse at infinity: then
    the bound is given and named.
    """
    from scipy.optimize import minimize_scalar  # takes half a second; most commands fit nothing

    far = math.log(MOST_TEMPERATURE)
    z = logits.astype(np.float64)
    found = minimize_scalar(
        lambda log_t: metrics(z / math.exp(log_t), is_male).loss,
        bounds=(-far, far),
        method="bounded",
        options={"xatol": 1e-6},
    )
    is_bound = bool(far - abs(found.x) < 1e-4)
    return Temperature(math.exp(math.copysign(far, found.x) if is_bound else found.x), is_bound)


def points(logits: np.ndarray, is_male: np.ndarray) -> tuple[Point, ...]:
    """float (N,), bool (N,) -> one Point for each of THRESHOLDS."""
    p_male = probabilities(logits)
    num_male, num_female = int(is_male.sum()), int((~is_male).sum())
    found = []
    for threshold in THRESHOLDS:
        answer = p_male > threshold
        false_male, false_female = int((answer & ~is_male).sum()), int((~answer & is_male).sum())
        found.append(
            Point(
                threshold=threshold,
                accuracy=(len(p_male) - false_male - false_female) / len(p_male),
                false_male=false_male / num_female if num_female else None,
                false_female=false_female / num_male if num_male else None,
            )
        )
    return tuple(found)


def choices(validation: tuple[Point, ...], test: tuple[Point, ...]) -> Choices:
    """`points` of both splits -> the thresholds chosen on validation, and what they give on test.

    Of equally good ones that nearest to 0.5. Error rates are equal where the shares of women
    answered male and of men answered female differ least; on a grid that may be at its end.
    """
    pairs = [Choice(*pair) for pair in zip(validation, test, strict=True)]
    pairs.sort(key=lambda pair: abs(pair.validation.threshold - THRESHOLD))
    imbalances = [
        (abs(point.false_male - point.false_female), pair)
        for pair in pairs
        if (point := pair.validation).false_male is not None and point.false_female is not None
    ]
    return Choices(
        usual=pairs[0],
        best=max(pairs, key=lambda pair: pair.validation.accuracy),
        equal=min(imbalances, key=lambda each: each[0])[1] if imbalances else None,
    )
