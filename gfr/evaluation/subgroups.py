"""Error rates with and without each of CelebA's attributes.

Inputs are logits of p_male, float (N,), is_male, bool (N,), and attributes, bool (N, A), of the
same images. An attribute is what an annotator saw in a picture, not what a person is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gfr.evaluation.metrics import THRESHOLD, probabilities
from gfr.evaluation.statistics import holm, newcombe, wilson
from gfr.types import Count, Positive, Share

SEX = "Male"  # the label, which is not compared

LEAST_IMAGES = 30  # with fewer, the interval of an accuracy of 90% is wider than 22 points


@dataclass(frozen=True)
class Rate:
    """`num` of `num_images`, as a share 0..1 with its 95% Wilson interval."""

    num: Count
    num_images: Positive
    share: Share
    low: Share
    high: Share


@dataclass(frozen=True)
class Group:
    """Images with, or without, an attribute: accuracy, and errors for women and for men.

    A rate is None if the group has no images of that sex.
    """

    num_images: Positive
    num_male: Count
    accuracy: Rate
    false_male: Rate | None
    false_female: Rate | None


@dataclass(frozen=True)
class Gap:
    """One attribute: `difference` is accuracy with it minus without it, -1..1, with 95% interval.

    `p_value` is from a two-sided exact test, `p_within_sex` from a test that compares men with men
    and women with women; `_holm` are the same, adjusted for the number of attributes.
    """

    attribute: str
    having: Group
    lacking: Group
    difference: float
    low: float
    high: float
    p_value: Share
    p_holm: Share
    p_within_sex: Share
    p_within_sex_holm: Share

    @property
    def at_equal_shares(self) -> float | None:
        """Return the difference if both groups were half men, half women (direct standardization).

        The mean over the sexes of the difference in error rates, which removes the effect of
        unequal shares of men; None if a group lacks a sex.
        """
        gaps = [first.share - second.share for first, second in _by_sex(self.lacking, self.having)]
        return sum(gaps) / 2 if len(gaps) == 2 else None


@dataclass(frozen=True)
class LeftOut:
    """An attribute that fewer than LEAST_IMAGES images have, or do not have."""

    attribute: str
    num_having: Count
    num_lacking: Count


@dataclass(frozen=True)
class Subgroups:
    """Gaps, largest absolute difference first, and attributes left out, in the table's order."""

    gaps: tuple[Gap, ...]
    left_out: tuple[LeftOut, ...]


def subgroups(logits: np.ndarray, is_male: np.ndarray, attributes: pd.DataFrame) -> Subgroups:
    """Compare the images with each attribute to those without it.

    Fisher's exact test, because groups may be small and errors few: Fisher (1935), "The logic of
    inductive inference".
    """
    answer = probabilities(logits) > THRESHOLD
    compared, left_out = {}, []
    for name in attributes.columns.drop(SEX, errors="ignore"):
        has = attributes[name].to_numpy(bool)
        num_having = int(has.sum())
        num_lacking = len(has) - num_having
        if min(num_having, num_lacking) < LEAST_IMAGES:
            left_out.append(LeftOut(name, num_having, num_lacking))
        else:
            compared[name] = _groups(answer, is_male, has)
    exact = [_p_value(*groups) for groups in compared.values()]
    within = [p_within_sex(*groups) for groups in compared.values()]
    columns = exact, holm(exact).tolist(), within, holm(within).tolist()
    rows = zip(compared.items(), zip(*columns, strict=True), strict=True)
    gaps = [_gap(name, *groups, p_values) for (name, groups), p_values in rows]
    gaps.sort(key=lambda gap: (-abs(gap.difference), gap.attribute))
    return Subgroups(tuple(gaps), tuple(left_out))


def _groups(answer: np.ndarray, is_male: np.ndarray, has: np.ndarray) -> tuple[Group, Group]:
    """Return the group with an attribute and the one without, from bool (N,) each."""
    from fairlearn.metrics import MetricFrame  # takes a second to import

    frame = MetricFrame(metrics=_group, y_true=is_male, y_pred=answer, sensitive_features=has)
    return frame.by_group[True], frame.by_group[False]


def _group(is_male: np.ndarray, answer: np.ndarray) -> Group:
    """Summarize the labels and answers of one group, bool (n,) each, as fairlearn passes them."""
    num_images, num_male = len(is_male), int(is_male.sum())
    false_male, false_female = int((answer & ~is_male).sum()), int((~answer & is_male).sum())
    num_right, num_female = num_images - false_male - false_female, num_images - num_male
    return Group(
        num_images,
        num_male,
        accuracy=_rate(num_right, num_images),
        false_male=_rate(false_male, num_female) if num_female else None,
        false_female=_rate(false_female, num_male) if num_male else None,
    )


def _rate(num: int, num_images: int) -> Rate:
    return Rate(num, num_images, num / num_images, *wilson(num, num_images))


def _gap(name: str, having: Group, lacking: Group, p_values: Sequence[float]) -> Gap:
    """Compare the two groups of one attribute; `p_values` in the order of Gap."""
    first, second = having.accuracy, lacking.accuracy
    low, high = newcombe(first.num, first.num_images, second.num, second.num_images)
    return Gap(name, having, lacking, first.share - second.share, low, high, *p_values)


def _p_value(having: Group, lacking: Group) -> float:
    """Test that both groups have the same accuracy."""
    from scipy.stats import fisher_exact  # takes a second to import

    return min(1.0, float(fisher_exact(_table(having.accuracy, lacking.accuracy)).pvalue))


def p_within_sex(having: Group, lacking: Group) -> float:
    """Test that errors are equally frequent with and without the attribute within each sex.

    Mantel and Haenszel (1959), "Statistical aspects of the analysis of data from retrospective
    studies of disease", without continuity correction: removes the effect of unequal shares of
    men. 1 if neither sex has both groups, and both errors and correct answers.
    """
    from statsmodels.stats.contingency_tables import StratifiedTable  # takes a second to import

    tables = [_table(*rates) for rates in _by_sex(having, lacking)]
    tables = [table for table in tables if table.sum(axis=0).all()]
    return float(StratifiedTable(tables).test_null_odds().pvalue) if tables else 1.0


def _by_sex(group: Group, other: Group) -> list[tuple[Rate, Rate]]:
    """Return the error rates of both groups for women and for men, if both have them."""
    pairs = (group.false_male, other.false_male), (group.false_female, other.false_female)
    return [(first, second) for first, second in pairs if first and second]


def _table(having: Rate, lacking: Rate) -> np.ndarray:
    """Return the contingency table of two rates: int (2, 2)."""
    return np.array([[rate.num, rate.num_images - rate.num] for rate in (having, lacking)])
