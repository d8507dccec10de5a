"""CelebA's files in any of the usual layouts: find, read and write them.

Does not open an image and does not choose among images.
"""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gfr.errors import InputError
from gfr.storage import atomic

IMAGE_FOLDERS = ("img_align_celeba", "images")

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

LABEL_FILES = ("list_attr_celeba.txt", "list_attr_celeba.csv", "list_attribute.txt")

# Lists of one whole number for each image, by the name of the column that they become.
LISTS = {
    "partition": ("list_eval_partition.txt", "list_eval_partition.csv"),
    "identity": ("identity_CelebA.txt", "identity_CelebA.csv"),
}

MAX_DEPTH = 3  # the official layout is Img/img_align_celeba, Kaggle's is nested twice

# [0-9], not \d: int() does not read everything that Unicode calls a digit.
_COUNT = re.compile(r"\s*[0-9]{1,18}\s*")

_NUMBER = re.compile(r"\s*-?[0-9]+\s*")


@dataclass(frozen=True)
class Labels:
    """Where a data set keeps its images, and the labels of all of them.

    `table` has a row for each image, sorted by name: the attributes, bool, one of which is Male,
    and if known `identity` and `partition` (0 train, 1 validation, 2 test), whole numbers, which
    are missing for images that their list leaves out.
    """

    image_dir: Path
    label_file: Path
    table: pd.DataFrame


def read(directory: Path) -> Labels:
    """Find the image folder and the lists independently, shallowest first, and read the lists."""
    if not directory.is_dir():
        raise InputError(
            f"{directory}: no such directory. Name the folder that holds CelebA, or images with a "
            "labels.csv"
        )
    image_dir: Path | None = None
    files: dict[str, Path] = {}
    for folder, names in _walk(directory):
        for name in names:
            files.setdefault(name, folder / name)
        if folder.name in IMAGE_FOLDERS and any(map(_is_image, names)):
            image_dir = image_dir or folder
    if image_dir is None:
        raise InputError(
            f"{directory}: no images found in a folder {'/ or '.join(IMAGE_FOLDERS)}/. Unpack "
            "CelebA there, or put a labels.csv beside images of your own"
        )
    label_file, *lists = (
        next((files[name] for name in names if name in files), None)
        for names in (LABEL_FILES, *LISTS.values())
    )
    if label_file is None:
        raise InputError(
            f"{directory}: no label file. Put {' or '.join(LABEL_FILES)} there, or labels.csv if "
            "the images are your own"
        )
    table = read_attributes(label_file)
    for name, file in zip(LISTS, lists, strict=True):
        if file is not None:
            table.insert(0, name, read_column(file).astype("Int64"))
    return Labels(image_dir, label_file, table)


def image_names(folder: Path) -> set[str]:
    """List the image files below a folder, as relative paths with slashes."""
    images = (path for path in folder.rglob("*") if _is_image(path.name))
    return {path.relative_to(folder).as_posix() for path in images}


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)


def _walk(directory: Path) -> list[tuple[Path, list[str]]]:
    folders = []
    for path, subfolders, names in os.walk(directory, followlinks=True):
        depth = len(Path(path).relative_to(directory).parts)
        subfolders[:] = sorted(subfolders) if depth < MAX_DEPTH else []
        folders.append((depth, Path(path), names))
    return [(path, names) for _, path, names in sorted(folders, key=lambda row: row[:2])]


def read_attributes(path: Path) -> pd.DataFrame:
    """Read all attributes as bool, one row per image, sorted by name."""
    table = _read_table(path)
    if "Male" not in table.columns:
        raise InputError(f"{path}: no column Male in its header. Is it CelebA's attribute list?")
    wrong = np.argwhere(~table.isin([1, -1]).to_numpy())
    if len(wrong):
        name, column = table.index[wrong[0][0]], table.columns[wrong[0][1]]
        raise InputError(f"{path}: {name}: {column} is {table.loc[name, column]}, not 1 or -1")
    return table == 1


def read_column(path: Path) -> pd.Series:
    """Read a two-column list (identity or partition) as int64 by image name."""
    table = _read_table(path)
    if table.shape[1] != 1:
        raise InputError(f"{path}: {table.shape[1] + 1} columns, not 2 (image name and number)")
    return table.iloc[:, 0]


def write_lists(directory: Path, table: pd.DataFrame) -> None:
    """Write the official label files of images in the form of `Labels.table`."""
    attributes = table.drop(columns=list(LISTS), errors="ignore")
    signs = np.where(attributes.to_numpy(bool), " 1", "-1")
    lines = [" ".join([name, *row]) for name, row in zip(attributes.index, signs, strict=True)]
    head = [str(len(attributes)), " ".join(attributes.columns)]
    atomic.write_text(directory / LABEL_FILES[0], "\n".join([*head, *lines]) + "\n")
    for name in set(LISTS).intersection(table.columns):
        atomic.write_text(directory / LISTS[name][0], table[name].to_csv(sep=" ", header=False))


def _read_table(path: Path) -> pd.DataFrame:
    """Read a list as int64 by image name: the official form with spaces, or Kaggle's CSV."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    lines = [line for line in lines if line.strip()]
    stated = int(lines.pop(0)) if lines and _COUNT.fullmatch(lines[0]) else None
    separator = "," if lines and "," in lines[0] else None
    header = lines[0].split(separator) if lines else []
    if len(header) > 1 and _NUMBER.fullmatch(header[-1]):  # no header, as in the two-column lists
        header = [f"column {i}" for i in range(len(header))]
    else:
        lines = lines[1:]
    if not lines:
        raise InputError(f"{path}: no rows. Is the file cut short?")
    if stated not in (None, len(lines)):
        raise InputError(f"{path}: states {stated:,} rows, has {len(lines):,}. Is it cut short?")
    columns = [name.strip() for name in header]
    if len(columns) == len(lines[0].split(separator)):
        columns = columns[1:]  # Kaggle's CSV names the first column, the official list does not
    expected = len(columns) + 1
    for line in lines:
        if (fields := len(line.split(separator))) != expected:
            raise InputError(f"{path}: {line[:40]!r}: {fields} fields, not {expected}")
    return _parse(path, lines, columns, separator)


def _parse(path: Path, lines: list[str], columns: list[str], separator: str | None) -> pd.DataFrame:
    try:
        with np.errstate(invalid="raise"):  # 1e999 as int64
            table = pd.read_csv(
                io.StringIO("\n".join(lines)),
                sep=separator or r"\s+",
                header=None,
                index_col=0,
                names=["name", *columns],
                dtype={"name": str} | dict.fromkeys(columns, np.int64),
                keep_default_na=False,
                quoting=3,
            )
    except (ValueError, ArithmeticError) as error:
        raise InputError(f"{path}: not a list of whole numbers ({error})") from None
    table = table.sort_index()
    if not table.index.is_unique:
        raise InputError(f"{path}: {table.index[table.index.duplicated()][0]} is listed twice")
    for name in table.index:
        if name != Path(name).name or name == "..":
            raise InputError(f"{path}: {name[:60]!r} is not a plain file name")
    return table
