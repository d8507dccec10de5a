"""Groups counted by hand, and tests by their formulas."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from gfr.evaluation import subgroups
from gfr.evaluation.statistics import wilson

# Men right, men wrong, women right, women wrong, of the images with Eyeglasses and without.
HAVING, LACKING = (20, 4, 6, 10), (30, 5, 60, 5)


def table(*groups):
    """Logits, is_male and group number of as many images, in a shuffled order."""
    rows = [
        (logit, is_male, number)
        for number, counts in enumerate(groups)
        for count, (logit, is_male) in zip(
            counts, [(2.0, True), (-1.0, True), (-2.0, False), (1.0, False)], strict=True
        )
        for _ in range(count)
    ]
    np.random.default_rng(0).shuffle(rows)
    logits, is_male, number = np.array(rows).T
    return logits, is_male.astype(bool), number.astype(int)


def fisher(right, wrong, other_right, other_wrong):
    """Two-sided p-value: sum over all tables with these margins that are at most as likely."""
    num, other = right + wrong, other_right + other_wrong
    total = right + other_right
    ways = [
        math.comb(num, k) * math.comb(other, total - k) if 0 <= total - k <= other else 0
        for k in range(num + 1)
    ]
    return sum(way for way in ways if way <= ways[right]) / math.comb(num + other, total)


def test_a_gap_by_hand():
    """26 of 40 right with Eyeglasses, 90 of 100 without; each rate with its own images."""
    logits, is_male, group = table(HAVING, LACKING)
    found = subgroups.subgroups(logits, is_male, pd.DataFrame({"Eyeglasses": group == 0}))
    (gap,) = found.gaps
    assert (
        subgroups.Group(
            40,
            24,
            subgroups.Rate(26, 40, 0.65, *wilson(26, 40)),
            subgroups.Rate(10, 16, 0.625, *wilson(10, 16)),
            subgroups.Rate(4, 24, 4 / 24, *wilson(4, 24)),
        )
        == gap.having
    )
    assert (100, 35, 90) == (
        gap.lacking.num_images,
        gap.lacking.num_male,
        gap.lacking.accuracy.num,
    )
    assert pytest.approx(-0.25) == gap.difference
    assert pytest.approx(((5 / 65 - 10 / 16) + (5 / 35 - 4 / 24)) / 2) == gap.at_equal_shares
    assert pytest.approx(fisher(26, 14, 90, 10)) == gap.p_value == gap.p_holm
    assert gap.low < -0.25 < gap.high < 0


def test_within_each_sex_the_test_is_mantel_and_haenszels():
    """Squared excess of errors over its variance, summed over the sexes; 4 of 24 and 5 of 35 men.

    Mantel and Haenszel (1959); where sex explains the whole gap, the p-value is 1.
    """
    logits, is_male, group = table(HAVING, LACKING)
    (gap,) = subgroups.subgroups(logits, is_male, pd.DataFrame({"Eyeglasses": group == 0})).gaps
    excess = (4 - 24 * 9 / 59) + (10 - 16 * 15 / 81)
    variance = 24 * 35 * 9 * 50 / (59**2 * 58) + 16 * 65 * 15 * 66 / (81**2 * 80)
    expected = math.erfc(math.sqrt(excess**2 / variance / 2))  # chi-squared, 1 degree of freedom
    assert pytest.approx(expected, rel=1e-9) == gap.p_within_sex
    # Nine of ten women right, one of two men; most women wear lipstick.
    logits, is_male, group = table((2, 2, 90, 10), (48, 48, 45, 5))
    (gap,) = subgroups.subgroups(logits, is_male, pd.DataFrame({"Lipstick": group == 0})).gaps
    assert gap.p_value < 0.001
    assert pytest.approx(1.0) == gap.p_within_sex


def test_error_rates_agree_with_scikit_learn():
    """One minus the recall of the other sex, over random answers."""
    rng = np.random.default_rng(0)
    logits, is_male, has = rng.normal(size=500), rng.random(500) < 0.4, rng.random(500) < 0.3
    attributes = pd.DataFrame({"Young": has}, index=[f"{n}.jpg" for n in range(500)])
    (gap,) = subgroups.subgroups(logits, is_male, attributes).gaps
    for mask, group in ((has, gap.having), (~has, gap.lacking)):
        truth, answer = is_male[mask], logits[mask] > 0
        assert pytest.approx(1 - recall_score(~truth, ~answer)) == group.false_male.share
        assert pytest.approx(1 - recall_score(truth, answer)) == group.false_female.share


def test_the_largest_gap_is_first_and_p_values_are_adjusted():
    """Three attributes without Male are compared: the smallest p-value is multiplied by 3."""
    logits, is_male, group = table(HAVING, LACKING)
    rng = np.random.default_rng(1)
    attributes = pd.DataFrame(
        {
            "Smiling": rng.random(140) < 0.5,
            "Male": is_male,
            "No_Eyeglasses": group == 1,
            "Young": rng.random(140) < 0.5,
        }
    )
    gaps = subgroups.subgroups(logits, is_male, attributes).gaps
    assert "No_Eyeglasses" == gaps[0].attribute
    assert {"Smiling", "Young"} == {gap.attribute for gap in gaps[1:]}
    assert abs(gaps[1].difference) >= abs(gaps[2].difference)
    assert pytest.approx(3 * fisher(90, 10, 26, 14)) == gaps[0].p_holm


def test_small_groups_are_left_out_and_named():
    """29 images with or without an attribute are too few; 30 are enough."""
    logits, is_male, _ = table(HAVING, LACKING)
    number = np.arange(140)
    attributes = pd.DataFrame(
        {"Bald": number < 29, "Blurry": number < 30, "Young": number >= 29, "Sideburns": number < 0}
    )
    found = subgroups.subgroups(logits, is_male, attributes)
    assert ["Blurry"] == [gap.attribute for gap in found.gaps]
    assert (
        subgroups.LeftOut("Bald", 29, 111),
        subgroups.LeftOut("Young", 111, 29),
        subgroups.LeftOut("Sideburns", 0, 140),
    ) == found.left_out


def test_a_group_of_one_sex_has_one_error_rate():
    """No men wear makeup here: no error rate for men, no gap at equal shares, no warning."""
    logits, is_male, group = table((0, 0, 28, 2), LACKING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = subgroups.subgroups(logits, is_male, pd.DataFrame({"Heavy_Makeup": group == 0}))
    (gap,) = found.gaps
    assert gap.having.false_female is gap.at_equal_shares is None
    assert 2 / 30 == gap.having.false_male.share


def test_nothing_to_compare_is_not_an_error():
    """Fewer than thirty images in all."""
    found = subgroups.subgroups(
        np.ones(3), np.ones(3, bool), pd.DataFrame({"Young": np.ones(3, bool)})
    )
    assert () == found.gaps
