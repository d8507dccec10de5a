"""CelebA's files in any of the usual layouts: find, read and write them.

A directory may hold other copies, backups and other data sets: the location of a file takes
precedence over its name; ambiguous directories are rejected. Does not open an image and does not
choose among images.
"""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gfr.data import image_names, label_lists
from gfr.data.label_lists import LABEL_FILES, LISTS
from gfr.errors import InputError
from gfr.storage import atomic

IMAGE_FOLDERS = ("img_align_celeba", "images")

MAX_DEPTH = 3  # the official layout is Img/img_align_celeba, Kaggle's is nested twice

MAX_DROPPED_FRACTION = 0.01  # of a run's images: those that are missing or undecodable

MIN_SHARE = 1 - MAX_DROPPED_FRACTION  # of the listed images that the fullest folder has


@dataclass(frozen=True)
class Labels:
    """Where a data set keeps its images, and the labels of all of them.

    `table` has a row for each image, sorted by name: the attributes, bool, one of which is Male,
    and if known `identity` and `partition` (0 train, 1 validation, 2 test), whole numbers, which
    are missing for images that their list leaves out. `files` has the path of each list that was
    read: `labels` and, if there are such files, `identity` and `partition`. `notes` says what was
    assumed.
    """

    image_dir: Path
    files: dict[str, Path]
    table: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def label_file(self) -> Path:
        """The list of attributes."""
        return self.files["labels"]


@dataclass(frozen=True)
class _Candidate:
    """A folder of images with the label file nearest to it; `num_listed`: images with a label."""

    image_dir: Path
    label_file: Path
    num_listed: int

    @property
    def root(self) -> Path:
        """The innermost directory that holds both."""
        return _common(self.image_dir, self.label_file.parent)

    @property
    def distance(self) -> int:
        """How far the label file is from the images, in folders."""
        return _distance(self.image_dir, self.label_file)

    def within(self, directory: Path) -> str:
        """`images with list_attr_celeba.txt`."""
        paths = (path.relative_to(directory) for path in (self.image_dir, self.label_file))
        return " with ".join(map(str, paths))


def read(directory: Path) -> Labels:
    """Find the folder of the listed images and the lists nearest to it, and read the lists."""
    if not directory.is_dir():
        raise InputError(
            f"{directory}: no such directory. Name the folder that holds CelebA, or images with a "
            "labels.csv"
        )
    folders = _walk(directory)
    image_dirs = {
        folder: images
        for folder, names in folders
        if folder.name in IMAGE_FOLDERS and (images := set(filter(image_names.is_image, names)))
    }
    if not image_dirs:
        raise InputError(
            f"{directory}: no images found in a folder {'/ or '.join(IMAGE_FOLDERS)}/. Unpack "
            "CelebA there, or put a labels.csv beside images of your own"
        )
    files = [folder / name for folder, names in folders for name in names]
    if not any(path.name in LABEL_FILES for path in files):
        raise InputError(
            f"{directory}: no label file. Put {' or '.join(LABEL_FILES)} there, or labels.csv if "
            "the images are your own"
        )
    return _read_lists(directory, image_dirs, files)


def _read_lists(directory: Path, image_dirs: dict[Path, set[str]], files: list[Path]) -> Labels:
    """Choose among folders of images and lists, each of which has at least one entry."""
    read_attributes = functools.cache(label_lists.read_attributes)
    read_column = functools.cache(label_lists.read_column)
    candidates = []
    for folder, images in image_dirs.items():
        label_file = min(_named(files, LABEL_FILES), key=partial(_place, folder))
        table, _ = read_attributes(label_file)
        num_listed = image_names.num_there(table.index, images)
        candidates.append(_Candidate(folder, label_file, num_listed))
    chosen, others = _choose(directory, candidates)

    def find(names: Sequence[str], read: Callable[[Path], Any]) -> Path | None:
        paths = [path for path in _named(files, names) if _is_of(path, chosen, others)]
        return _agreed(directory, chosen.image_dir, paths, read) if paths else None

    used = {"labels": find(LABEL_FILES, lambda path: read_attributes(path)[0])}
    used |= {name: find(names, lambda path: read_column(path)[0]) for name, names in LISTS.items()}
    table, notes = read_attributes(chosen.label_file)
    table = table.copy()
    for name in LISTS:
        if path := used[name]:
            column, column_notes = read_column(path)
            table.insert(0, name, column.astype("Int64"))
            notes = [*notes, *column_notes]
    present = {name: path for name, path in used.items() if path}
    return Labels(chosen.image_dir, present, table, tuple(notes))


def write_lists(directory: Path, table: pd.DataFrame) -> None:
    """Write the official label files of images in the form of `Labels.table`."""
    attributes = table.drop(columns=list(LISTS), errors="ignore")
    signs = np.where(attributes.to_numpy(bool), " 1", "-1")
    lines = [" ".join([name, *row]) for name, row in zip(attributes.index, signs, strict=True)]
    head = [str(len(attributes)), " ".join(attributes.columns)]
    atomic.write_text(directory / LABEL_FILES[0], "\n".join([*head, *lines]) + "\n")
    for name in set(LISTS).intersection(table.columns):
        atomic.write_text(directory / LISTS[name][0], table[name].to_csv(sep=" ", header=False))


def _walk(directory: Path) -> list[tuple[Path, list[str]]]:
    """List folders, shallowest first, with the names in them; not what macOS adds to archives."""
    folders = []
    for path, subfolders, names in os.walk(directory, followlinks=True):
        depth = len(Path(path).relative_to(directory).parts)
        shown = sorted(filter(image_names.is_shown, subfolders))
        subfolders[:] = shown if depth < MAX_DEPTH else []
        folders.append((depth, Path(path), list(filter(image_names.is_shown, names))))
    return [(path, names) for _, path, names in sorted(folders, key=lambda row: row[:2])]


def _choose(directory: Path, candidates: list[_Candidate]) -> tuple[_Candidate, list[_Candidate]]:
    """Choose the candidate at the top; returns also those that have another label file.

    Of a label file only the nearest full folder of images counts: a farther one belongs to another
    data set. Raises InputError if another candidate lies beside the chosen one.
    """
    most = {row.label_file: 0 for row in candidates}
    for row in candidates:
        most[row.label_file] = max(most[row.label_file], row.num_listed)
    full = [row for row in candidates if row.num_listed >= max(1, MIN_SHARE * most[row.label_file])]
    full = sorted(full or candidates, key=lambda row: (row.distance, len(row.image_dir.parts)))
    nearest = {row.label_file: row.distance for row in reversed(full)}
    near = [row for row in full if row.distance == nearest[row.label_file]]
    first, *rest = sorted(near, key=lambda row: len(row.root.parts))
    others = [row for row in rest if row.label_file != first.label_file]
    for row in rest:
        is_below = row in others and first.root in row.root.parents
        if not is_below and row.image_dir.resolve() != first.image_dir.resolve():
            raise InputError(
                f"{directory}: has more than one data set: "
                f"{first.within(directory)} and {row.within(directory)}. Name the directory of "
                "one of them, or move the other away"
            )
    return first, others


def _is_of(path: Path, chosen: _Candidate, others: Iterable[_Candidate]) -> bool:
    """Tell whether a list is not nearer to the images of another data set."""
    distance = _distance(chosen.image_dir, path)
    return path == chosen.label_file or all(
        distance <= _distance(row.image_dir, path) for row in others
    )


def _named(files: list[Path], names: Sequence[str]) -> list[Path]:
    """The files with one of these names, in the order of the names."""
    return [path for name in names for path in files if path.name == name]


def _agreed(
    directory: Path, image_dir: Path, paths: list[Path], read: Callable[[Path], Any]
) -> Path:
    """Return the list that is nearest to the images and to the top; the first of equal ones.

    Raises InputError if one list is nearer, another is nearer to the top, and they differ.
    """
    places = {
        path: _place(image_dir, path) for path in sorted(paths, key=partial(_place, image_dir))
    }
    first, *others = (
        path
        for path, (distance, depth) in places.items()
        if not any(
            other != (distance, depth) and other[0] <= distance and other[1] <= depth
            for other in places.values()
        )
    )
    for path in others:
        if not read(first).equals(read(path)):
            raise InputError(
                f"{directory}: {first.relative_to(directory)} and {path.relative_to(directory)} "
                f"differ. Remove the one that is not of {image_dir.relative_to(directory)}"
            )
    return first


def _place(image_dir: Path, path: Path) -> tuple[int, int]:
    """Return how far a list is from a folder of images, and from the top."""
    return _distance(image_dir, path), len(path.parts)


def _distance(image_dir: Path, path: Path) -> int:
    """Count the steps from a folder of images up and down to the folder of a list."""
    common = len(_common(image_dir, path.parent).parts)
    return len(image_dir.parts) + len(path.parent.parts) - 2 * common


def _common(one: Path, other: Path) -> Path:
    return Path(os.path.commonpath([one, other]))
