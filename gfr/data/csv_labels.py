"""A data set of the user's own: images, and a CSV that says what each shows.

In: a folder with a labels.csv, or the path of a CSV. Out: its labels as a table. Image names are
paths below the CSV's folder. Never opens an image, never guesses a value.

    image,is_male,identity,smiling
    anna/1.jpg,0,anna,1

is_male and every further column hold 0/1, -1/1 or true/false; `identity`, if there, any text that
is the same for all images of a person.
"""

import csv
import io
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from gfr.data.celeba import IMAGE_SUFFIXES, LABEL_FILES, Labels
from gfr.errors import BadInput, reason

LABELS_NAME = "labels.csv"

MAX_BYTES = 64_000_000  # CelebA's 202,599 rows of 40 attributes take 26 MB

MALE = "Male"  # CelebA's name of what is_male says

_TAKEN = ("name", "split", "partition", "pixels_sha256", MALE)  # columns of a run's faces.csv

_COLUMN = re.compile(r"[^\W_][\w .+-]{0,63}")

_NO_NAME = re.compile(r'[\\:*?"<>|`]')  # not every disk and report can hold these

_FLAGS = (
    {"0": False, "1": True},
    {"-1": False, "1": True},
    {"false": False, "true": True},
)


def is_meant(place: Path) -> bool:
    """Whether a data set as typed is one with a CSV of this kind, not CelebA's files."""
    return place.suffix.lower() == ".csv" or (place / LABELS_NAME).is_file()


def read(place: Path) -> Labels:
    """Every image that the CSV lists; BadInput names the file and the line."""
    path = place / LABELS_NAME if place.is_dir() else place
    if place.is_dir():
        other = next((name for name in LABEL_FILES if (place / name).exists()), None)
        if other:
            raise BadInput(
                f"{place}: holds {LABELS_NAME} and {other}; name the CSV itself, or take one away"
            )
    header, *rows = _rows(path)
    columns = _columns(path, header[1])
    names = [_name(path, number, row[columns["image"]]) for number, row in rows]
    _refuse_repeats(path, [number for number, _ in rows], names)
    flags = {
        MALE if column == "is_male" else column: _flags(path, column, index, rows)
        for column, index in columns.items()
        if column not in ("image", "identity")
    }
    attributes = pd.DataFrame(flags, index=pd.Index(names, dtype=object)).sort_index()
    identity = None
    if "identity" in columns:
        persons = [_person(path, number, row[columns["identity"]]) for number, row in rows]
        codes, _ = pd.factorize(np.array(persons, dtype=object), sort=True)
        identity = pd.Series(codes, index=names, dtype=np.int64)
    return Labels(path.parent, path, attributes, identity, None, path, None)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of the header and of every row that is not blank, one at least."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path}: larger than {MAX_BYTES:,} bytes; is it the list of labels?")
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(
            f"{path}: no CSV in UTF-8 ({reason(error)}); save it as such, separated by commas"
        ) from None
    rows = [(number, row) for number, row in rows if any(row)]
    if len(rows) < 2:
        raise BadInput(f"{path}: no rows; the first line is image,is_male, then an image a line")
    for number, row in rows:
        if len(row) != len(rows[0][1]):
            raise BadInput(
                f"{path}, line {number}: {len(row)} fields, {len(rows[0][1])} as in the first line "
                "expected"
            )
    return rows


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    for needed in ("image", "is_male"):
        if needed not in header:
            raise BadInput(
                f"{path}: no column {needed} in its first line; it begins image,is_male, "
                "separated by commas"
            )
    for column in header:
        if header.count(column) > 1:
            raise BadInput(f"{path}: column {column!r:.60} stands twice; take one out")
        if column in _TAKEN or not _COLUMN.fullmatch(column):
            raise BadInput(
                f"{path}: column {column!r:.60}: a name that gfr needs itself or that is no plain "
                "word; rename it"
            )
    return {column: index for index, column in enumerate(header)}


def _name(path: Path, number: int, name: str) -> str:
    plain = PurePosixPath(name)
    leaves = plain.is_absolute() or ".." in plain.parts or str(plain) != name
    if leaves or _NO_NAME.search(name) or not name.isprintable():
        raise BadInput(
            f"{path}, line {number}: {name!r:.80} is no plain path below {path.parent}; copy the "
            "image there"
        )
    if not name.lower().endswith(IMAGE_SUFFIXES):
        raise BadInput(
            f"{path}, line {number}: {name!r:.80} does not end in {', '.join(IMAGE_SUFFIXES)}"
        )
    return name


def _refuse_repeats(path: Path, numbers: list[int], names: list[str]) -> None:
    first: dict[str, int] = {}
    for number, name in zip(numbers, names, strict=True):
        if name in first:
            raise BadInput(
                f"{path}, line {number}: {name!r:.80} is listed in line {first[name]} already"
            )
        first[name] = number


def _flags(path: Path, column: str, index: int, rows: list[tuple[int, list[str]]]) -> list[bool]:
    cells = [(number, row[index].lower()) for number, row in rows]
    known = {cell for _, cell in cells}
    for meaning in _FLAGS:
        if known <= meaning.keys():
            return [meaning[cell] for _, cell in cells]
    any_of = {cell for meaning in _FLAGS for cell in meaning}
    number, cell = next(((n, c) for n, c in cells if c not in any_of), cells[0])
    what = f"{column} is {cell!r:.40}" if cell not in any_of else f"{column} mixes {sorted(known)}"
    cure = "mend it" if column == "is_male" else "mend it, or take the column out"
    raise BadInput(
        f"{path}, line {number}: {what}; all of a column is 0/1, -1/1 or true/false: {cure}"
    )


def _person(path: Path, number: int, person: str) -> str:
    if not person:
        raise BadInput(f"{path}, line {number}: no identity; give each image one, or none at all")
    return person
