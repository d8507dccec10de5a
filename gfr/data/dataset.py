"""The images of a data set, and the choice of those that a run uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from gfr.data import image_names
from gfr.data.label_lists import LISTS
from gfr.data.layouts import source_of
from gfr.errors import InputError
from gfr.storage import hashing
from gfr.text import counted

FACTS = ("pixels_sha256", "file", *LISTS)  # columns that are not attributes

# 25_0_2_20170116174525125.jpg.chip.jpg; the time of day is missing in some, the race in others.
_UTKFACE = r"(?:^|/)[0-9]{1,3}_([01])_(?:[0-4]_)?[0-9]{8,}[^/]*$"

NATIVE_SIZE = (218, 178)  # height, width of CelebA's aligned images, px


class TooFew(InputError):
    """A data set lists fewer images than the benchmark needs."""


@dataclass(frozen=True)
class Faces:
    """N images: `table` has a row for each, sorted by name, which is the index.

    Its columns are the attributes, bool, with CelebA's names; int64 `identity` and `partition`
    (CelebA's own: 0 train, 1 validation, 2 test) if the data set has them; `file`, the path below
    `image_dir`, if some are not those of the names; and `pixels_sha256` once the images have been
    inspected.
    """

    image_dir: Path
    table: pd.DataFrame

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the images in the label file, (N,): paths below `image_dir`."""
        return tuple(self.table.index)

    @property
    def is_male(self) -> np.ndarray:
        """The label, bool (N,)."""
        return self.table["Male"].to_numpy(bool)

    @property
    def attributes(self) -> pd.DataFrame:
        """All attributes with the label, bool (N, A)."""
        return self.table.drop(columns=list(FACTS), errors="ignore")

    @property
    def identity(self) -> pd.Series | None:
        """Numbers of the persons, int64 (N,); None if they are not known."""
        return self.table.get("identity")

    @cached_property
    def pixels_sha256(self) -> tuple[str, ...]:
        """Digests of the decoded images, (N,)."""
        return tuple(self.table["pixels_sha256"])

    def paths(self) -> list[Path]:
        """Return the image files in the order of `names`."""
        files = self.table.get("file", self.table.index)
        return [self.image_dir / file for file in files]


@dataclass(frozen=True)
class Listing:
    """The chosen images as the label file lists them, before any is opened."""

    faces: Faces
    num_listed: int
    num_unlisted: int  # image files in the folder that the label file does not list
    files: dict[str, Path]  # the lists that were read, as in `celeba.Labels`
    notes: tuple[str, ...]  # what was assumed, one fact each


def load(directory: Path, num_images: int | Literal["all"], seed: int) -> Listing:
    """Choose images from a data set on disk; InputError if its files cannot be used."""
    labels = source_of(directory).read(directory)
    listed = labels.table.index
    on_disk = image_names.below(labels.image_dir)
    other_files = image_names.other_files(listed, on_disk)
    num_unlisted = len(on_disk.difference(listed, other_files.values()))
    names = choose(list(listed), num_images, seed, labels.label_file)
    table = labels.table.loc[names]
    is_male = table["Male"]
    if is_male.nunique() < 2:
        only = "male" if is_male.all() else "female"
        raise InputError(f"{labels.label_file}: all {len(names):,} chosen images are {only}")
    for name in table.columns.intersection(list(LISTS)):
        missing = table.index[table[name].isna()]
        if len(missing):
            raise InputError(
                f"{labels.label_file}: {len(missing):,} chosen images have no {name}, the first is "
                f"{missing[0]}. Add them to {' or '.join(LISTS[name])}, or remove that file"
            )
        table[name] = table[name].astype(np.int64)
    notes = [*labels.notes, *_contradictions(table)]
    if renamed := {name: other_files[name] for name in names if name in other_files}:
        table.insert(0, "file", [renamed.get(name, name) for name in names])
        name, file = next(iter(renamed.items()))
        notes.append(
            f"{counted(len(renamed), 'image')} with another suffix or Unicode form than in the "
            f"label file, the first is {name}: {file}"
        )
    faces = Faces(labels.image_dir, table)
    return Listing(faces, len(listed), num_unlisted, labels.files, tuple(notes))


def _contradictions(table: pd.DataFrame) -> list[str]:
    """Warn of labels that contradict file names as UTKFace has them, where 0 means male."""
    gender = table.index.to_series().str.extract(_UTKFACE, expand=False)
    named = table["Male"][gender.notna()]
    num_other = int((named != (gender[gender.notna()] == "0")).sum())
    if not num_other:
        return []
    return [
        f"{num_other:,} of {len(named):,} images with a name like UTKFace's [age]_[gender]_... "
        "have the opposite label: gender 0 means male there, is_male 0 means female"
    ]


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
