"""ROC and precision-recall curves of the logits of p_male, and the areas below them.

Inputs are logits, float (N,), and is_male, bool (N,) with images of both sexes, as every split of a
run has; "male" is the positive class. Curves are computed from logits, because p_male rounds to 0
and 1 and would create ties.
"""

import math
from dataclasses import dataclass

import numpy as np

from gfr.evaluation.statistics import Z_95
from gfr.types import Share

MAX_POINTS = 500  # on a figure of 500 px, a curve of 500 points looks like the whole curve


@dataclass(frozen=True)
class Roc:
    """Shares of the women and of the men classified as male, over all thresholds.

    `area` 0..1 is the probability that a man has a higher logit than a woman, where ties count
    half. `low` and `high`, its 95% interval, are None with fewer than two women or men, and where
    the sample variance is 0: perfect separation, or equal logits.
    """

    false_male: tuple[Share, ...]
    true_male: tuple[Share, ...]
    area: Share
    low: Share | None
    high: Share | None


@dataclass(frozen=True)
class PrecisionRecall:
    """Recall and precision of "male", from the highest threshold to the lowest.

    The curve starts at recall 0 with precision 1 by convention. `average` is the average precision,
    0..1.
    """

    recall: tuple[Share, ...]
    precision: tuple[Share, ...]
    average: Share


def roc(logits: np.ndarray, is_male: np.ndarray) -> Roc:
    """Return the curve, thinned to MAX_POINTS, and its exact area."""
    from sklearn.metrics import roc_curve

    false_male, true_male, _ = roc_curve(is_male, logits, drop_intermediate=False)
    area, low, high = _area(logits[is_male], logits[~is_male])
    return Roc(*_thinned(false_male, true_male), area, low, high)


def precision_recall(logits: np.ndarray, is_male: np.ndarray) -> PrecisionRecall:
    """Return the curve, thinned to MAX_POINTS, and its average precision.

    The average is a sum over thresholds without interpolation, which would overestimate it: Davis
    and Goadrich (2006), "The relationship between precision-recall and ROC curves".
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, _ = precision_recall_curve(is_male, logits)
    average = float(average_precision_score(is_male, logits))
    return PrecisionRecall(*_thinned(recall[::-1], precision[::-1]), average)


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Keep both ends and at most MAX_POINTS, evenly spaced by the distance |dx| + |dy|.

    A point left out is at most one such step and one image away from a point kept.
    """
    if len(x) > MAX_POINTS:
        distance = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        kept = np.unique(np.searchsorted(distance, np.linspace(0, distance[-1], MAX_POINTS)))
        x, y = x[kept], y[kept]
    return tuple(x.tolist()), tuple(y.tolist())


def _area(men: np.ndarray, women: np.ndarray) -> tuple[float, float | None, float | None]:
    """Return the area under the ROC curve of logits (M,) and (F,) and its 95% interval in 0..1.

    DeLong, DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated
    receiver operating characteristic curves", by the midranks of Sun and Xu (2014), "Fast
    implementation of DeLong's algorithm": the share of women below each man, and of men above each
    woman, are differences of ranks.
    """
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([men, women]))
    women_below = (ranks[: len(men)] - rankdata(men)) / len(women)
    men_above = 1 - (ranks[len(men) :] - rankdata(women)) / len(men)
    area = float(np.mean(women_below))
    if min(len(men), len(women)) < 2:
        return area, None, None
    variance = np.var(women_below, ddof=1) / len(men) + np.var(men_above, ddof=1) / len(women)
    if variance == 0:
        return area, None, None
    half = Z_95 * math.sqrt(variance)
    return area, max(0.0, area - half), min(1.0, area + half)
