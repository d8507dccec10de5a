"""What is wrong with a benchmark file, in words.

In: pydantic's ValidationError and the document that it is about. Out: one line for people: rows of
tables by the names that their owner gave them, no more than a few problems. Never decides what is
wrong: gfr/config/schema.py does.
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
from gfr.config.schema import Backbone, Benchmark, Export, Iteration, Selecting
from gfr.errors import BadInput, did_you_mean, reason
from gfr.types import NAME

MAX_PROBLEMS = 3  # told at once

_LONGEST = 60  # characters of a word of the file's

_NAMED_BY = {"backbone": ("label", "name"), "iteration": ("number",)}


def line(error: ValidationError, document: object, table: type) -> str:
    """The first problems, one a place in the file; how many more there are.

    `table`: the dataclass of the whole, whose keys may have been meant by unknown ones.
    """
    keys = _keys(table)
    # An unknown key explains a missing one: `sede` before `seed`.
    found = error.errors(include_url=False)
    found.sort(key=lambda row: row["type"] != "unexpected_keyword_argument")
    problems: dict[tuple[int | str, ...], str] = {}
    for row in found:  # of a union's branches the first
        place = _known_part(row["loc"], document)
        problems.setdefault(place, _problem(row, place, document, keys))
    told = list(problems.values())
    more = f" (and {len(told) - MAX_PROBLEMS} more)" if told[MAX_PROBLEMS:] else ""
    return "; ".join(told[:MAX_PROBLEMS]) + more


def row_name(table: str, place: int, document: object) -> str:
    """`iteration 4`, `backbone VGG16`: as the row calls itself if no other does, else by place."""
    rows = document.get(table) if isinstance(document, dict) else None
    names = [_own_name(table, row) for row in rows] if isinstance(rows, list) else []
    name = names[place] if place < len(names) else None
    if name is None or names.count(name) > 1:
        return f"[[{table}]] no. {place + 1}"
    return f"{table} {_shown(name)}"


def _own_name(table: str, row: object) -> str | None:
    found = [row.get(key) for key in _NAMED_BY[table]] if isinstance(row, dict) else []
    # True is no number.
    return next((str(name) for name in found if type(name) in (int, str) and name != ""), None)


def _keys(table: type) -> set[str]:
    """Every key that a benchmark file may have, in whichever of its tables."""
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
        return f"{where}unknown key {key}; {meant or 'remove it or mend its spelling'}".rstrip()
    if row["type"] == "missing":
        return f"{where}missing {'value' if isinstance(place[-1], int) else 'key'} {key}"
    return f"{where}{key}: {row['msg'][0].lower()}{row['msg'][1:]}, got {row['input']!r:.60}"


def _known_part(location: tuple[int | str, ...], document: object) -> tuple[int | str, ...]:
    """The place without what pydantic adds to it: which branch of a union did not fit."""
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
    """Read and check a benchmark file; BadInput names the file, the place and the cure."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device has no end
        raise BadInput(f"{path}: is no file; name a benchmark file")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); name a benchmark file, or one of "
            "benchmarks/ without .toml"
        ) from None
    # Beside its own error tomllib lets a ValueError (a number of 5,000 digits) and, for deep
    # nesting, a RecursionError through.
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not valid TOML ({error})") from None
    try:
        _refuse_what_breaks_features_once(document)
        locate(document, path.parent)
        return check(document)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def limited(benchmark: Benchmark, limits: Selecting) -> Benchmark:
    """The benchmark with those limits of a selected model that are given, in place of its own."""
    given = {name: value for name, value in vars(limits).items() if value is not None}
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise BadInput(f"{name} = {value}: must be above 0")
    return replace(benchmark, selection=replace(benchmark.selection, **given))


def check(document: object) -> Benchmark:
    """A parsed benchmark document -> Benchmark with every default filled in."""
    try:
        text = json.dumps(document, default=str)
        benchmark = TypeAdapter(Benchmark).validate_json(text, strict=True)
    except ValidationError as error:
        raise BadInput(line(error, document, Benchmark)) from None
    except ValueError as error:  # a whole number of more digits than Python writes
        raise BadInput(reason(error)) from None
    filled = tuple(
        _fill(row, row_name("backbone", place, document))
        for place, row in enumerate(benchmark.backbone)
    )
    benchmark = Benchmark(**{**vars(benchmark), "backbone": filled})
    _check_rows(benchmark)
    return benchmark


def _refuse_what_breaks_features_once(document: dict[str, Any]) -> None:
    tables = [("", document)]
    for name, value in document.items():
        rows = value if isinstance(value, list) else [value]
        tables += [(f"{name}.", row) for row in rows if isinstance(row, dict)]
    for place, table in tables:
        if table.get("freeze") is False:
            raise BadInput(
                f"{place}freeze = false: gfr computes each feature once, which holds only for a "
                "frozen backbone; set freeze = true"
            )
        for key in table:
            if key.lower().startswith("augment"):
                raise BadInput(
                    f"{place}{key}: gfr computes each feature once, which holds only for "
                    "unaugmented images; remove it"
                )


def _fill(row: Backbone, where: str) -> Backbone:
    application = OWN_MODEL if row.file else APPLICATIONS.get(row.name)
    if row.file:
        check_row(row.name, row.file, row.weights, where)
    if application is None:
        raise BadInput(
            f"{where}: unknown name {row.name!r:.80}; {did_you_mean(row.name, APPLICATIONS)}"
            f"known: {', '.join(APPLICATIONS)}"
        )
    scaling = row.scaling or application.scaling
    if scaling not in SCALINGS:
        raise BadInput(f"{where}: unknown scaling {scaling!r}; known: {', '.join(SCALINGS)}")
    scales_itself = application.scaling == OWN_PREPROCESSING and not row.file
    if scales_itself and scaling != OWN_PREPROCESSING:
        raise BadInput(f"{where}: {row.name} scales its input itself; remove scaling = {scaling!r}")
    return Backbone(row.name, scaling, row.weights, row.label or row.name, row.file)


def _check_rows(benchmark: Benchmark) -> None:
    _refuse_repeats([row.label for row in benchmark.backbone], "backbone", "label")
    _refuse_repeats([row.number for row in benchmark.iteration], "iteration", "number")
    labels = {row.label for row in benchmark.backbone}
    for row in benchmark.iteration:
        for unknown in sorted(set(row.backbones) - labels):
            raise BadInput(
                f"iteration {row.number}: unknown backbone {unknown!r:.80}; "
                f"{did_you_mean(unknown, labels)}known: {', '.join(sorted(labels))}"
            )
    if benchmark.data.test_fraction + benchmark.data.validation_fraction >= 1:
        raise BadInput("data: test_fraction + validation_fraction leave nothing to train on")
    if benchmark.data.split == "official" and benchmark.data.splits > 1:
        raise BadInput(
            f'data: splits = {benchmark.data.splits} is impossible with split = "official", which '
            "is one split. Set splits = 1"
        )
    sizes = {(row.backbone.label, row.size) for row in benchmark.feature_sets}
    if len(sizes) < len(benchmark.feature_sets):
        raise BadInput(
            '[[iteration]]: one size with input "fixed" and "any"; choose one of the two'
        )
    _check_export(benchmark.export)
    fractions = benchmark.training.fractions
    own = [row.name for row in benchmark.backbone if row.file]
    if own and benchmark.features.precision == "bfloat16":
        raise BadInput(
            f'features.precision = "bfloat16": {own[0]} is an own model, computed in float32 '
            'alone; set "auto"'
        )
    if list(fractions) != sorted(set(fractions)):
        raise BadInput("training: fractions are to rise, each once")
    for trial in benchmark.trials:
        _check_size(trial.backbone, trial.iteration)


def _check_export(asked: Export) -> None:
    if len(set(asked.precisions)) < len(asked.precisions):
        raise BadInput("export: a precision stands twice")
    if asked.precisions and "float32" not in asked.precisions:
        raise BadInput('export: precisions lack "float32", against which the others are held')


def _check_size(backbone: Backbone, iteration: Iteration) -> None:
    name = backbone.name
    application = OWN_MODEL if backbone.file else APPLICATIONS[name]
    if min(iteration.size) < application.min_side_px:
        raise BadInput(
            f"iteration {iteration.number}: size {list(iteration.size)} is impossible, {name} "
            f"needs at least {application.min_side_px} px a side"
        )
    if iteration.input == "any" and not application.any_size:
        raise BadInput(
            f'iteration {iteration.number}: {name} cannot take any size; set input = "fixed"'
        )


def _refuse_repeats(values: list[str] | list[int], table: str, key: str) -> None:
    # Labels become file names: not every disk tells `a` from `A`.
    folded = [value.casefold() if isinstance(value, str) else value for value in values]
    for value, plain in zip(values, folded, strict=True):
        if folded.count(plain) > 1:
            raise BadInput(f"[[{table}]]: {key} {value!r} stands twice; give each its own {key}")


def locate(document: dict[str, Any], folder: Path) -> None:
    """Make each `file` of a parsed benchmark absolute: it stands relative to the TOML's folder."""
    rows = document.get("backbone")
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("file"), str) and row["file"]:
            row["file"] = os.path.abspath(folder / row["file"])  # noqa: PTH100 (keeps links)


def check_row(name: str, file: str, weights: str, where: str) -> None:
    """BadInput if what a row says beside its `file` cannot be so."""
    if not re.fullmatch(NAME, name):
        raise BadInput(
            f"{where}: name {name!r:.80}: letters, digits and _ . + only, at most 64: it becomes "
            "part of file names"
        )
    if name in APPLICATIONS:
        raise BadInput(f"{where}: {name} is Keras' own; give the model of {file!r} another name")
    if weights:
        raise BadInput(f"{where}: weights and file: an own model has its own; remove weights")
    if not file.endswith(".keras"):
        raise BadInput(
            f"{where}: file {file!r}: not a .keras file; load it where you trust it and write it "
            'anew with model.save("….keras")'
        )


def absence(path: Path) -> str:
    """A sentence if there is no such file; else empty."""
    if path.is_file():
        return ""
    return f"{path}: no such file; `file` is relative to the benchmark file's folder"
