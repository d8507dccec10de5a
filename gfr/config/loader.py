"""Read a benchmark file, and report every mistake in it in one line.

Rows of tables are called by their own names, and only the first problems are listed.
"""

import json
import math
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gfr import text as gfr_text
from gfr.config.keras_applications import (
    APPLICATIONS,
    OWN_MODEL,
    OWN_PREPROCESSING,
    SCALINGS,
    Application,
)
from gfr.config.schema import Backbone, Benchmark, Iteration, Selecting, problems
from gfr.errors import InputError, did_you_mean, reason
from gfr.types import NAME

MAX_PROBLEMS = 3  # listed at once

_LONGEST = 60  # characters shown of a word from the file

_UNKNOWN_KEY = "unexpected_keyword_argument"

_NAMED_BY = {"backbone": ("label", "name"), "iteration": ("number",)}

_ADAPTER = TypeAdapter(Benchmark)


def load(path: Path) -> Benchmark:
    """Read and validate a benchmark file; InputError names the file, the place and the fix."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device has no end
        raise InputError(f"{path}: not a file; name a benchmark file")
    try:
        benchmark = check(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); name a benchmark file, or one of "
            "benchmarks/ without .toml"
        ) from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    # Beside its own error tomllib lets a ValueError (a number of 5,000 digits) and, for deep
    # nesting, a RecursionError through.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from None
    return replace(
        benchmark, backbone=tuple(_located(row, path.parent) for row in benchmark.backbone)
    )


def _located(row: Backbone, folder: Path) -> Backbone:
    """Make `file` absolute; it is relative to the folder of the benchmark file."""
    return replace(row, file=row.file and os.path.abspath(folder / row.file))  # noqa: PTH100 (keeps links)


def check(document: dict[str, Any]) -> Benchmark:
    """Validate a parsed benchmark document and fill in every default."""
    try:
        benchmark = _ADAPTER.validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        raise InputError(_line(error, document)) from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise InputError(reason(error)) from None
    for place, row in enumerate(benchmark.backbone):
        for problem in _backbone_problems(row):
            raise InputError(f"{_row_name('backbone', place, document)}: {problem}")
    benchmark = replace(benchmark, backbone=tuple(map(_filled, benchmark.backbone)))
    for problem in _problems(benchmark):
        raise InputError(problem)
    return benchmark


def limited(benchmark: Benchmark, limits: Selecting) -> Benchmark:
    """Replace the benchmark's limits of a selected model by those given."""
    given = {name: value for name, value in asdict(limits).items() if value is not None}
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise InputError(f"{name} = {value}: must be above 0")
    return replace(benchmark, selection=replace(benchmark.selection, **given))


def absence(path: Path) -> str:
    """Return a sentence if the file does not exist; else an empty string."""
    if path.is_file():
        return ""
    return f"{path}: no such file; `file` is relative to the benchmark file's folder"


def _line(error: ValidationError, document: dict[str, Any]) -> str:
    """List the first problems, one for each place in the file, and count the others."""
    schema = _ADAPTER.json_schema()
    tables = [schema, *schema["$defs"].values()]
    keys = {key for table in tables for key in table["properties"]}
    # An unknown key explains a missing one: `sede` before `seed`.
    errors = sorted(error.errors(include_url=False), key=lambda row: row["type"] != _UNKNOWN_KEY)
    lines: dict[tuple[int | str, ...], str] = {}
    for row in errors:  # of a union's branches the first
        place = row["loc"]
        if row["type"] != _UNKNOWN_KEY:  # without the branch of a union, which pydantic adds
            place = tuple(part for part in place if isinstance(part, int) or part in keys)
        lines.setdefault(place, _problem(row, place, document, keys))
    more = f" (and {len(lines) - MAX_PROBLEMS} more)" if len(lines) > MAX_PROBLEMS else ""
    return "; ".join(list(lines.values())[:MAX_PROBLEMS]) + more


def _row_name(table: str, place: int, document: dict[str, Any]) -> str:
    """Name a row `iteration 4` or `backbone VGG16`, or by its place if the name is not unique."""
    names = [_own_name(table, row) for row in document[table]]
    if not names[place] or names.count(names[place]) > 1:
        return f"[[{table}]] no. {place + 1}"
    return f"{table} {_shown(names[place])}"


def _own_name(table: str, row: Any) -> object:
    names = [row.get(key) for key in _NAMED_BY[table]] if isinstance(row, dict) else []
    return next(filter(None, names), None)


def _problem(row: Any, place: tuple[int | str, ...], document: Any, keys: set[str]) -> str:
    where, parts = "", place
    if len(place) > 2 and place[0] in _NAMED_BY:
        where, parts = f"{_row_name(str(place[0]), int(place[1]), document)}: ", place[2:]
    key = ".".join(_shown(part + 1 if isinstance(part, int) else part) for part in parts)
    if row["type"] == "missing":
        return f"{where}missing {'value' if isinstance(place[-1], int) else 'key'} {key}"
    if row["type"] != _UNKNOWN_KEY:
        return f"{where}{key}: {row['msg'][0].lower()}{row['msg'][1:]}, got {row['input']!r:.60}"
    if key.lower().startswith("augment"):
        return (
            f"{where}{key}: gfr computes each feature once, which is correct only for unaugmented "
            "images; remove it"
        )
    meant = did_you_mean(str(place[-1]), keys) or "remove it or fix its spelling"
    return f"{where}unknown key {key}; {meant}".rstrip()


def _shown(word: object) -> str:
    return gfr_text.line(str(word))[:_LONGEST]


def _filled(row: Backbone) -> Backbone:
    scaling = row.scaling or _application(row).scaling
    return replace(row, scaling=scaling, label=row.label or row.name)


def _application(row: Backbone) -> Application:
    return OWN_MODEL if row.file else APPLICATIONS[row.name]


def _backbone_problems(row: Backbone) -> Iterator[str]:
    """Yield a sentence for everything wrong with one row."""
    if row.file:
        yield from _file_problems(row)
    elif row.name not in APPLICATIONS:
        yield (
            f"unknown name {row.name!r:.80}; {did_you_mean(row.name, APPLICATIONS)}"
            f"known: {', '.join(APPLICATIONS)}"
        )
    if row.scaling not in ("", *SCALINGS):
        yield f"unknown scaling {row.scaling!r}; known: {', '.join(SCALINGS)}"
    scales_itself = not row.file and _application(row).scaling == OWN_PREPROCESSING
    if scales_itself and row.scaling not in ("", OWN_PREPROCESSING):
        yield f"{row.name} scales its input itself; remove scaling = {row.scaling!r}"


def _file_problems(row: Backbone) -> Iterator[str]:
    if not re.fullmatch(NAME, row.name):
        yield (
            f"name {row.name!r:.80}: letters, digits and _ . + only, at most 64: it becomes part "
            "of file names"
        )
    if row.name in APPLICATIONS:
        yield f"{row.name} is Keras' own; give the model of {row.file!r} another name"
    if row.weights:
        yield "weights and file: an own model has its own; remove weights"
    if not row.file.endswith(".keras"):
        yield (
            f"file {row.file!r}: not a .keras file; load it where you trust it and save it again "
            'with model.save("….keras")'
        )


def _problems(benchmark: Benchmark) -> Iterator[str]:
    """Yield a sentence for everything that contradicts another part of the file."""
    yield from _repeats([row.label for row in benchmark.backbone], "backbone", "label")
    yield from _repeats([row.number for row in benchmark.iteration], "iteration", "number")
    labels = {row.label for row in benchmark.backbone}
    for row in benchmark.iteration:
        for unknown in sorted(set(row.backbones) - labels):
            yield (
                f"iteration {row.number}: unknown backbone {unknown!r:.80}; "
                f"{did_you_mean(unknown, labels)}known: {', '.join(sorted(labels))}"
            )
    yield from problems(benchmark)
    for trial in benchmark.trials:
        yield from _size_problems(trial.backbone, trial.iteration)


def _size_problems(backbone: Backbone, iteration: Iteration) -> Iterator[str]:
    name, where = backbone.name, f"iteration {iteration.number}"
    application = _application(backbone)
    if min(iteration.size) < application.min_side_px:
        yield (
            f"{where}: size {list(iteration.size)} is impossible, {name} needs at least "
            f"{application.min_side_px} px a side"
        )
    if iteration.input == "any" and not application.any_size:
        yield f'{where}: {name} cannot take any size; set input = "fixed"'


def _repeats(values: list[str] | list[int], table: str, key: str) -> Iterator[str]:
    # Labels become file names, and some file systems ignore case.
    folded = [str(value).casefold() for value in values]
    for value, plain in zip(values, folded, strict=True):
        if folded.count(plain) > 1:
            yield f"[[{table}]]: {key} {value!r} is used twice; give each its own {key}"
