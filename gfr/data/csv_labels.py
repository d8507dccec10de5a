"""Labels of a user's own images in a CSV.

A data set is a folder with a labels.csv, or the path of a CSV. Image names are paths below the
CSV's folder. Does not open an image.

    image,is_male,identity,smiling
    anna/1.jpg,0,anna,1

is_male and every further column hold 0/1, -1/1, 0.0/1.0 or true/false; is_male may also hold
female/male or f/m. `identity` is optional: any text that is the same for all images of a person.
Semicolons or tabs may separate the columns.
"""

import re
from collections.abc import Hashable
from functools import partial
from pathlib import Path, PurePosixPath

import pandas as pd

from gfr.data import csv_table, label_lists
from gfr.data.celeba import Labels
from gfr.data.csv_table import error_at
from gfr.data.image_names import IMAGE_SUFFIXES, is_image
from gfr.data.label_lists import LABEL_FILES, MALE
from gfr.errors import InputError

LABELS_NAME = "labels.csv"

# Columns of a run's faces.csv.
_RESERVED = ("name", "file", "split", "partition", "pixels_sha256", MALE)

_COLUMN = re.compile(r"[^\W_][\w .+-]{0,63}")

_NOT_PORTABLE = re.compile(r'[:*?"<>|`]')  # some file systems and reports cannot hold these


def matches(path: Path) -> bool:
    """Tell whether a directory has a labels.csv, or a path is that of a CSV."""
    return path.suffix.lower() == ".csv" or (path / LABELS_NAME).is_file()


def read(path: Path) -> Labels:
    """Read every image that the CSV lists; InputError names the file and the line."""
    if path.is_dir():
        other = next((name for name in LABEL_FILES if (path / name).exists()), None)
        if other:
            raise InputError(f"{path}: holds {LABELS_NAME} and {other}. Name the CSV or remove one")
        path = path / LABELS_NAME
    rows = csv_table.read(path, "image,is_male")
    _check_header(path, rows.header)
    table, notes = rows.frame(), rows.notes
    listed = table.pop("image")
    persons = table.pop("identity") if "identity" in table else None
    names = listed.map(partial(_relative, path.parent))
    changed = [pair for pair in zip(listed, names, strict=True) if pair[0] != pair[1]]
    if changed:
        notes.append(
            f"{path.name}: {len(changed):,} image names are read as paths below its folder, the "
            f"first is {changed[0][0]} as {changed[0][1]}"
        )
    _check_names(path, names)
    notes += label_lists.words_notes(path, table["is_male"])
    table = table.apply(partial(_flags, path)).rename(columns={"is_male": MALE})
    if persons is not None:
        if (persons == "").any():
            line = (persons == "").idxmax()
            raise error_at(path, line, "no identity. Give each image one or none")
        table.insert(0, "identity", pd.factorize(persons, sort=True)[0])
    table = table.set_index(pd.Index(names, dtype=object)).sort_index()
    return Labels(path.parent, {"labels": path}, table, tuple(notes))


def _relative(folder: Path, name: str) -> str:
    """Write a name with slashes, relative to the folder of the CSV if it is below that."""
    plain = PurePosixPath(name.replace("\\", "/"))
    for base in (folder.absolute(), folder.resolve()) if plain.is_absolute() else ():
        if plain.is_relative_to(base):
            return str(plain.relative_to(base))
    return str(plain) if plain.parts else name


def _check_header(path: Path, header: tuple[str, ...]) -> None:
    for needed in ("image", "is_male"):
        if needed not in header:
            raise InputError(f"{path}: no column {needed}. The first line is image,is_male")
    for column in header:
        if header.count(column) > 1:
            raise InputError(f"{path}: column {column!r:.60} is listed twice. Remove one")
        if column in _RESERVED or not _COLUMN.fullmatch(column):
            raise InputError(
                f"{path}: column {column!r:.60}: a name that gfr reserves, or not a plain word. "
                "Rename it"
            )


def _check_names(path: Path, names: pd.Series) -> None:
    line_of: dict[str, Hashable] = {}
    for line, name in names.items():
        plain = PurePosixPath(name)
        is_below = not plain.is_absolute() and ".." not in plain.parts and str(plain) == name
        if not is_below or _NOT_PORTABLE.search(name) or not name.isprintable():
            why = (
                f"{name!r:.80} is not a plain path below {path.parent}. Copy the image there, and "
                "list it relative to that directory"
            )
            raise error_at(path, line, why)
        if not is_image(name):
            raise error_at(path, line, f"{name!r:.80} does not end in {', '.join(IMAGE_SUFFIXES)}")
        if name in line_of:
            why = f"{name!r:.80} is listed twice, first in line {line_of[name]}"
            raise error_at(path, line, why)
        line_of[name] = line


def _flags(path: Path, column: pd.Series) -> pd.Series:
    """Read a column as bool; InputError names the first line with another value."""
    is_label = column.name == "is_male"
    if (flags := label_lists.flags(column, is_label)) is not None:
        return flags
    raise error_at(path, *label_lists.flags_problem(column, is_label))
