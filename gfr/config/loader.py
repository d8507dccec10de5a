"""Read a benchmark file, and report every mistake in it in one line."""

import json
import math
import os
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gfr.config import model_files, row_checks, validation_errors
from gfr.config.references import Reference
from gfr.config.schema import ENGINES, FORMATS, Backbone, Benchmark, Iteration, Selecting
from gfr.errors import InputError, did_you_mean

_ADAPTER = TypeAdapter(Benchmark)


def load(path: Path) -> Benchmark:
    """Read and validate a benchmark file; InputError names the file, the place and the fix."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device has no end
        raise InputError(f"{path}: not a file; name a benchmark file")
    try:
        return check(tomllib.loads(path.read_text("utf-8")), path.parent)
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


def check(document: dict[str, Any], folder: Path) -> Benchmark:
    """Validate a parsed benchmark document and fill in every default.

    `folder`: what the paths in it are relative to.
    """
    try:
        benchmark = _ADAPTER.validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        line = validation_errors.line(error, document, _ADAPTER.json_schema())
        raise InputError(line) from None
    for place, backbone in enumerate(benchmark.backbone):
        for problem in row_checks.backbone_problems(backbone, folder):
            name = validation_errors.row_name("backbone", place, document)
            raise InputError(f"{name}: {problem}")
    for place, reference in enumerate(benchmark.reference):
        for problem in row_checks.reference_problems(reference, folder):
            name = validation_errors.row_name("reference", place, document)
            raise InputError(f"{name}: {problem}")
    benchmark = replace(
        benchmark,
        backbone=tuple(_filled(row, folder) for row in benchmark.backbone),
        reference=tuple(_located(row, folder) for row in benchmark.reference),
    )
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


def absence(path: Path, key: str = "file") -> str:
    """Return a sentence if what the key of a row names does not exist; else an empty string."""
    is_directory = key == "file" and path.suffix.lower() not in model_files.SUFFIXES
    if path.is_dir() if is_directory else path.is_file():
        return ""
    remedy = f"`{key}` is relative to the benchmark file's folder"
    if command := model_files.fetch_command(path):
        remedy = f"fetch it: {command}"
    return f"{path}: no such {'directory' if is_directory else 'file'}; {remedy}"


def absences(benchmark: Benchmark) -> list[str]:
    """Return a sentence for each model and CSV file that the rows name and that does not exist."""
    lines = [absence(Path(row.file)) for row in benchmark.backbone if row.file]
    for row in benchmark.reference:
        lines += absences_of(row)
    return [line for line in lines if line]


def absences_of(reference: Reference) -> list[str]:
    """Return a sentence for each file of a reference that does not exist."""
    paths = [("file", reference.file)] if reference.file else []
    paths += [("predictions", file) for file in reference.prediction_files]
    return [line for key, file in paths if (line := absence(Path(file), key))]


def _filled(row: Backbone, folder: Path) -> Backbone:
    scaling = row.scaling or row_checks.application_of(row).scaling
    label = row.label or row.name
    return replace(row, scaling=scaling, label=label, file=row.file and _below(folder, row.file))


def _located(row: Reference, folder: Path) -> Reference:
    predictions = tuple(_below(folder, file) for file in row.prediction_files)
    return replace(row, file=row.file and _below(folder, row.file), predictions=predictions)


def _below(folder: Path, file: str) -> str:
    return os.path.abspath(folder / file)  # noqa: PTH100 (keeps links)


def _problems(benchmark: Benchmark) -> Iterator[str]:
    """Yield a sentence for everything that contradicts another part of the file."""
    yield from _repeats([row.label for row in benchmark.backbone], "backbone", "label")
    yield from _repeats([row.number for row in benchmark.iteration], "iteration", "number")
    labels = {row.label for row in benchmark.backbone}
    yield from _label_problems(benchmark)
    for row in benchmark.iteration:
        for unknown in sorted(set(row.backbones) - labels):
            known = f"{did_you_mean(unknown, labels)}known: {', '.join(sorted(labels))}"
            yield f"iteration {row.number}: unknown backbone {unknown!r:.80}; {known}"
    yield from _table_problems(benchmark)
    yield from _name_problems("latency.engines", "engine", benchmark.latency.engines, ENGINES)
    yield from _name_problems("export.formats", "format", benchmark.export.formats or (), FORMATS)
    for trial in benchmark.trials:
        yield from _size_problems(trial.backbone, trial.iteration)


def _label_problems(benchmark: Benchmark) -> Iterator[str]:
    """Yield a sentence for every label of a reference that has another meaning as well."""
    yield from _repeats([row.label for row in benchmark.reference], "reference", "label")
    labels = {row.label.casefold(): f"backbone {row.label}" for row in benchmark.backbone}
    labels |= {trial.id.casefold(): f"trial {trial.id}" for trial in benchmark.trials}
    for row in benchmark.reference:
        if other := labels.get(row.label.casefold()):
            yield f"reference {row.label}: has the label of {other}; give it another label"


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
    application = row_checks.application_of(backbone)
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
