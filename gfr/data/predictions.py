"""Answers of another classifier in a CSV: the probability of male of each image.

    image,p_male
    000001.jpg,0.97

Names are those that `gfr split` writes. A column `male` or `answer` may hold 0/1, M/F or
male/female instead of p_male. An image without a row or a value is a miss. Does not open an image.
"""

import re
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gfr.data import csv_table, label_lists
from gfr.data.csv_table import Rows, error_at
from gfr.errors import InputError, did_you_mean
from gfr.text import counted

FIRST_LINE = "image,p_male"

_PROBABILITY, *_ANSWERS = _VALUES = ("p_male", "male", "answer")

_OF_SPLIT = ("split", "path")  # further columns that `gfr split` writes

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Predictions:
    """The answers for the images of a run.

    `p_male`: 0..1 by image name; an image that it lacks is a miss. `num_other`: images in the file
    that the run does not use. `notes`: what was assumed, one fact each.
    """

    p_male: dict[str, float]
    num_other: int
    notes: tuple[str, ...]


def read_csv(path: Path) -> dict[str, float]:
    """Read p_male, 0..1, by image name; images without a value are left out.

    Raises:
        InputError: the file is not such a CSV; names the file, the line and the remedy.
    """
    return _read(path)[0]


def of_images(path: Path, names: Collection[str]) -> Predictions:
    """Read the answers for those of the images that the file has; the others are misses.

    Raises:
        InputError: see `read_csv`, or the file has no answer for any of these images.
    """
    answers, notes = _read(path)
    of_run = {name: answers[name] for name in names if name in answers}
    others = answers.keys() - of_run.keys()
    if not of_run:
        if not answers:
            raise InputError(f"{path}: every value is empty. Write one for each image")
        raise InputError(
            f"{path}: no answer for any image of the run (its first image is "
            f"{next(iter(answers))!r:.80}). Name the images as `gfr split` writes them, e.g. "
            f"{min(names)}"
        )
    if others:
        notes.append(
            f"{path.name}: {counted(len(others), 'image')} not of this run, the first is "
            f"{min(others)}: ignored"
        )
    return Predictions(of_run, len(others), tuple(notes))


def _read(path: Path) -> tuple[dict[str, float], list[str]]:
    """Return p_male by image name, and notes on the form of the file."""
    rows = csv_table.read(path, FIRST_LINE)
    columns = _columns(path, rows)
    table = rows.frame().set_axis(columns, axis="columns")
    _check_names(path, table["image"])
    (key,) = (name for name in columns if name in _VALUES)
    given = table[table[key] != ""]
    read = _probabilities if key == _PROBABILITY else _answers
    notes = [*rows.notes, *(label_lists.words_notes(path, given[key]) if key in _ANSWERS else [])]
    values = read(path, given[key]) if len(given) else []
    return dict(zip(given["image"], values, strict=True)), notes


def _columns(path: Path, rows: Rows) -> list[str]:
    """Return the header in lower case; InputError unless it has `image` and one kind of answer."""
    columns = [name.lower() for name in rows.header]
    known = ("image", *_VALUES, *_OF_SPLIT)
    if "image" not in columns:
        raise InputError(f"{path}: no column image. The first line is {FIRST_LINE}")
    for name in columns:
        if "female" in name:  # close to `male`, and the opposite
            raise InputError(f"{path}: column {name!r:.60}. Give p_male, the probability of male")
        if name not in known:
            hint = f"{did_you_mean(name, known)}known: {', '.join(known)}"
            raise InputError(f"{path}: unknown column {name!r:.60}; {hint}. Rename or remove it")
        if columns.count(name) > 1:
            raise InputError(f"{path}: column {name!r} is listed twice. Remove one")
    values = [name for name in columns if name in _VALUES]
    if not values:
        raise InputError(f"{path}: no column p_male. The first line is {FIRST_LINE}")
    if len(values) > 1:
        raise InputError(f"{path}: columns {' and '.join(values)}. Keep only one of them")
    return columns


def _check_names(path: Path, names: pd.Series) -> None:
    line_of: dict[str, Hashable] = {}
    for line, name in names.items():
        if not name:
            raise error_at(path, line, "no image. Name it or remove the line")
        if name in line_of:
            why = f"{name!r:.80} is listed twice, first in line {line_of[name]}. Remove one"
            raise error_at(path, line, why)
        line_of[name] = line


def _probabilities(path: Path, cells: pd.Series) -> list[float]:
    for line, cell in cells.items():
        if not (_NUMBER.fullmatch(cell) and 0 <= float(cell) <= 1):
            why = f"p_male is {cell!r:.40}; use a number from 0 to 1, or leave it empty for a miss"
            raise error_at(path, line, why)
    return [abs(float(cell)) for cell in cells]  # without the sign of -0


def _answers(path: Path, cells: pd.Series) -> list[float]:
    flags = label_lists.flags(cells, is_label=True)
    if flags is None:
        raise error_at(path, *label_lists.flags_problem(cells, is_label=True))
    return [float(flag) for flag in flags]
