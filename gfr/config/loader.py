"""Turn pydantic's errors about a benchmark file into one line.

Rows of tables are called by their own names, and only the first problems are listed.
"""

import json
import math
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from gfr import text as gfr_text
from gfr.config.keras_applications import APPLICATIONS, OWN_MODEL, OWN_PREPROCESSING, SCALINGS
from gfr.config.schema import Backbone, Benchmark, Iteration, Selecting, _problems
from gfr.errors import InputError, did_you_mean, reason
from gfr.types import NAME

MAX_PROBLEMS = 3  # listed at once

_LONGEST = 60  # characters shown of a word from the file

_NAMED_BY = {"backbone": ("label", "name"), "iteration": ("number",)}


def line(error: ValidationError, document: object, table: type) -> str:
    """List the first problems, one for each place in the file, and count the others.

    `table`: the dataclass of the whole file, for the keys that an unknown key may stand for.
    """
    keys = _keys(table)
    # An unknown key explains a missing one: `sede` before `seed`.
    errors = error.errors(include_url=False)
    errors.sort(key=lambda row: row["type"] != "unexpected_keyword_argument")
    problems: dict[tuple[int | str, ...], str] = {}
    for row in errors:  # of a union's branches the first
        place = _known_part(row["loc"], document)
        problems.setdefault(place, _problem(row, place, document, keys))
    lines = list(problems.values())
    more = f" (and {len(lines) - MAX_PROBLEMS} more)" if lines[MAX_PROBLEMS:] else ""
    return "; ".join(lines[:MAX_PROBLEMS]) + more


def row_name(table: str, place: int, document: object) -> str:
    """Name a row `iteration 4` or `backbone VGG16`, or by its place if the name is not unique."""
    rows = document.get(table) if isinstance(document, dict) else None
    names = [_own_name(table, row) for row in rows] if isinstance(rows, list) else []
    name = names[place] if place < len(names) else None
    if name is None or names.count(name) > 1:
        return f"[[{table}]] no. {place + 1}"
    return f"{table} {_shown(name)}"


def _own_name(table: str, row: object) -> str | None:
    names = [row.get(key) for key in _NAMED_BY[table]] if isinstance(row, dict) else []
    # True is not a number.
    return next((str(name) for name in names if type(name) in (int, str) and name != ""), None)


def _keys(table: type) -> set[str]:
    """All keys that a benchmark file may have, in any of its tables."""
    keys = {row.name for row in fields(table)}
    for hint in get_type_hints(table).values():
        for part in (hint, *get_args(hint)):
            if is_dataclass(part) and isinstance(part, type):
                keys |= _keys(part)
    return keys


def _problem(
    row: Mapping[str, Any],
    place: tuple[int | str, ...],
    document: object,
    keys: Collection[str],
) -> str:
    where, parts = "", place
    if len(place) > 2 and place[0] in _NAMED_BY and isinstance(place[1], int):
        where, parts = f"{row_name(str(place[0]), place[1], document)}: ", place[2:]
    key = ".".join(_shown(part + 1 if isinstance(part, int) else part) for part in parts)
    if row["type"] == "unexpected_keyword_argument":
        meant = did_you_mean(str(place[-1]), keys)
        return f"{where}unknown key {key}; {meant or 'remove it or fix its spelling'}".rstrip()
    if row["type"] == "missing":
        return f"{where}missing {'value' if isinstance(place[-1], int) else 'key'} {key}"
    return f"{where}{key}: {row['msg'][0].lower()}{row['msg'][1:]}, got {row['input']!r:.60}"


def _known_part(location: tuple[int | str, ...], document: object) -> tuple[int | str, ...]:
    """Return the place without what pydantic adds: the branch of a union that did not fit."""
    known: list[int | str] = []
    value = document
    for part in location:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            break
        known.append(part)
    return tuple(known) or location


def _shown(word: object) -> str:
    return gfr_text.line(str(word))[:_LONGEST]


def load(path: Path) -> Benchmark:
    """Read and validate a benchmark file; InputError names the file, the place and the fix."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device has no end
        raise InputError(f"{path}: not a file; name a benchmark file")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); name a benchmark file, or one of "
            "benchmarks/ without .toml"
        ) from None
    # Beside its own error tomllib lets a ValueError (a number of 5,000 digits) and, for deep
    # nesting, a RecursionError through.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from None
    try:
        _refuse_what_breaks_features_once(document)
        locate(document, path.parent)
        return check(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def limited(benchmark: Benchmark, limits: Selecting) -> Benchmark:
    """Replace the benchmark's limits of a selected model by those given."""
    given = {name: value for name, value in vars(limits).items() if value is not None}
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise InputError(f"{name} = {value}: must be above 0")
    return replace(benchmark, selection=replace(benchmark.selection, **given))


def check(document: object) -> Benchmark:
    """Validate a parsed benchmark document and fill in every default."""
    try:
        text = json.dumps(document, default=str)
        benchmark = TypeAdapter(Benchmark).validate_json(text, strict=True)
    except ValidationError as error:
        raise InputError(line(error, document, Benchmark)) from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise InputError(reason(error)) from None
    filled = tuple(
        _fill(row, row_name("backbone", place, document))
        for place, row in enumerate(benchmark.backbone)
    )
    benchmark = replace(benchmark, backbone=filled)
    _check_rows(benchmark)
    return benchmark


def _refuse_what_breaks_features_once(document: dict[str, Any]) -> None:
    tables = [("", document)]
    for name, value in document.items():
        rows = value if isinstance(value, list) else [value]
        tables += [(f"{name}.", row) for row in rows if isinstance(row, dict)]
    once = "gfr computes each feature once, which is correct only for"
    for place, table in tables:
        if table.get("freeze") is False:
            raise InputError(f"{place}freeze = false: {once} a frozen backbone; set freeze = true")
        for key in table:
            if key.lower().startswith("augment"):
                raise InputError(f"{place}{key}: {once} unaugmented images; remove it")


def _fill(row: Backbone, where: str) -> Backbone:
    application = OWN_MODEL if row.file else APPLICATIONS.get(row.name)
    if row.file:
        check_row(row.name, row.file, row.weights, where)
    if application is None:
        raise InputError(
            f"{where}: unknown name {row.name!r:.80}; {did_you_mean(row.name, APPLICATIONS)}"
            f"known: {', '.join(APPLICATIONS)}"
        )
    scaling = row.scaling or application.scaling
    if scaling not in SCALINGS:
        raise InputError(f"{where}: unknown scaling {scaling!r}; known: {', '.join(SCALINGS)}")
    scales_itself = application.scaling == OWN_PREPROCESSING and not row.file
    if scales_itself and scaling != OWN_PREPROCESSING:
        raise InputError(
            f"{where}: {row.name} scales its input itself; remove scaling = {scaling!r}"
        )
    return Backbone(row.name, scaling, row.weights, row.label or row.name, row.file)


def _check_rows(benchmark: Benchmark) -> None:
    _refuse_repeats([row.label for row in benchmark.backbone], "backbone", "label")
    _refuse_repeats([row.number for row in benchmark.iteration], "iteration", "number")
    labels = {row.label for row in benchmark.backbone}
    for row in benchmark.iteration:
        for unknown in sorted(set(row.backbones) - labels):
            raise InputError(
                f"iteration {row.number}: unknown backbone {unknown!r:.80}; "
                f"{did_you_mean(unknown, labels)}known: {', '.join(sorted(labels))}"
            )
    if problem := next(_problems(benchmark), ""):
        raise InputError(problem)
    for trial in benchmark.trials:
        _check_size(trial.backbone, trial.iteration)


def _check_size(backbone: Backbone, iteration: Iteration) -> None:
    name, where = backbone.name, f"iteration {iteration.number}"
    application = OWN_MODEL if backbone.file else APPLICATIONS[name]
    if min(iteration.size) < application.min_side_px:
        raise InputError(
            f"{where}: size {list(iteration.size)} is impossible, {name} needs at least "
            f"{application.min_side_px} px a side"
        )
    if iteration.input == "any" and not application.any_size:
        raise InputError(f'{where}: {name} cannot take any size; set input = "fixed"')


def _refuse_repeats(values: list[str] | list[int], table: str, key: str) -> None:
    # Labels become file names, and some file systems ignore case.
    folded = [str(value).casefold() for value in values]
    for value, plain in zip(values, folded, strict=True):
        if folded.count(plain) > 1:
            raise InputError(f"[[{table}]]: {key} {value!r} is used twice; give each its own {key}")


def locate(document: dict[str, Any], folder: Path) -> None:
    """Make each `file` of a parsed benchmark absolute; it is relative to the TOML's folder."""
    rows = document.get("backbone")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("file"), str) and row["file"]:
            row["file"] = os.path.abspath(folder / row["file"])  # noqa: PTH100 (keeps links)


def check_row(name: str, file: str, weights: str, where: str) -> None:
    """Raise InputError if the rest of a row does not fit its `file`."""
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{where}: name {name!r:.80}: letters, digits and _ . + only, at most 64: it becomes "
            "part of file names"
        )
    if name in APPLICATIONS:
        raise InputError(f"{where}: {name} is Keras' own; give the model of {file!r} another name")
    if weights:
        raise InputError(f"{where}: weights and file: an own model has its own; remove weights")
    if not file.endswith(".keras"):
        raise InputError(
            f"{where}: file {file!r}: not a .keras file; load it where you trust it and write it "
            'anew with model.save("….keras")'
        )


def absence(path: Path) -> str:
    """Return a sentence if the file does not exist; else an empty string."""
    if path.is_file():
        return ""
    return f"{path}: no such file; `file` is relative to the benchmark file's folder"
