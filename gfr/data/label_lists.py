"""Read lists of labels: CelebA's official form with spaces, or separated as in a CSV.

Spreadsheets and scripts write such lists in several ways. What can only mean one thing is read, and
each reader says in a note what it took for granted; anything else is rejected with its remedy.
"""

import codecs
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from gfr.errors import InputError

LABEL_FILES = ("list_attr_celeba.txt", "list_attr_celeba.csv", "list_attribute.txt")

# Lists of one whole number for each image, by the name of the column that they become.
LISTS = {
    "partition": ("list_eval_partition.txt", "list_eval_partition.csv"),
    "identity": ("identity_CelebA.txt", "identity_CelebA.csv"),
}

SEPARATORS = {";": "semicolons", "\t": "tabs"}  # instead of commas

MALE = "Male"  # CelebA's name of the label

# [0-9], not \d: int() does not read everything that Unicode calls a digit.
_COUNT = re.compile(r"\s*[0-9]{1,18}\s*")

_NUMBER = re.compile(r"\s*-?[0-9]+\s*")

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_FLAGS = [
    {no: False, yes: True}
    for no, yes in (("0", "1"), ("-1", "1"), ("false", "true"), ("0.0", "1.0"), ("-1.0", "1.0"))
]

GENDERS = [{"female": False, "male": True}, {"f": False, "m": True}]  # of the label only


class NotNumbers(InputError):
    """A list holds something else than whole numbers."""


def decode(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 with its mark, which Excel calls Unicode text."""
    if b"\0" in content and not content.startswith(_UTF_16):
        place = content.index(b"\0")
        raise UnicodeDecodeError("utf-8", content, place, place + 1, "is it UTF-16 without a mark?")
    return content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")


def form_notes(path: Path, content: bytes, separator: str | None) -> list[str]:
    """Say that a list is encoded or separated in a way that is read, but not the usual one."""
    notes = [f"{path.name}: read as UTF-16"] if content.startswith(_UTF_16) else []
    if separator in SEPARATORS:
        notes.append(f"{path.name}: separated by {SEPARATORS[separator]}")
    return notes


def flags(column: pd.Series, is_label: bool) -> pd.Series | None:
    """Read a column of str as bool; None if it does not hold two values of one kind.

    Male and female, m and f are read only where `is_label`: 1 means male.
    """
    values = column.str.lower()
    kinds = [*_FLAGS, *GENDERS] if is_label else _FLAGS
    meaning = next((kind for kind in kinds if values.isin(kind).all()), None)
    return None if meaning is None else values.map(meaning).astype(bool)


def is_flag(column: pd.Series, is_label: bool) -> pd.Series:
    """Tell which values of a column `flags` knows."""
    kinds = [*_FLAGS, *GENDERS] if is_label else _FLAGS
    return column.str.lower().isin(set().union(*kinds))


def read_attributes(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read all attributes as bool, one row per image, sorted by name; and notes on its form."""
    lines, separator, notes = _read_lines(path)
    try:
        table = _parse(path, lines, separator, np.int64)
    except NotNumbers as error:
        table = _parse(path, lines, separator, str)
        _require_male(path, table)
        columns = {name: flags(table[name], name == MALE) for name in table.columns}
        if any(column is None for column in columns.values()):
            raise error
        values = "/".join(sorted(set(table[MALE])))
        return pd.DataFrame(columns), [*notes, f"{path.name}: Male is {values}"]
    _require_male(path, table)
    if table.isin([1, -1]).to_numpy().all():
        return table == 1, notes
    if table.isin([0, 1]).to_numpy().all():
        return table == 1, [*notes, f"{path.name}: 0 or False means no"]
    wrong = np.argwhere(~table.isin([1, -1]).to_numpy())
    name, column = table.index[wrong[0][0]], table.columns[wrong[0][1]]
    raise InputError(f"{path}: {name}: {column} is {table.loc[name, column]}, not 1 or -1")


def _require_male(path: Path, table: pd.DataFrame) -> None:
    if MALE not in table.columns:
        raise InputError(f"{path}: no column Male in its header. Is it CelebA's attribute list?")


def read_column(path: Path) -> pd.Series:
    """Read a two-column list (identity or partition) as int64 by image name."""
    lines, separator, _ = _read_lines(path)
    table = _parse(path, lines, separator, np.int64)
    if table.shape[1] != 1:
        raise InputError(f"{path}: {table.shape[1] + 1} columns, not 2 (image name and number)")
    return table.iloc[:, 0]


def _read_lines(path: Path) -> tuple[list[str], str | None, list[str]]:
    """Read the lines of a list that are not blank, its separator, and notes on its form."""
    try:
        content = path.read_bytes()
        lines = decode(content).replace('"', "").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    lines = [line for line in lines if line.strip()]
    first = next((line for line in lines if not _COUNT.fullmatch(line)), "")
    separator = next((sign for sign in ",;" if sign in first), None)  # None: spaces and tabs
    return lines, separator, form_notes(path, content, separator)


def _parse(path: Path, lines: list[str], separator: str | None, kind: type) -> pd.DataFrame:
    """Read the values of a list by image name; NotNumbers if they are not of a kind of number."""
    columns, lines = _split_header(path, lines, separator)
    try:
        with np.errstate(invalid="raise"):  # 1e999 as int64
            table = pd.read_csv(
                io.StringIO("\n".join(lines)),
                sep=separator or r"\s+",
                header=None,
                index_col=0,
                names=["name", *columns],
                dtype={"name": str} | dict.fromkeys(columns, kind),
                keep_default_na=False,
                quoting=3,
                skipinitialspace=True,
            )
    except (ValueError, ArithmeticError) as error:
        raise NotNumbers(f"{path}: not a list of whole numbers ({error})") from None
    table = table.sort_index()
    if not table.index.is_unique:
        raise InputError(f"{path}: {table.index[table.index.duplicated()][0]} is listed twice")
    for name in table.index:
        if name != Path(name).name or "\\" in name or name == "..":
            raise InputError(
                f"{path}: {name[:60]!r} is not a plain file name. Leave out the folder, or use a "
                "labels.csv, which may list paths"
            )
    return table


def _split_header(
    path: Path, lines: list[str], separator: str | None
) -> tuple[list[str], list[str]]:
    """Return the names of all columns but the first, and the rows."""
    stated = int(lines[0]) if lines and _COUNT.fullmatch(lines[0]) else None
    lines = lines if stated is None else lines[1:]
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
    return columns, lines
