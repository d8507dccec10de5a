"""Which image is for what: splits and subsets that depend on names, labels and a seed alone.

In: image names, classes, identities, a seed. Out: arrays over the images. Independent of the order
of files, of the machine and of any library's random numbers. Never sees an image or a file.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from gfr.config.schema import SplitRule
from gfr.errors import BadInput


def rank(seed: int, purpose: str, name: str) -> bytes:
    """What names are ordered by: a hash that looks random and is the same everywhere."""
    return hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()


def by_rule(
    rule: SplitRule,
    names: Sequence[str],
    is_male: np.ndarray,
    identity: np.ndarray | None,
    fractions: tuple[float, float],
    seed: int,
) -> np.ndarray:
    """Names, bool and int (N,), fractions of test and validation -> str (N,).

    BadInput if the rule is "identity" and identities are unknown.
    """
    if rule == "random":
        return split_images(names, is_male, *fractions, seed)
    if identity is None:
        raise BadInput(
            '[data] split = "identity": needs identity_CelebA.txt beside the label file, or a '
            "column identity in labels.csv; "
            'add it, or set split = "random"'
        )
    return split_identities(identity, is_male, *fractions, seed)


def split_images(
    names: Sequence[str],
    is_male: np.ndarray,
    test_fraction: float,
    validation_fraction: float,
    seed: int,
) -> np.ndarray:
    """Names (N,) and bool (N,) -> str (N,): train, validation or test, stratified by class.

    An image's place within its class, 0..1, follows from a hash of seed and name. The lowest places
    of all are the test images, the next the validation images: totals are exact, each class' share
    is within one image of the total's.
    """
    order = _stratified(names, is_male, seed, "split")
    num_test = round(test_fraction * len(names))
    num_validation = round(validation_fraction * len(names))
    splits = np.full(len(names), "train", dtype="<U10")
    splits[order[:num_test]] = "test"
    splits[order[num_test : num_test + num_validation]] = "validation"
    return splits


def split_identities(
    identity: np.ndarray,
    is_male: np.ndarray,
    test_fraction: float,
    validation_fraction: float,
    seed: int,
) -> np.ndarray:
    """int (N,) and bool (N,) -> str (N,), all images of an identity in one split.

    An identity's class is that of most of its images. Within a class identities stand in the order
    of a hash of seed and number; one is in the test set if the middle of its images lies within the
    first `test_fraction` of the class' images. So shares are within one identity of what is asked.
    """
    identities, index, sizes = np.unique(identity, return_inverse=True, return_counts=True)
    is_of_men = 2 * np.bincount(index, weights=is_male) > sizes
    ranks = [rank(seed, "split identity", str(number)) for number in identities]
    place = np.empty(len(identities))
    for of_class in (is_of_men, ~is_of_men):
        members = np.array(sorted(np.flatnonzero(of_class), key=lambda i: ranks[i]), int)
        middles = np.cumsum(sizes[members]) - sizes[members] / 2
        place[members] = middles / max(sizes[members].sum(), 1)
    splits = np.full(len(identities), "train", dtype="<U10")
    splits[place < test_fraction + validation_fraction] = "validation"
    splits[place < test_fraction] = "test"
    return splits[index]


def subset(
    names: Sequence[str], is_male: np.ndarray, rows: np.ndarray, fraction: float, seed: int
) -> np.ndarray:
    """int (n,) -> int (about n * fraction,), in order: stratified, the smaller in the larger."""
    order = _stratified([names[row] for row in rows], is_male[rows], seed, "subset")
    return np.sort(rows[order[: max(1, round(fraction * len(rows)))]])


def _stratified(names: Sequence[str], is_male: np.ndarray, seed: int, purpose: str) -> list[int]:
    """An order of the images in which every beginning has the classes' shares.

    Within a class the images are ranked by a hash; an image's rank divided by its class' size is
    its place in 0..1.
    """
    ranks = [rank(seed, purpose, name) for name in names]
    place = np.empty(len(names))
    for of_class in (is_male, ~is_male):
        members = sorted(np.flatnonzero(of_class), key=lambda i: ranks[i])
        place[members] = (np.arange(len(members)) + 0.5) / max(len(members), 1)
    return sorted(range(len(names)), key=lambda i: (place[i], ranks[i]))
