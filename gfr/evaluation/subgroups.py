"""Where the answers are worse: error rates with and without each of CelebA's attributes.

In: logits of p_male, float (N,), is_male bool (N,), attributes bool (N, A) of the same images. Out:
frozen records, the largest gap in accuracy first. An attribute is what an annotator saw in a
picture, not what a person is. Never explains a gap, never sees a model, an image or a file.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from gfr.evaluation.metrics import THRESHOLD, probabilities
from gfr.evaluation.statistics import holm, newcombe, wilson
from gfr.types import Count, Positive, Share

SEX = "Male"  # the answer itself, not an attribute beside it

LEAST_IMAGES = 30  # of fewer, the interval of an accuracy of 90 % is wider than 22 points


@dataclass(frozen=True)
class Rate:
    """`num` of `num_images`, as a share 0..1 with its 95 % Wilson interval."""

    num: Count
    num_images: Positive
    share: Share
    low: Share
    high: Share


@dataclass(frozen=True)
class Group:
    """Images alike in one attribute: right answers, women answered male, men answered female.

    A rate is None where the group has no images of that sex.
    """

    num_images: Positive
    num_male: Count
    accuracy: Rate
    false_male: Rate | None
    false_female: Rate | None


@dataclass(frozen=True)
class Gap:
    """One attribute. `difference`: accuracy with it minus without, -1..1, and its 95 % interval.

    `p_value` is of a two-sided exact test, `p_within_sex` of one that compares men with men and
    women with women; `_holm` the same adjusted for all attributes compared.
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
        """The difference if both groups were half men, half women; None where a sex is missing.

        The mean over the sexes of the difference in error rates: direct standardisation. It takes
        away what is due to the groups' unequal shares of men, and nothing else.
        """
        having, lacking = _mean_error(self.having), _mean_error(self.lacking)
        return None if having is None or lacking is None else lacking - having


@dataclass(frozen=True)
class LeftOut:
    """An attribute that fewer than LEAST_IMAGES images have, or lack."""

    attribute: str
    num_having: Count
    num_lacking: Count


@dataclass(frozen=True)
class Subgroups:
    """Gaps, the largest first whatever its sign, and what was left out, in the table's order."""

    gaps: tuple[Gap, ...]
    left_out: tuple[LeftOut, ...]


def subgroups(logits: np.ndarray, is_male: np.ndarray, attributes: pd.DataFrame) -> Subgroups:
    """float (N,), bool (N,), bool (N, A), row for row -> Subgroups.

    Fisher's exact test of right and wrong answers, with against without: Fisher (1935), "The logic
    of inductive inference"; exact, since groups may be small and errors few.
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
    tests = (
        [_p_value(*groups) for groups in compared.values()],
        [p_within_sex(*groups) for groups in compared.values()],
    )
    gaps = [
        _gap(name, *compared[name], row)
        for name, *row in zip(
            compared,
            *(column for p_values in tests for column in (p_values, holm(p_values).tolist())),
            strict=True,
        )
    ]
    return Subgroups(
        tuple(sorted(gaps, key=lambda gap: (-abs(gap.difference), gap.attribute))), tuple(left_out)
    )


def _groups(answer: np.ndarray, is_male: np.ndarray, has: np.ndarray) -> tuple[Group, Group]:
    """Answers of the images with an attribute and of those without: bool (N,) each."""
    from fairlearn.metrics import MetricFrame  # takes a second; most commands compare nothing

    frame = MetricFrame(metrics=_group, y_true=is_male, y_pred=answer, sensitive_features=has)
    return frame.by_group[True], frame.by_group[False]


def _group(is_male: np.ndarray, answer: np.ndarray) -> Group:
    """What fairlearn asks of a metric: truth and answer of one group, bool (n,) each."""
    num_images, num_male = len(is_male), int(is_male.sum())
    false_male, false_female = int((answer & ~is_male).sum()), int((~answer & is_male).sum())
    num_right = num_images - false_male - false_female
    return Group(
        num_images=num_images,
        num_male=num_male,
        accuracy=Rate(
            num_right, num_images, num_right / num_images, *wilson(num_right, num_images)
        ),
        false_male=_rate(false_male, num_images - num_male),
        false_female=_rate(false_female, num_male),
    )


def _rate(num: int, num_images: int) -> Rate | None:
    """None of no images."""
    if num_images == 0:
        return None
    return Rate(num, num_images, num / num_images, *wilson(num, num_images))


def _gap(name: str, having: Group, lacking: Group, p_values: list[float]) -> Gap:
    """The two groups of one attribute, compared; `p_values` as Gap has them."""
    ours, others = having.accuracy, lacking.accuracy
    low, high = newcombe(ours.num, ours.num_images, others.num, others.num_images)
    return Gap(name, having, lacking, ours.share - others.share, low, high, *p_values)


def _p_value(having: Group, lacking: Group) -> float:
    """That right answers are equally frequent in both groups, 0..1."""
    from scipy.stats import fisher_exact  # takes a second

    table = [
        [group.accuracy.num, group.num_images - group.accuracy.num] for group in (having, lacking)
    ]
    return min(1.0, float(fisher_exact(table).pvalue))


def p_within_sex(having: Group, lacking: Group) -> float:
    """That errors are equally frequent with and without the attribute in each sex, 0..1.

    Mantel and Haenszel (1959), "Statistical aspects of the analysis of data from retrospective
    studies of disease", without correction for continuity: what is due to the groups' unequal
    shares of men is taken away. 1 where no sex can tell.
    """
    excess = variance = 0.0
    for with_it, without in (
        (having.false_male, lacking.false_male),
        (having.false_female, lacking.false_female),
    ):
        if with_it is None or without is None:
            continue
        num, total = with_it.num_images, with_it.num_images + without.num_images
        wrong = with_it.num + without.num
        excess += with_it.num - num * wrong / total
        if total > 1:
            variance += num * (total - num) * wrong * (total - wrong) / (total**2 * (total - 1))
    return float(chdtrc(1, excess**2 / variance)) if variance else 1.0


def _mean_error(group: Group) -> float | None:
    """Mean of the two error rates, 0..1."""
    if group.false_male is None or group.false_female is None:
        return None
    return (group.false_male.share + group.false_female.share) / 2
