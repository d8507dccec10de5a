"""The images of a data set, and the choice of those that a run uses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from gfr.data import celeba
from gfr.data.layouts import source_of
from gfr.errors import InputError
from gfr.storage import hashing

NATIVE_SIZE = (218, 178)  # height, width of CelebA's aligned images, px


class TooFew(InputError):
    """A data set lists fewer images than the benchmark needs."""


@dataclass(frozen=True)
class Faces:
    """N images, sorted by name.

    `names` (N,); `is_male` bool (N,); `attributes` bool (N, A) with CelebA's column names;
    `identity` int64 (N,) or None; `partition` int64 (N,) or None, CelebA's own: 0 train,
    1 validation, 2 test. `pixels_sha256` (N,) is empty before the images have been inspected.
    """

    image_dir: Path
    names: tuple[str, ...]
    is_male: np.ndarray
    attributes: pd.DataFrame
    identity: np.ndarray | None
    partition: np.ndarray | None
    pixels_sha256: tuple[str, ...] = ()

    def paths(self) -> list[Path]:
        """Return the image files in the order of `names`."""
        return [self.image_dir / name for name in self.names]

    def rows(self, keep: np.ndarray) -> "Faces":
        """Keep the images where bool `keep` (N,) is true."""
        return replace(
            self,
            names=tuple(np.array(self.names, object)[keep]),
            is_male=self.is_male[keep],
            attributes=self.attributes[keep],
            identity=None if self.identity is None else self.identity[keep],
            partition=None if self.partition is None else self.partition[keep],
        )


@dataclass(frozen=True)
class Listing:
    """The chosen images as the label file lists them, before any is opened."""

    faces: Faces
    num_listed: int
    num_unlisted: int  # image files in the folder that the label file does not list


def load(directory: Path, num_images: int | Literal["all"], seed: int) -> Listing:
    """Choose images from a data set on disk; InputError if its files cannot be used."""
    labels = source_of(directory).read(directory)
    attributes = labels.attributes
    num_unlisted = len(celeba.image_names(labels.image_dir).difference(attributes.index))
    names = choose(list(attributes.index), num_images, seed, labels.label_file)
    chosen = attributes.loc[names]
    is_male = chosen["Male"].to_numpy(bool)
    if is_male.all() or not is_male.any():
        only = "male" if is_male.all() else "female"
        raise InputError(f"{labels.label_file}: all {len(names):,} chosen images are {only}")
    faces = Faces(
        image_dir=labels.image_dir,
        names=tuple(names),
        is_male=is_male,
        attributes=chosen,
        identity=_column(labels.identity, names),
        partition=_column(labels.partition, names),
    )
    return Listing(faces, len(attributes), num_unlisted)


def choose(
    names: Sequence[str], num_images: int | Literal["all"], seed: int, source: Path
) -> list[str]:
    """Choose the names with the smallest hashes: the same for a seed, in whatever order."""
    if num_images == "all" or num_images == len(names):
        return sorted(names)
    if num_images > len(names):
        raise TooFew(
            f"{source}: lists {len(names):,} images, {num_images:,} are needed. "
            'Lower [data] images in a copy of the benchmark file or set it to "all"'
        )
    return sorted(sorted(names, key=lambda name: hashing.rank(seed, "choose", name))[:num_images])


def _column(column: celeba.Column, names: list[str]) -> np.ndarray | None:
    if column is None:
        return None
    missing = [name for name in names if name not in column.index]
    if missing:
        raise InputError(
            f"{column.name}: {len(missing):,} chosen images are not listed, the first is "
            f"{missing[0]}. Add them, or remove the file"
        )
    return column.loc[names].to_numpy(np.int64)
