"""Validate the files of a model's formats in their own engines, and write their directories.

`check` runs in a child process, the rest in the calling process. Does not import TensorFlow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gfr import engines
from gfr.engines import formats
from gfr.engines.base import Classify, classify_files
from gfr.engines.formats import Format
from gfr.errors import InputError, StepFailed
from gfr.export import agreement, format_card, golden_images
from gfr.export.convert import MAX_CALIBRATION_IMAGES
from gfr.progress import reporter
from gfr.results import export_records, store
from gfr.results.deployment_records import (
    KERAS,
    Agreement,
    CalibrationImages,
    EngineLatency,
    FormatResult,
)
from gfr.results.export_records import ExportResult
from gfr.results.records import Run, TrialResult
from gfr.storage import atomic, hashing, serialization
from gfr.storage.run_directory import ExportDirectory, FormatDirectory, RunDirectory

_BATCH = 16  # as fast as larger ones in these engines, in less memory

_ROUNDING = 1e-6  # a float32 sigmoid may exceed 1 by so much


@dataclass(frozen=True)
class Checked:
    """The answers of a format in its own engine; `golden`: p_male of the golden images."""

    num_bytes: int
    splits: dict[str, Agreement]
    golden: tuple[float, ...]


def calibration_images(run_dir: Path) -> tuple[list[Path], CalibrationImages]:
    """Return the first training images, on which full int8 is calibrated, and their record."""
    _, faces, splits = store.open_run(run_dir)
    rows = np.flatnonzero(splits == "train")[:MAX_CALIBRATION_IMAGES]
    paths, names = faces.paths(), [faces.names[row] for row in rows]
    record = CalibrationImages(len(rows), hashing.lines_sha256(names))
    return [paths[row] for row in rows], record


def check(run_dir: Path, fused: Path, names: tuple[str, ...]) -> dict[str, Checked | str]:
    """Classify the test, validation and golden images in each format; or say why that fails.

    Args:
        run_dir: of the run whose images these are.
        fused: where the model was fused, with the files of each format in a folder of its name.
        names: formats, or `KERAS`, whose answers are known.
    """
    compared, reference = agreement.images_of(run_dir), agreement.read_reference(fused)
    report = reporter(f"{export_records.STEP}, validation", "formats")
    checked: dict[str, Checked | str] = {}
    for number, name in enumerate(names):
        report(number, len(names))
        if name == KERAS:
            num_bytes = ExportDirectory(fused).keras.stat().st_size
            splits = compared.agreements(reference, reference)
            checked[name] = Checked(num_bytes, splits, ())
            continue
        form = formats.get(name)
        try:
            classify = engines.get(form.engine).load(fused / name / form.file)
            p_male = _classify(classify, compared.paths)
            golden = _classify(classify, golden_images.paths(fused))
            splits = compared.agreements(p_male, reference)
            num_bytes = form.num_bytes(fused / name)
            checked[name] = Checked(num_bytes, splits, tuple(golden.tolist()))
        except (InputError, StepFailed) as error:
            checked[name] = str(error)
    report(len(names), len(names))
    return checked


def _classify(classify: Classify, paths: Sequence[Path]) -> np.ndarray:
    p_male = classify_files(classify, paths, _BATCH)
    is_rounded = (p_male > 1) & (p_male <= 1 + _ROUNDING)
    return np.where(is_rounded, 1, p_male)


def result(
    run: Run, trial: TrialResult, name: str, outcome: Checked | str, digest: str
) -> FormatResult:
    """Make the record of a format from its check, or from the reason why there is none."""
    form = formats.FORMATS.get(name)
    engine = engines.get(form.engine if form else "tensorflow")
    row = FormatResult(
        schema=1,
        run_id=run.record.run_id,
        trial=trial.trial,
        format=name,
        engine=engine.name,
        engine_version=engine.version(),
        precision=form.precision if form else "float32",
        model_digest=digest,
        reason=outcome if isinstance(outcome, str) else "not measured",
    )
    if isinstance(outcome, str):
        return row
    splits, weights = outcome.splits, trial.features.weights
    return replace(
        row,
        reason="",
        num_bytes=outcome.num_bytes + (weights.num_bytes_beside_keras() if name == KERAS else 0),
        validation=splits["validation"],
        test=splits["test"],
    )


def of_export(export: ExportResult) -> FormatResult | None:
    """Make the record of the exported TensorFlow.js files; None if they were made before it."""
    model = export.written
    if model.calibration_error is None:
        return None
    return FormatResult(
        schema=1,
        run_id=export.run_id,
        trial=export.trial,
        format="tfjs",
        engine="tfjs",
        engine_version=model.javascript.version,
        precision=model.precision,
        model_digest=export.model_digest,
        reason="",
        num_bytes=model.num_bytes,
        validation=model.validation,
        test=Agreement(
            num_images=model.num_images,
            num_right=model.num_right,
            keras_right=export.keras_right,
            only_keras_right=model.only_keras_right,
            only_this_right=model.only_this_right,
            max_difference=model.max_difference,
            mean_difference=model.mean_difference,
            calibration_error=model.calibration_error,
        ),
    )


def write(run: Run, row: FormatResult, fused: Path, golden: Sequence[float] = ()) -> None:
    """Write the directory of a format; the model's files are moved there from `fused`."""
    files = RunDirectory(run.directory).format(row.trial.id, row.format)
    with atomic.directory(files.path) as folder:
        if golden:
            for path in (fused / row.format).iterdir():
                path.rename(folder / path.name)
            golden_images.copy(fused, folder)
            golden_images.add(folder, golden)
            format_card.write(folder, run, row, None)
        serialization.write(FormatDirectory(folder).record, row)


def renew_cards(run: Run, rows: Sequence[FormatResult], latency: EngineLatency | None) -> None:
    """Write the model cards of formats again, with what was measured meanwhile."""
    for row in rows:
        files = RunDirectory(run.directory).format(row.trial.id, row.format)
        if files.golden.exists():
            format_card.write(files.path, run, row, latency)


def is_complete(files: FormatDirectory, form: Format) -> bool:
    """Whether the model's files lie beside the record."""
    return all((files.path / name).exists() for name in (form.file, *form.beside))
