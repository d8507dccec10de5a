"""Validate an export: measure every precision in TensorFlow and TensorFlow.js, keep one.

Each precision classifies all validation images in TensorFlow and some test images in TensorFlow.js,
and both runtimes must agree. The one that is kept then classifies all test images.
"""

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from gfr import engines
from gfr.config.schema import WebPrecision
from gfr.data import images
from gfr.engines.base import Predictions, classify_files
from gfr.errors import InputError, StepFailed
from gfr.evaluation.metrics import THRESHOLD
from gfr.export import agreement, golden_images, model_card
from gfr.export.agreement import ComparedImages
from gfr.measurement import allowance
from gfr.progress import reporter
from gfr.results import export_records, store
from gfr.results.export_records import BITS, TOLERANCE, ExportJob, JavaScript, WebModel
from gfr.storage import serialization
from gfr.storage.run_directory import ExportDirectory


def examine(job: ExportJob, num_parameters: int) -> None:
    """Measure every precision, keep the requested or the best one, write its record and card."""
    run = store.read_run(job.run_dir)
    result = run.result_of(job.trial_id)
    compared, reference = agreement.images_of(job.run_dir), agreement.read_reference(job.fused)
    keras = compared.agreements(reference, reference)["test"]
    models = _measure(job, compared, reference, run.record.benchmark.export.javascript_images)
    chosen = job.precision or choose(models).precision
    models = tuple(
        _tested(job, compared, reference, row) if row.precision == chosen else row for row in models
    )
    files = ExportDirectory(job.folder)
    export_records.directory(job.fused, chosen).rename(files.tfjs)
    golden_images.copy(job.fused, job.folder)
    shutil.copyfile(ExportDirectory(job.fused).keras, files.keras)
    export = export_records.ExportResult(
        schema=1,
        run_id=run.record.run_id,
        trial=result.trial,
        precision=chosen,
        is_asked_for=job.precision is not None,
        num_parameters=num_parameters,
        num_images=compared.num_test,
        keras_right=keras.num_right,
        recorded_right=result.metrics["test"].num_right,
        models=models,
        digest=export_records.digest(files.tfjs),
        wall_s=time.monotonic() - job.start_s,
        model_digest=job.model_digest,
    )
    serialization.write(files.record, export)
    model_card.write(job.folder, run, result, export)


def _measure(
    job: ExportJob, compared: ComparedImages, reference: np.ndarray, num_javascript: int
) -> tuple[WebModel, ...]:
    """Measure every precision in both runtimes, in TensorFlow on the validation images."""
    sources = [export_records.directory(job.fused, precision) for precision in job.precisions]
    first = compared.test_paths[:num_javascript]
    report, in_tensorflow = reporter(f"{export_records.STEP}, validation", "precisions"), []
    for number, source in enumerate(sources):
        report(number, len(sources) + 1)  # and once more for the test images
        in_tensorflow.append(_classify(source, [*first, *compared.validation_paths]))
    report(len(sources), len(sources) + 1)
    node, pixels = engines.get("tfjs"), [images.known(path) for path in first]
    with ThreadPoolExecutor(allowance.num_threads()) as pool:  # Node's wasm has one thread
        in_node = pool.map(lambda source: node.load(source)(pixels), sources)
        rows = zip(job.precisions, sources, in_tensorflow, in_node, strict=True)
        return tuple(_compare(compared, reference, *row) for row in rows)


def _classify(source: Path, paths: Sequence[Path]) -> np.ndarray:
    """Classify images with a graph model in TensorFlow -> p_male, float (N,)."""
    return classify_files(engines.get("tensorflow").load(source), paths)


def _compare(
    compared: ComparedImages,
    reference: np.ndarray,
    precision: WebPrecision,
    source: Path,
    p_male: np.ndarray,
    in_node: Predictions,
) -> WebModel:
    """Compare one precision with Keras; StepFailed if the runtimes disagree.

    `p_male`: in TensorFlow, of the images that Node classified and of the validation images.
    """
    num_javascript = len(in_node.p_male)
    validation = compared.agreement("validation", p_male[num_javascript:], reference)
    model = WebModel(
        precision=precision,
        num_bytes=export_records.num_bytes(source),
        javascript=compare_javascript(in_node, reference, p_male[:num_javascript]),
        validation=validation,
    )
    refuse_disagreement(model)
    return model


def _tested(
    job: ExportJob, compared: ComparedImages, reference: np.ndarray, model: WebModel
) -> WebModel:
    """Add the test images; StepFailed if the runtimes disagree on them."""
    source = export_records.directory(job.fused, model.precision)
    test = compared.agreement("test", _classify(source, compared.test_paths), reference)
    reporter(f"{export_records.STEP}, validation", "precisions")(1, 1)
    tested = replace(
        model,
        num_images=test.num_images,
        num_right=test.num_right,
        only_keras_right=test.only_keras_right,
        only_this_right=test.only_this_right,
        max_difference=test.max_difference,
        mean_difference=test.mean_difference,
        calibration_error=test.calibration_error,
    )
    refuse_disagreement(tested)
    return tested


def compare_javascript(
    in_node: Predictions, reference: np.ndarray, p_male: np.ndarray
) -> JavaScript:
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


def refuse_disagreement(model: WebModel) -> None:
    """StepFailed if the runtimes compute different probabilities from the same weights."""
    difference, num_other = model.javascript.from_graph, 0
    if model.precision == "float32":
        in_tensorflow = model.chosen_by.max_difference, model.max_difference
        difference = max(difference, *in_tensorflow, model.javascript.from_keras)
        num_other = model.javascript.num_other_answers
    if not (difference <= TOLERANCE and num_other == 0):  # NaN is a disagreement too
        raise StepFailed(
            f"{model.precision}: TensorFlow.js, TensorFlow and Keras disagree: probabilities "
            f"differ by {difference:.1e} (at most {TOLERANCE:g} allowed), {num_other} other answers"
        )


def choose(models: tuple[WebModel, ...]) -> WebModel:
    """Return the smallest faithful model, else the closest; equal sizes: the closer one.

    The validation images decide, where they were classified.
    """
    faithful = [row for row in models if row.is_faithful]
    if faithful:
        return min(faithful, key=lambda row: (BITS[row.precision], row.chosen_by.max_difference))
    return min(models, key=lambda row: (row.chosen_by.max_difference, row.num_bytes))


def checked(precision: str | None) -> WebPrecision | None:
    """Return a precision as typed; InputError for an unknown one."""
    if precision is not None and precision not in BITS:
        raise InputError(f"precision {precision!r}: unknown; known: {', '.join(BITS)}")
    return precision
