"""Splits by identity and subsets; the random split is in test_dataset.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gfr.data import splits as data_splits
from gfr.data.dataset import Faces
from gfr.errors import InputError

# 300 people: every third has five images, the others one.
IDENTITY = np.repeat(np.arange(300), [5 if k % 3 == 0 else 1 for k in range(300)])
IS_MALE = IDENTITY % 2 == 0
NAMES = [f"{i:06}.jpg" for i in range(len(IDENTITY))]
FRACTIONS = (0.2, 0.2)
FACES = Faces(Path(), pd.DataFrame({"identity": IDENTITY, "Male": IS_MALE}, NAMES))


def test_nobody_is_in_two_splits():
    """By identity: shares within one identity of a class; by chance: people in several splits."""
    splits = data_splits.by_rule("identity", FACES, FRACTIONS, 1)
    for people in (IDENTITY[IS_MALE], IDENTITY[~IS_MALE]):
        where = splits[np.isin(IDENTITY, people)]
        for name, share in (("test", 0.2), ("validation", 0.2), ("train", 0.6)):
            assert pytest.approx(share * len(people), abs=5) == np.sum(where == name)
    assert 300 == sum(len(set(IDENTITY[splits == name])) for name in set(splits))
    by_chance = data_splits.by_rule("random", FACES, FRACTIONS, 1)
    assert 300 < sum(len(set(IDENTITY[by_chance == name])) for name in set(by_chance))


def test_the_split_does_not_depend_on_the_order():
    """Rows in reverse: each image where it was; another seed: elsewhere."""
    splits = data_splits.split_identities(IDENTITY, IS_MALE, FRACTIONS, 1)
    backwards = data_splits.split_identities(IDENTITY[::-1], IS_MALE[::-1], FRACTIONS, 1)
    assert splits.tolist() == backwards[::-1].tolist()
    other = data_splits.split_identities(IDENTITY, IS_MALE, FRACTIONS, 2)
    assert splits.tolist() != other.tolist()


def test_the_official_partition_is_the_split():
    """0, 1 and 2 are CelebA's numbers; seed and fractions change nothing."""
    faces = replace(FACES, table=FACES.table.assign(partition=np.arange(len(NAMES)) % 3))
    splits = data_splits.by_rule("official", faces, FRACTIONS, 1)
    assert ["train", "validation", "test", "train"] == splits[:4].tolist()
    assert splits.tolist() == data_splits.by_rule("official", faces, (0.5, 0.1), 2).tolist()


def test_a_rule_without_what_it_needs_is_rejected():
    """One line that says which file is missing, or which number is unknown."""
    with pytest.raises(InputError, match=r"identity_CelebA\.txt"):
        data_splits.by_rule("identity", replace(FACES, table=FACES.table[["Male"]]), FRACTIONS, 1)
    with pytest.raises(InputError, match=r"needs list_eval_partition\.txt"):
        data_splits.by_rule("official", FACES, FRACTIONS, 1)
    with pytest.raises(InputError, match="partition 3 is unknown"):
        faces = replace(FACES, table=FACES.table.assign(partition=3))
        data_splits.by_rule("official", faces, FRACTIONS, 1)


def test_a_smaller_subset_lies_in_a_larger_one():
    """Half and a quarter of 400 rows: nested, both with the classes' shares."""
    rows = np.arange(0, 400)
    half, quarter = (data_splits.subset(NAMES, IS_MALE, rows, f, 1) for f in (0.5, 0.25))
    assert (200, 100) == (len(half), len(quarter))
    assert set(quarter) < set(half) < set(rows)
    share = IS_MALE[rows].mean()
    assert pytest.approx(share, abs=0.01) == IS_MALE[half].mean()
    assert pytest.approx(share, abs=0.02) == IS_MALE[quarter].mean()
