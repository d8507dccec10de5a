"""What a row of a benchmark file must fulfil beyond the types of its keys."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from gfr.config import keras_applications, model_files, scaling
from gfr.config.keras_applications import APPLICATIONS, OWN_PREPROCESSING
from gfr.config.references import Reference
from gfr.config.scaling import SCALINGS, Scaling
from gfr.config.schema import Backbone
from gfr.errors import did_you_mean
from gfr.types import NAME

MAX_COMBINATIONS = 64  # of scalings and crops, or CSV files: each is tried on validation

# Keys of a reference that say how its network is used.
_OF_A_NETWORK = ("input", "output", "size", "scaling", "crop", "p_male")

_DEFAULTS = {row.name: row.default for row in fields(Reference) if row.default is not MISSING}

_INDEXED = ("probabilities", "logits")  # outputs of two numbers


def application_of(row: Backbone) -> keras_applications.Application:
    """Return the constructor of a backbone; for a file what is known without loading it."""
    return keras_applications.OWN_MODEL if row.file else APPLICATIONS[row.name]


def backbone_problems(row: Backbone, folder: Path) -> Iterator[str]:
    """Yield a sentence for everything wrong with one row; its file is relative to `folder`."""
    if row.file:
        yield from _file_problems(row, folder)
    elif row.name not in APPLICATIONS:
        known = f"{did_you_mean(row.name, APPLICATIONS)}known: {', '.join(APPLICATIONS)}"
        yield f"unknown name {row.name!r:.80}; {known}"
    for key in ("input", "features"):
        if getattr(row, key) and not row.file:
            yield f"{key}: only with file; remove it"
    if row.scaling != "":
        yield from _scaling_problems([row.scaling])
    scales_itself = not row.file and application_of(row).scaling == OWN_PREPROCESSING
    if scales_itself and row.scaling not in ("", OWN_PREPROCESSING):
        yield f"{row.name} scales its input itself; remove scaling = {scaling.title(row.scaling)!r}"


def _file_problems(row: Backbone, folder: Path) -> Iterator[str]:
    if not re.fullmatch(NAME, row.name):
        yield f"name {row.name!r:.80}: letters, digits and _ . + only, at most 64"
    if row.name in APPLICATIONS:
        yield f"{row.name} is Keras' own; give the model of {row.file!r} another name"
    if row.weights:
        yield "weights and file: an own model has its own; remove weights"
    if problem := model_files.suffix_problem(row.file, folder):
        yield problem


def reference_problems(row: Reference, folder: Path) -> Iterator[str]:
    """Yield a sentence for everything wrong with one row; its paths are relative to `folder`."""
    if row.file and row.prediction_files:
        yield "file and predictions: only one of the two; remove the other"
    if not row.file and not row.prediction_files:
        yield "no file and no predictions; give one of the two"
    if row.file and (problem := model_files.suffix_problem(row.file, folder)):
        yield problem
    if row.prediction_files:
        yield from _prediction_problems(row)
    num_combinations = len(row.scalings) * len(row.crops)
    if num_combinations > MAX_COMBINATIONS:
        yield (
            f"{num_combinations:,} combinations of scaling and crop; list at most "
            f"{MAX_COMBINATIONS}"
        )
    yield from _scaling_problems(row.scalings)
    yield from _crop_problems(row)
    if row.male_index != _DEFAULTS["male_index"] and row.p_male not in _INDEXED:
        yield 'male_index: only with p_male = "probabilities" or "logits"; remove it'


def _prediction_problems(row: Reference) -> Iterator[str]:
    for key in _OF_A_NETWORK:
        if getattr(row, key) != _DEFAULTS[key]:
            yield f"{key}: only with file, not with predictions; remove it"
    if len(row.prediction_files) > MAX_COMBINATIONS:
        yield f"{len(row.prediction_files):,} predictions; list at most {MAX_COMBINATIONS}"
    if "" in row.prediction_files:
        yield "predictions: an empty path; name a CSV file"
    yield from _repeats([os.path.normpath(file) for file in row.prediction_files], "predictions")


def _scaling_problems(scalings: Sequence[Scaling]) -> Iterator[str]:
    for name in scalings:
        if isinstance(name, str) and name not in SCALINGS:
            hint = f"{did_you_mean(name, SCALINGS)}known: {', '.join(SCALINGS)}"
            yield f"unknown scaling {name!r:.80}; {hint}"
    yield from _repeats(scalings, "scaling")


def _crop_problems(row: Reference) -> Iterator[str]:
    for crop in row.crops:
        if isinstance(crop, tuple):
            left, top, right, bottom = crop
            if not (left < right and top < bottom):
                yield (
                    f"crop {list(crop)}: left must be less than right, and top less than bottom "
                    "(left, top, right, bottom in fractions)"
                )
    yield from _repeats(row.crops, "crop")


def _repeats(values: Sequence[Any], key: str) -> Iterator[str]:
    for place, value in enumerate(values):
        if value in values[:place]:
            shown = scaling.title(value) if key == "scaling" else value
            yield f"{key}: {shown!r:.80} is listed twice; remove one"
