"""Read lists of labels: CelebA's official form with spaces, or separated as in a CSV.

Spreadsheets and scripts write such lists in several ways. What can only mean one thing is read, and
each reader says in a note what it assumed; anything else is rejected with its remedy.
"""

import codecs
import io
import re
from collections import Counter
from collections.abc import Hashable
from pathlib import Path

import pandas as pd

from gfr.errors import InputError, reason

LABEL_FILES = ("list_attr_celeba.txt", "list_attr_celeba.csv", "list_attribute.txt")

# Lists of one whole number for each image, by the name of the column that they become.
LISTS = {
    "partition": ("list_eval_partition.txt", "list_eval_partition.csv"),
    "identity": ("identity_CelebA.txt", "identity_CelebA.csv"),
}

SEPARATORS = {";": "semicolons", "\t": "tabs"}  # instead of commas

MALE = "Male"  # CelebA's name of the label

# Headers of the column of images; not those of an attribute, even if the rows are one longer.
_IMAGE_NAMES = ("image", "image_id", "image_name", "file", "file_name", "filename", "name")

# [0-9], not \d: int() does not read everything that Unicode calls a digit.
_COUNT = re.compile(r"\s*[0-9]{1,18}\s*")

_NUMBER = re.compile(r"\s*-?[0-9]+\s*")

_WHOLE = re.compile(r"(-?[0-9]{1,18})(\.0+)?")

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# Two values of one kind; 0.0, 1.0 and -1.0 mean the same as 0, 1 and -1.
_FLAGS = [{no: False, yes: True} for no, yes in (("-1", "1"), ("0", "1"), ("false", "true"))]
_GENDERS = [{"female": False, "male": True}, {"f": False, "m": True}]  # of the label only


def decode(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 with its mark, which Excel calls Unicode text."""
    if b"\0" in content and not content.startswith(_UTF_16):
        place = content.index(b"\0")
        raise UnicodeDecodeError("utf-8", content, place, place + 1, "is it UTF-16 without a mark?")
    return content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")


def form_notes(path: Path, content: bytes, separator: str | None) -> list[str]:
    """Say that a list is encoded or separated in a way that is read, but not the usual one.

    Usual are commas in a .csv, and spaces (None) in other files.
    """
    notes = [f"{path.name}: read as UTF-16"] if content.startswith(_UTF_16) else []
    if separator != ("," if path.suffix.lower() == ".csv" else None):
        name = SEPARATORS.get(separator or "", "commas" if separator else "spaces")
        notes.append(f"{path.name}: separated by {name}")
    return notes


def flags(column: pd.Series, is_label: bool) -> pd.Series | None:
    """Read a column of str as bool; None if it does not hold two values of one kind.

    Male and female, m and f are read only where `is_label`: 1 means male.
    """
    cells = column.astype("category")
    plain = {value: _plain(value) for value in cells.cat.categories}
    meaning = next((kind for kind in _kinds(is_label) if kind.keys() >= set(plain.values())), None)
    if meaning is None:
        return None
    is_yes = {value: meaning[word] for value, word in plain.items()}
    return pd.Series(cells.map(is_yes).to_numpy(bool), column.index)


def flags_problem(column: pd.Series, is_label: bool) -> tuple[Hashable, str]:
    """Return the index of the first row for which `flags` returns None, and why."""
    words = column.astype(str).map(_plain)
    unknown = column[~words.isin(set().union(*_kinds(is_label)))]
    accepted = "true/false, female/male or f/m" if is_label else "or true/false"
    place, why = column.index[0], f"mixes {sorted(set(words))}"
    if len(unknown):
        place, why = unknown.index[0], f"is {unknown.iloc[0]!r:.40}"
    accepted = f"0/1, 0.0/1.0, -1/1{',' if is_label else ''} {accepted}"
    return place, f"{column.name} {why}; use {accepted} for the whole column"


def _kinds(is_label: bool) -> list[dict[str, bool]]:
    return [*_FLAGS, *_GENDERS] if is_label else _FLAGS


def _plain(value: str) -> str:
    """Write a value in lower case, and 1.0 as 1."""
    number = _WHOLE.fullmatch(value.strip())
    return number[1] if number else value.strip().lower()


def words_notes(path: Path, column: pd.Series) -> list[str]:
    """Say that the label is written in words or letters, and which of them means male."""
    values = sorted(set(column))
    plain = {_plain(value): value for value in values}
    kind = next((kind for kind in _GENDERS if kind.keys() >= plain.keys()), None)
    if kind is None:
        return []
    male = next(word for word, is_male in kind.items() if is_male)
    *others, last = values
    has = f"the values {', '.join(others)} and {last}" if others else f"the value {last}"
    return [f"{path.name}: {column.name} has {has}; {plain.get(male, male)} means male"]


def read_attributes(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read all attributes as bool, one row per image, sorted by name; and notes on its form."""
    table, notes = _read(path)
    if MALE not in table.columns:
        raise InputError(f"{path}: no column Male in its header. Is it CelebA's attribute list?")
    read = {name: flags(table[name], name == MALE) for name in table.columns}
    for name, column in read.items():
        if column is None:
            image, why = flags_problem(table[name], name == MALE)
            raise InputError(f"{path}: {image}: {why}")
    notes += words_notes(path, table[MALE])
    values = {_plain(value) for name in table.columns for value in table[name].cat.categories}
    if values & {"0", "false"}:
        notes.append(f"{path.name}: 0 or False means no")
    return pd.DataFrame(read), notes


def read_column(path: Path) -> tuple[pd.Series, list[str]]:
    """Read a two-column list (identity or partition) as int64 by image name; and notes."""
    table, notes = _read(path)
    if table.shape[1] != 1:
        raise InputError(f"{path}: {table.shape[1] + 1} columns, not 2 (image name and number)")
    column = table.iloc[:, 0]
    numbers = {value: _WHOLE.fullmatch(value.strip()) for value in column.cat.categories}
    wrong = column[column.isin([value for value, number in numbers.items() if not number])]
    if len(wrong):
        raise InputError(
            f"{path}: {wrong.index[0]}: {wrong.iloc[0]!r:.40} is not a whole number of at most 18 "
            "digits. Correct that line"
        )
    number_of = {value: int(number[1]) for value, number in numbers.items() if number}
    values = [number_of[value] for value in column]
    return pd.Series(values, column.index, "int64", str(column.name)), notes


def _read(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a list as categories of str by image name, sorted; and notes on its form."""
    try:
        content = path.read_bytes()
        text = decode(content)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    lines = [line for line in text.replace('"', "").splitlines() if line.strip()]
    stated = int(lines[0]) if lines and _COUNT.fullmatch(lines[0]) else None
    lines = lines if stated is None else lines[1:]
    separator = _separator(lines)
    has_tabs = separator is None and any("\t" in line for line in lines)
    notes = form_notes(path, content, "\t" if has_tabs else separator)
    if '"' in text:
        notes.append(f"{path.name}: values are in quotes")
    columns, lines = _split_header(path, lines, separator)
    if stated not in (None, len(lines)):
        raise InputError(f"{path}: states {stated:,} rows, has {len(lines):,}. Is it cut short?")
    return _parse(path, columns, lines, separator), notes


def _separator(lines: list[str]) -> str | None:
    """Return the separator of a list; None: spaces, or tabs that only align columns."""
    if not lines:
        return None
    if separator := next((sign for sign in ",;" if sign in lines[0]), None):
        return separator
    in_header, *in_rows = (line.count("\t") for line in lines)
    num_tabs = max(in_rows, default=in_header)
    # CelebA's header has no name for the column of images.
    is_even = set(in_rows) <= {num_tabs} and in_header in (num_tabs - 1, num_tabs)
    return "\t" if num_tabs and is_even else None


def _parse(path: Path, columns: list[str], lines: list[str], separator: str | None) -> pd.DataFrame:
    if separator is None:
        lines = ["\t".join(line.split()) for line in lines]
    places = range(len(columns) + 1)
    try:
        table = pd.read_csv(
            io.StringIO("\n".join(lines)),
            sep=separator or "\t",
            header=None,
            index_col=0,
            names=list(places),
            dtype=str,
            keep_default_na=False,
            quoting=3,
            skipinitialspace=True,
        )
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as a list ({reason(error)})") from None
    table = (
        table.astype("category").set_axis(columns, axis="columns").rename_axis("name").sort_index()
    )
    if not table.index.is_unique:
        raise InputError(
            f"{path}: {table.index[table.index.duplicated()][0]} is listed twice. Remove one"
        )
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
    header = lines[0].split(separator) if lines else []
    if len(header) > 1 and _NUMBER.fullmatch(header[-1]):  # no header, as in the two-column lists
        header = [f"column {i}" for i in range(len(header))]
    else:
        lines = lines[1:]
    if not lines:
        raise InputError(f"{path}: no rows. Is the file cut short?")
    columns = [name.strip() for name in header]
    if len(columns) == len(lines[0].split(separator)) or columns[0].lower() in _IMAGE_NAMES:
        columns = columns[1:]  # Kaggle's CSV names the first column, the official list does not
    if repeated := [name for name, count in Counter(columns).items() if count > 1]:
        raise InputError(f"{path}: column {repeated[0]!r:.60} is listed twice. Remove one")
    expected = len(columns) + 1
    for line in lines:
        if (fields := len(line.split(separator))) != expected:
            remedy = "Give each line one value for each column"
            if separator is None:
                remedy = "Separate columns by tabs or commas if names have spaces"
            raise InputError(f"{path}: {line[:40]!r}: {fields} fields, not {expected}. {remedy}")
    return columns, lines
