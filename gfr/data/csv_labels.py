"""Labels of a user's own images in a CSV.

A data set is a folder with a labels.csv, or the path of a CSV. Image names are paths below the
CSV's folder. Does not open an image.

    image,is_male,identity,smiling
    anna/1.jpg,0,anna,1

is_male and every further column hold 0/1, -1/1 or true/false. `identity` is optional: any text that
is the same for all images of a person.
"""

import csv
import io
import re
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from gfr.data.celeba import IMAGE_SUFFIXES, LABEL_FILES, Labels, Layout
from gfr.errors import InputError, reason

LABELS_NAME = "labels.csv"

MAX_BYTES = 64_000_000  # CelebA's 202,599 rows of 40 attributes take 26 MB

MALE = "Male"  # CelebA's name of is_male

_RESERVED = ("name", "split", "partition", "pixels_sha256", MALE)  # columns of a run's faces.csv

_COLUMN = re.compile(r"[^\W_][\w .+-]{0,63}")

_NOT_PORTABLE = re.compile(r'[\\:*?"<>|`]')  # some file systems and reports cannot hold these

_FLAGS = (
    {"0": False, "1": True},
    {"-1": False, "1": True},
    {"false": False, "true": True},
)


def matches(path: Path) -> bool:
    """Tell whether a directory has a labels.csv, or a path is that of a CSV."""
    return path.suffix.lower() == ".csv" or (path / LABELS_NAME).is_file()


def find(path: Path) -> Layout:
    """Locate the files, and check the CSV."""
    return read(path).layout


def read(path: Path) -> Labels:
    """Read every image that the CSV lists; InputError names the file and the line."""
    if path.is_dir():
        other = next((name for name in LABEL_FILES if (path / name).exists()), None)
        if other:
            raise InputError(
                f"{path}: holds {LABELS_NAME} and {other}. Name the CSV itself, or remove one"
            )
        path = path / LABELS_NAME
    rows = _rows(path)
    header, lines = list(rows[0][1]), [number for number, _ in rows[1:]]
    _check_header(path, header)
    columns = dict(zip(header, zip(*(cells for _, cells in rows[1:]), strict=True), strict=True))
    names, identity = _names(path, lines, columns.pop("image")), None
    if "identity" in columns:
        persons = columns.pop("identity")
        if "" in persons:
            line = lines[persons.index("")]
            raise _error(path, line, "no identity. Give each image one, or none at all")
        codes, _ = pd.factorize(np.array(persons, dtype=object), sort=True)
        identity = pd.Series(codes, index=names, dtype=np.int64)
    flags = {
        MALE if column == "is_male" else column: _flags(path, lines, column, cells)
        for column, cells in columns.items()
    }
    attributes = pd.DataFrame(flags, index=pd.Index(names, dtype=object)).sort_index()
    return Labels(Layout(path.parent, path, path), attributes, identity, None)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read (line number, cells) of the header and of at least one row; skip blank rows."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES:,} bytes. Is it the list of labels?")
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: not a CSV in UTF-8 ({reason(error)}). Save it as one, separated by commas"
        ) from None
    rows = [(number, row) for number, row in rows if any(row)]
    if len(rows) < 2:
        raise InputError(
            f"{path}: no rows. The first line is image,is_male, then one line per image"
        )
    num_columns = len(rows[0][1])
    for number, row in rows:
        if len(row) != num_columns:
            raise _error(
                path, number, f"{len(row)} fields, but the first line has {num_columns}. Correct it"
            )
    return rows


def _error(path: Path, line: int, why: str) -> InputError:
    return InputError(f"{path}, line {line}: {why}")


def _check_header(path: Path, header: list[str]) -> None:
    for needed in ("image", "is_male"):
        if needed not in header:
            raise InputError(
                f"{path}: no column {needed} in its first line. It begins image,is_male, "
                "separated by commas"
            )
    for column, count in Counter(header).items():
        if count > 1:
            raise InputError(f"{path}: column {column!r:.60} is listed twice. Remove one")
        if column in _RESERVED or not _COLUMN.fullmatch(column):
            raise InputError(
                f"{path}: column {column!r:.60}: a name that gfr reserves, or not a plain word. "
                "Rename it"
            )


def _names(path: Path, lines: list[int], names: tuple[str, ...]) -> list[str]:
    line_of: dict[str, int] = {}
    for line, name in zip(lines, names, strict=True):
        plain = PurePosixPath(name)
        is_below = not plain.is_absolute() and ".." not in plain.parts and str(plain) == name
        if not is_below or _NOT_PORTABLE.search(name) or not name.isprintable():
            why = f"{name!r:.80} is not a plain path below {path.parent}. Copy the image there"
            raise _error(path, line, why)
        if not name.lower().endswith(IMAGE_SUFFIXES):
            raise _error(path, line, f"{name!r:.80} does not end in {', '.join(IMAGE_SUFFIXES)}")
        if name in line_of:
            raise _error(path, line, f"{name!r:.80} is listed twice, first in line {line_of[name]}")
        line_of[name] = line
    return list(names)


def _flags(path: Path, lines: list[int], column: str, cells: tuple[str, ...]) -> list[bool]:
    values = [cell.lower() for cell in cells]
    for meaning in _FLAGS:
        if meaning.keys() >= set(values):
            return [meaning[value] for value in values]
    valid = {value for meaning in _FLAGS for value in meaning}
    row = next((row for row, value in enumerate(values) if value not in valid), None)
    why = (
        f"{column} mixes {sorted(set(values))}"
        if row is None
        else f"{column} is {cells[row]!r:.40}"
    )
    cure = "Correct it" if column == "is_male" else "Correct it, or remove the column"
    raise _error(path, lines[row or 0], f"{why}; a whole column is 0/1, -1/1 or true/false. {cure}")
