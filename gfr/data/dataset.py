"""The images of a data set, and the choice of those that a run uses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from gfr.data import celeba, csv_labels, splits
from gfr.errors import BadInput

NATIVE_SIZE = (218, 178)  # height, width of CelebA's aligned images, px

Source = Literal["celeba", "csv", "synthetic"]

SOURCES = {
    "celeba": "CelebA",
    "csv": "own images",
    "synthetic": "SYNTHETIC faces",
}


class TooFew(BadInput):
    """A data set lists fewer images than are asked for."""


@dataclass(frozen=True)
class Faces:
    """N images, sorted by name.

    names (N,); is_male bool (N,); attributes bool (N, A) with CelebA's column names; identity
    int64 (N,) or None; partition int64 (N,) (CelebA's own: 0 train, 1 validation, 2 test) or None;
    pixels_sha256 (N,) once the images have been inspected.
    """

    image_dir: Path
    names: tuple[str, ...]
    is_male: np.ndarray
    attributes: pd.DataFrame
    identity: np.ndarray | None
    partition: np.ndarray | None
    pixels_sha256: tuple[str, ...] = ()

    def paths(self) -> list[Path]:
        """The image files, in the order of `names`."""
        return [self.image_dir / name for name in self.names]

    def rows(self, keep: np.ndarray) -> "Faces":
        """The images where bool `keep` (N,) holds."""
        return replace(
            self,
            names=tuple(name for name, kept in zip(self.names, keep, strict=True) if kept),
            is_male=self.is_male[keep],
            attributes=self.attributes[keep],
            identity=None if self.identity is None else self.identity[keep],
            partition=None if self.partition is None else self.partition[keep],
        )


@dataclass(frozen=True)
class Listing:
    """The chosen images as the label file knows them, before any is opened."""

    faces: Faces
    num_listed: int
    num_unlisted: int  # image files in the folder that the label file does not name


def load(directory: Path, num_images: int | Literal["all"], seed: int) -> Listing:
    """Choose images from a CelebA directory, or one with a CSV; BadInput if they cannot serve."""
    labels = (csv_labels if csv_labels.is_meant(directory) else celeba).read(directory)
    attributes = labels.attributes
    names = choose(list(attributes.index), num_images, seed, labels.label_file)
    on_disk = celeba.image_names(labels.image_dir)
    unlisted = len(on_disk.difference(attributes.index))
    num_listed = len(attributes)
    attributes = attributes.loc[names]
    is_male = attributes["Male"].to_numpy(bool)
    if is_male.all() or not is_male.any():
        only = "male" if is_male.all() else "female"
        raise BadInput(f"{labels.label_file}: all {len(names):,} chosen images are {only}")
    faces = Faces(
        image_dir=labels.image_dir,
        names=tuple(names),
        is_male=is_male,
        attributes=attributes,
        identity=_column(labels.identity_file, labels.identity, names),
        partition=_column(labels.partition_file, labels.partition, names),
    )
    return Listing(faces, num_listed, unlisted)


def choose(
    names: Sequence[str], num_images: int | Literal["all"], seed: int, source: Path
) -> list[str]:
    """The same names for the same seed, whatever their order: the smallest hashes, sorted."""
    if num_images == "all" or num_images == len(names):
        return sorted(names)
    if num_images > len(names):
        raise TooFew(
            f"{source}: lists {len(names):,} images, {num_images:,} are asked for; "
            'lower [data] images in a copy of the benchmark file or set it to "all"'
        )
    return sorted(sorted(names, key=lambda name: splits.rank(seed, "choose", name))[:num_images])


def _column(path: Path | None, column: pd.Series | None, names: list[str]) -> np.ndarray | None:
    if column is None:
        return None
    missing = [name for name in names if name not in column.index]
    if missing:
        raise BadInput(f"{path}: {len(missing):,} images are not listed, the first {missing[0]}")
    return column.loc[names].to_numpy(np.int64)
