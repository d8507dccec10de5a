"""Read a benchmark file, and report every mistake in it in one line.

Rows of tables are called by their own names, and only the first problems are listed.
"""

import json
import math
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gfr import text as gfr_text
from gfr.config import keras_applications
from gfr.config.keras_applications import APPLICATIONS, OWN_PREPROCESSING
from gfr.config.scaling import SCALINGS
from gfr.config.schema import ENGINES, FORMATS, Backbone, Benchmark, Iteration, Selecting
from gfr.errors import InputError, did_you_mean
from gfr.types import NAME

MAX_PROBLEMS = 3  # listed at once

_LONGEST = 60  # characters shown of a word from the file

_UNKNOWN_KEY = "unexpected_keyword_argument"

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
    # Beside TOML's own error: a ValueError for a number of 5,000 digits, and a RecursionError for
    # deep nesting.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from None
    folder = path.parent  # `file` is relative to it; abspath keeps links
    rows = [
        replace(row, file=row.file and os.path.abspath(folder / row.file))  # noqa: PTH100
        for row in benchmark.backbone
    ]
    return replace(benchmark, backbone=tuple(rows))


def check(document: dict[str, Any]) -> Benchmark:
    """Validate a parsed benchmark document and fill in every default."""
    try:
        benchmark = _ADAPTER.validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        raise InputError(_line(error, document)) from None
    for place, row in enumerate(benchmark.backbone):
        for problem in _backbone_problems(row):
            raise InputError(f"{_row_name('backbone', place, document)}: {problem}")
    benchmark = replace(benchmark, backbone=tuple(map(_filled, benchmark.backbone)))
    for problem in _problems(benchmark):
        raise InputError(problem)
    return benchmark


def limited(benchmark: Benchmark, given: Selecting) -> Benchmark:
    """Replace the benchmark's limits of a selected model by those given."""
    for name, value in given.limits.items():
        if not 0 < value < math.inf:
            raise InputError(f"{name} = {value}: must be above 0")
    changed: dict[str, Any] = {**given.limits}
    return replace(benchmark, selection=replace(benchmark.selection, **changed))


def absence(path: Path) -> str:
    """Return a sentence if the file does not exist; else an empty string."""
    if path.is_file():
        return ""
    return f"{path}: no such file; `file` is relative to the benchmark file's folder"


def _line(error: ValidationError, document: dict[str, Any]) -> str:
    """List the first problems, one for each place in the file, and count the others."""
    schema = _ADAPTER.json_schema()
    keys = {key for table in (schema, *schema["$defs"].values()) for key in table["properties"]}
    lines: dict[tuple[int | str, ...], str] = {}  # of a union's branches the first
    # An unknown key explains a missing one: `sede` before `seed`.
    for row in sorted(error.errors(include_url=False), key=lambda row: row["type"] != _UNKNOWN_KEY):
        place = row["loc"]
        if row["type"] != _UNKNOWN_KEY:  # without the branch of a union, which pydantic adds
            place = tuple(part for part in place if isinstance(part, int) or part in keys)
        lines.setdefault(place, _problem(row, place, document, keys))
    more = f" (and {len(lines) - MAX_PROBLEMS} more)" if len(lines) > MAX_PROBLEMS else ""
    return "; ".join(list(lines.values())[:MAX_PROBLEMS]) + more


def _row_name(table: str, place: int, document: dict[str, Any]) -> str:
    """Name a row `iteration 4` or `backbone VGG16`, or by its place if it has no name."""
    row = document[table][place]
    name = row.get("label") or row.get("name") or row.get("number")
    return f"{table} {_shown(name)}" if name else f"[[{table}]] no. {place + 1}"


def _problem(row: Any, place: tuple[int | str, ...], document: Any, keys: set[str]) -> str:
    where, parts = "", place
    if len(place) > 2 and isinstance(place[1], int):
        where, parts = f"{_row_name(str(place[0]), place[1], document)}: ", place[2:]
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


def _application(row: Backbone) -> keras_applications.Application:
    return keras_applications.OWN_MODEL if row.file else APPLICATIONS[row.name]


def _backbone_problems(row: Backbone) -> Iterator[str]:
    """Yield a sentence for everything wrong with one row."""
    if row.file:
        yield from _file_problems(row)
    elif row.name not in APPLICATIONS:
        known = f"{did_you_mean(row.name, APPLICATIONS)}known: {', '.join(APPLICATIONS)}"
        yield f"unknown name {row.name!r:.80}; {known}"
    if row.scaling not in ("", *SCALINGS):
        yield f"unknown scaling {row.scaling!r}; known: {', '.join(SCALINGS)}"
    scales_itself = not row.file and _application(row).scaling == OWN_PREPROCESSING
    if scales_itself and row.scaling not in ("", OWN_PREPROCESSING):
        yield f"{row.name} scales its input itself; remove scaling = {row.scaling!r}"


def _file_problems(row: Backbone) -> Iterator[str]:
    if not re.fullmatch(NAME, row.name):
        yield f"name {row.name!r:.80}: letters, digits and _ . + only, at most 64"
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
            known = f"{did_you_mean(unknown, labels)}known: {', '.join(sorted(labels))}"
            yield f"iteration {row.number}: unknown backbone {unknown!r:.80}; {known}"
    yield from _table_problems(benchmark)
    yield from _name_problems("latency.engines", "engine", benchmark.latency.engines, ENGINES)
    yield from _name_problems("export.formats", "format", benchmark.export.formats or (), FORMATS)
    for trial in benchmark.trials:
        yield from _size_problems(trial.backbone, trial.iteration)


def _table_problems(benchmark: Benchmark) -> Iterator[str]:
    """Yield a sentence for every table that contradicts itself or another one."""
    data, fractions = benchmark.data, benchmark.training.fractions
    precisions = benchmark.export.precisions
    own = [row.name for row in benchmark.backbone if row.file]
    sizes = {(row.backbone.label, row.size) for row in benchmark.feature_sets}
    if not benchmark.training.freeze:
        yield (
            "training.freeze = false: gfr computes each feature once, which is correct only for a "
            "frozen backbone; set freeze = true"
        )
    if data.test_fraction + data.validation_fraction >= 1:
        yield "data: test_fraction + validation_fraction leave nothing to train on"
    if data.split == "official" and data.splits > 1:
        yield 'data: split = "official" is a single split. Set splits = 1'
    if len(sizes) < len(benchmark.feature_sets):
        yield '[[iteration]]: one size with input "fixed" and "any"; choose one of the two'
    if len(set(precisions)) < len(precisions):
        yield "export: a precision is listed twice"
    if precisions and "float32" not in precisions:
        yield 'export: precisions lack "float32", with which the others are compared'
    if own and benchmark.features.precision == "bfloat16":
        yield f'features.precision = "bfloat16": {own[0]} is computed only in float32; set "auto"'
    if list(fractions) != sorted(set(fractions)):
        yield "training: fractions must increase, each listed once"


def _name_problems(
    place: str, what: str, names: Sequence[str], known: Collection[str]
) -> Iterator[str]:
    for unknown in sorted(set(names) - set(known)):
        hint = f"{did_you_mean(unknown, known)}known: {', '.join(known)}"
        yield f"{place}: unknown {what} {unknown!r:.80}; {hint}"
    if len(set(names)) < len(names):
        yield f"{place}: {'an' if what == 'engine' else 'a'} {what} is listed twice"


def _size_problems(backbone: Backbone, iteration: Iteration) -> Iterator[str]:
    name, where = backbone.name, f"iteration {iteration.number}"
    application = _application(backbone)
    if min(iteration.size) < application.min_side_px:
        yield f"{where}: {name} needs at least {application.min_side_px} px a side; change size"
    if iteration.input == "any" and not application.any_size:
        yield f'{where}: {name} cannot take any size; set input = "fixed"'


def _repeats(values: list[str] | list[int], table: str, key: str) -> Iterator[str]:
    # Labels become file names, and some file systems ignore case.
    folded = [str(value).casefold() for value in values]
    for value, plain in zip(values, folded, strict=True):
        if folded.count(plain) > 1:
            yield f"[[{table}]]: {key} {value!r} is used twice; give each its own {key}"
