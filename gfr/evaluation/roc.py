"""How well the logits rank men above women: ROC and precision-recall curves, and their areas.

In: logits of p_male, float (N,), and is_male bool (N,); "male" is the positive answer. Out: frozen
records, or None where one of the two sexes is missing. Logits rather than p_male, which rounds to 0
and 1 and so ties what the model told apart. Never draws, never sees a model or a file.
"""

import math
from dataclasses import dataclass

import numpy as np

from gfr.evaluation.statistics import Z_95
from gfr.types import Share

MOST_POINTS = 500  # a curve of 500 steps on a figure of 500 px looks like the whole curve


@dataclass(frozen=True)
class Roc:
    """Over all thresholds, from none answered "male" to all: share of the women and of the men.

    `area` 0..1 is the probability that a man's logit lies above a woman's, ties counting half. Its
    95 % interval is None where none can be estimated: fewer than two of a sex, a perfect
    separation, or equal logits alone.
    """

    false_male: tuple[Share, ...]
    true_male: tuple[Share, ...]
    area: Share
    low: Share | None
    high: Share | None


@dataclass(frozen=True)
class PrecisionRecall:
    """Over the same thresholds: share of the men found, and of the answers "male" that are right.

    It starts at recall 0 with precision 1 by convention. `average` is the average precision, 0..1.
    """

    recall: tuple[Share, ...]
    precision: tuple[Share, ...]
    average: Share


def roc(logits: np.ndarray, is_male: np.ndarray) -> Roc | None:
    """float (N,), bool (N,) -> the curve, thinned to MOST_POINTS, and its exact area."""
    if is_male.all() or not is_male.any():
        return None
    men, women = _answered_male(logits, is_male)
    false_male, true_male = _thinned(women / women[-1], men / men[-1])
    return Roc(false_male, true_male, *_area(logits[is_male], logits[~is_male]))


def precision_recall(logits: np.ndarray, is_male: np.ndarray) -> PrecisionRecall | None:
    """float (N,), bool (N,) -> the curve, thinned to MOST_POINTS, and its average precision.

    The average weighs the precision at each threshold by the recall won there, with nothing read
    in between: Davis and Goadrich (2006), "The relationship between precision-recall and ROC
    curves", on why lines between the points flatter.
    """
    if is_male.all() or not is_male.any():
        return None
    men, women = _answered_male(logits, is_male)
    recall = men / men[-1]
    precision = np.append(1.0, men[1:] / (men[1:] + women[1:]))
    average = float(np.sum(np.diff(recall) * precision[1:]))
    return PrecisionRecall(*_thinned(recall, precision), average)


def _answered_male(logits: np.ndarray, is_male: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Men and women at or above each distinct logit, falling: int (K + 1,) each, 0 first."""
    order = np.argsort(-logits)
    last = np.flatnonzero(np.append(np.diff(logits[order]) != 0, True))  # of each run of ties
    men = np.cumsum(is_male[order])[last]
    return np.append(0, men), np.append(0, last + 1 - men)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both ends and at most MOST_POINTS, evenly spaced along the way; all if they are as few.

    What is left out lies within one such step, and one image, of what is kept; the way is the sum
    of |dx| + |dy|.
    """
    if len(x) > MOST_POINTS:
        way = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], MOST_POINTS)))
        x, y = x[kept], y[kept]
    return tuple(x.tolist()), tuple(y.tolist())


def _area(men: np.ndarray, women: np.ndarray) -> tuple[float, float | None, float | None]:
    """Logits (M,) and (F,) -> area under the ROC curve and its 95 % interval, cut to 0..1.

    DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated
    receiver operating characteristic curves", by the midranks of Sun and Xu (2014), "Fast
    implementation of DeLong's algorithm": each man's share of women below him, and each woman's of
    men above her, are differences of ranks.
    """
    ranks = _midranks(np.concatenate([men, women]))
    women_below = (ranks[: len(men)] - _midranks(men)) / len(women)
    men_above = 1 - (ranks[len(men) :] - _midranks(women)) / len(men)
    area = float(np.mean(women_below))
    if min(len(men), len(women)) < 2:
        return area, None, None
    variance = np.var(women_below, ddof=1) / len(men) + np.var(men_above, ddof=1) / len(women)
    if variance == 0:
        return area, None, None
    half = Z_95 * math.sqrt(variance)
    return area, max(0.0, area - half), min(1.0, area + half)


def _midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, the mean rank where values tie: float64 (N,)."""
    _, kind, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[kind]
