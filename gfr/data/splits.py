"""Splits and subsets of the images, which depend on names, labels and a seed alone.

They are independent of the order of files, of the machine and of any library's random numbers.
Does not read a file.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gfr.config.schema import SplitRule
from gfr.data.dataset import Faces
from gfr.errors import InputError
from gfr.storage import hashing
from gfr.types import SPLITS


def by_rule(rule: SplitRule, faces: Faces, fractions: tuple[float, float], seed: int) -> np.ndarray:
    """Split N faces by the rule of a benchmark -> str (N,): train, validation or test.

    `fractions` are those of the test and the validation images; "official" ignores them and the
    seed. Raises InputError if the data set does not have what the rule needs.
    """
    if rule == "random":
        return split_images(faces.names, faces.is_male, fractions, seed)
    if rule == "official":
        return _official(faces.table.get("partition"))
    if faces.identity is None:
        raise InputError(
            '[data] split = "identity": needs identity_CelebA.txt beside the label file, or a '
            'column identity in labels.csv. Add it, or set split = "random"'
        )
    return split_identities(faces.identity.to_numpy(), faces.is_male, fractions, seed)


def _official(partition: pd.Series | None) -> np.ndarray:
    """Split by CelebA's own partition: int (N,) -> str (N,)."""
    if partition is None:
        raise InputError(
            '[data] split = "official": needs list_eval_partition.txt beside the label file of '
            'CelebA. Add it, or set split = "random"'
        )
    if unknown := set(partition.tolist()) - {0, 1, 2}:
        raise InputError(
            f"list_eval_partition.txt: partition {min(unknown)} is unknown; use 0, 1 or 2"
        )
    return np.array(SPLITS, "<U10")[partition.to_numpy()]


def split_images(
    names: Sequence[str], is_male: np.ndarray, fractions: tuple[float, float], seed: int
) -> np.ndarray:
    """Split at random, stratified by class: names (N,) and bool (N,) -> str (N,).

    An image's place within its class, 0..1, follows from a hash of seed and name. The lowest places
    of all are the test images, the next the validation images: totals are exact, and each class'
    share is within one image of the total's.
    """
    order = _stratified(names, is_male, seed, "split")
    num_test, num_validation = (round(fraction * len(names)) for fraction in fractions)
    splits = np.full(len(names), "train", dtype="<U10")
    splits[order[:num_test]] = "test"
    splits[order[num_test : num_test + num_validation]] = "validation"
    return splits


def split_identities(
    identity: np.ndarray, is_male: np.ndarray, fractions: tuple[float, float], seed: int
) -> np.ndarray:
    """Keep all images of an identity in one split: int (N,) and bool (N,) -> str (N,).

    An identity's class is that of most of its images. Within a class, identities are sorted by a
    hash of seed and number; an identity is in the test set if the middle of its images lies within
    the test fraction of the class' images. Shares are within one identity of the fractions.
    """
    identities, index, sizes = np.unique(identity, return_inverse=True, return_counts=True)
    is_mostly_male = 2 * np.bincount(index, weights=is_male) > sizes
    ranks = [hashing.rank(seed, "split identity", str(number)) for number in identities]
    place = _places(is_mostly_male, sizes, ranks)
    splits = np.full(len(identities), "train", dtype="<U10")
    splits[place < sum(fractions)] = "validation"
    splits[place < fractions[0]] = "test"
    return splits[index]


def subset(
    names: Sequence[str], is_male: np.ndarray, rows: np.ndarray, fraction: float, seed: int
) -> np.ndarray:
    """Take a fraction of the rows, stratified by class: int (n,) -> int (about n * fraction,).

    Rows stay in order, and a smaller subset lies within a larger one.
    """
    order = _stratified([names[row] for row in rows], is_male[rows], seed, "subset")
    return np.sort(rows[order[: max(1, round(fraction * len(rows)))]])


def _stratified(names: Sequence[str], is_male: np.ndarray, seed: int, purpose: str) -> list[int]:
    """Order the images so that every beginning of the order has the classes' shares.

    Within a class the images are ranked by a hash; an image's place in 0..1 is its rank divided by
    the size of its class.
    """
    ranks = [hashing.rank(seed, purpose, name) for name in names]
    place = _places(is_male, np.ones(len(names)), ranks)
    return sorted(range(len(names)), key=lambda i: (place[i], ranks[i]))


def _places(is_male: np.ndarray, sizes: np.ndarray, ranks: list[bytes]) -> np.ndarray:
    """Rank members within their class -> float (N,): the place of each one's middle, 0..1."""
    place = np.empty(len(ranks))
    for of_class in (is_male, ~is_male):
        members = np.array(sorted(np.flatnonzero(of_class), key=lambda i: ranks[i]), int)
        middles = np.cumsum(sizes[members]) - sizes[members] / 2
        place[members] = middles / max(sizes[members].sum(), 1)
    return place
