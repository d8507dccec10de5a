"""Validate an export: measure every precision in TensorFlow and TensorFlow.js, keep one.

An export counts as done only when each precision has classified the whole test set in TensorFlow
and some of it in TensorFlow.js, and both agree.
"""

import functools
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfr import engines
from gfr.config.schema import WebPrecision
from gfr.data import images
from gfr.engines.base import Predictions, classify_files
from gfr.errors import InputError, StepFailed
from gfr.evaluation.metrics import THRESHOLD
from gfr.export import model_card
from gfr.measurement import allowance
from gfr.results import export_records, store
from gfr.results.export_records import BITS, TOLERANCE, ExportJob, JavaScript, WebModel
from gfr.storage import serialization
from gfr.storage.run_directory import ExportDirectory


@dataclass(frozen=True)
class TestSet:
    """The test images that exports are measured on.

    `is_male` bool (N,); `reference` float32 (N,): p_male of the fused Keras model in float32.
    """

    paths: list[Path]
    is_male: np.ndarray
    reference: np.ndarray


def examine(job: ExportJob, num_parameters: int) -> None:
    """Measure every precision, keep the requested or the best one, write its record and card."""
    run = store.read_run(job.run_dir)
    result = run.result_of(job.trial_id)
    test = TestSet(*test_images(job.run_dir), np.load(job.folder / export_records.REFERENCE))
    models = _measure(job, test, run.record.benchmark.export.javascript_images)
    chosen = job.precision or choose(models).precision
    files = ExportDirectory(job.folder)
    export_records.directory(job.folder, chosen).rename(files.tfjs)
    shutil.rmtree(job.folder / export_records.SCRATCH)
    export = export_records.ExportResult(
        schema=1,
        run_id=run.record.run_id,
        trial=result.trial,
        precision=chosen,
        is_asked_for=job.precision is not None,
        num_parameters=num_parameters,
        num_images=len(test.paths),
        keras_right=int(_is_right(test.reference, test.is_male).sum()),
        recorded_right=result.metrics["test"].num_right,
        models=models,
        digest=export_records.digest(files.tfjs),
        wall_s=time.monotonic() - job.start_s,
    )
    serialization.write(files.record, export)
    model_card.write(job.folder, run, result, export)
    export_records.report_stage(4)


def test_images(run_dir: Path) -> tuple[list[Path], np.ndarray]:
    """Return the test images of a run, and is_male, bool (N,)."""
    _, faces, splits = store.open_run(run_dir)
    rows = np.flatnonzero(splits == "test")
    paths = faces.paths()
    return [paths[row] for row in rows], faces.is_male[rows]


def _measure(job: ExportJob, test: TestSet, num_javascript: int) -> tuple[WebModel, ...]:
    """Measure every precision in both runtimes."""
    sources = [export_records.directory(job.folder, precision) for precision in job.precisions]
    tensorflow, node = engines.get("tensorflow"), engines.get("tfjs")
    in_tensorflow = [classify_files(tensorflow.load(source), test.paths) for source in sources]
    export_records.report_stage(3)
    first = [images.known(path) for path in test.paths[:num_javascript]]
    with ThreadPoolExecutor(allowance.num_threads()) as pool:  # Node's wasm has one thread
        in_node = pool.map(lambda source: node.load(source)(first), sources)
        compare = functools.partial(_compare, test)
        return tuple(map(compare, job.precisions, sources, in_tensorflow, in_node))


def _compare(
    test: TestSet, precision: WebPrecision, source: Path, p_male: np.ndarray, in_node: Predictions
) -> WebModel:
    """Compare one precision with Keras; StepFailed if the runtimes disagree."""
    keras_right = _is_right(test.reference, test.is_male)
    this_right = _is_right(p_male, test.is_male)
    difference = np.abs(p_male - test.reference)
    model = WebModel(
        precision=precision,
        num_bytes=export_records.num_bytes(source),
        num_images=len(p_male),
        num_right=int(this_right.sum()),
        only_keras_right=int((keras_right & ~this_right).sum()),
        only_this_right=int((this_right & ~keras_right).sum()),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        javascript=agreement(in_node, test.reference, p_male),
    )
    refuse_disagreement(model)
    return model


def agreement(in_node: Predictions, reference: np.ndarray, p_male: np.ndarray) -> JavaScript:
    """Compare JavaScript's p_male of the first images with Keras' and the graph's own, (N,)."""
    num = len(in_node.p_male)
    is_clear = np.abs(reference[:num] - THRESHOLD) > TOLERANCE
    is_other = (in_node.p_male > THRESHOLD) != (reference[:num] > THRESHOLD)
    return JavaScript(
        backend=in_node.backend,
        version=in_node.version,
        num_images=num,
        from_keras=float(np.abs(in_node.p_male - reference[:num]).max()),
        from_graph=float(np.abs(in_node.p_male - p_male[:num]).max()),
        num_other_answers=int((is_other & is_clear).sum()),
        values_s=in_node.seconds,
    )


def _is_right(p_male: np.ndarray, is_male: np.ndarray) -> np.ndarray:
    return (p_male > THRESHOLD) == is_male


def refuse_disagreement(model: WebModel) -> None:
    """StepFailed if the runtimes compute different probabilities from the same weights."""
    difference, num_other = model.javascript.from_graph, 0
    if model.precision == "float32":
        difference = max(difference, model.max_difference, model.javascript.from_keras)
        num_other = model.javascript.num_other_answers
    if not (difference <= TOLERANCE and num_other == 0):  # NaN is a disagreement too
        raise StepFailed(
            f"{model.precision}: TensorFlow.js, TensorFlow and Keras disagree: probabilities "
            f"differ by {difference:.1e} (at most {TOLERANCE:g} allowed), {num_other} other answers"
        )


def choose(models: tuple[WebModel, ...]) -> WebModel:
    """Return the smallest faithful model, else the closest; equal sizes: the closer one."""
    faithful = [row for row in models if row.is_faithful]
    if faithful:
        return min(faithful, key=lambda row: (BITS[row.precision], row.max_difference))
    return min(models, key=lambda row: (row.max_difference, row.num_bytes))


def checked(precision: str | None) -> WebPrecision | None:
    """Return a precision as typed; InputError for an unknown one."""
    if precision is not None and precision not in BITS:
        raise InputError(f"precision {precision!r}: unknown; known: {', '.join(BITS)}")
    return precision
