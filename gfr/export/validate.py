"""What each precision of an exported model costs, and whether runtimes agree on it.

In: a folder that gfr/export/saved_model.py and gfr/export/tfjs.py have filled. Out: the chosen
precision, measured and
described (gfr/results/export_records.py). Done only when every precision has classified the test
set in
TensorFlow and some of it in TensorFlow.js. StepFailed where the two do not agree.
"""

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gfr.config.schema import WebPrecision
from gfr.data import images
from gfr.engines import node
from gfr.errors import BadInput, StepFailed
from gfr.evaluation.metrics import THRESHOLD
from gfr.export import model_card, tfjs
from gfr.export.saved_model import NUM_STAGES, REFERENCE, UNIT, examined, over
from gfr.measurement import hardware
from gfr.models import fused_model
from gfr.models.external import tfjs_graph
from gfr.progress import reporter
from gfr.results import store
from gfr.results.export_records import BITS, STEP, TOLERANCE, ExportJob, ExportResult, WebModel
from gfr.storage import serialization
from gfr.storage.run_directory import ExportDirectory


def examine(job: ExportJob, num_parameters: int) -> None:
    """Measure every precision, keep one, describe it."""
    run, files = store.read_run(job.run_dir), ExportDirectory(job.folder)
    result = run.result_of(job.trial_id)
    paths, is_male = examined(job.run_dir)
    reference = np.load(job.folder / REFERENCE)
    num_few = run.record.benchmark.export.javascript_images
    models = _measure(job, paths, is_male, reference, num_few)
    chosen = job.precision or choose(models).precision
    _keep(chosen, job)
    export = ExportResult(
        schema=1,
        run_id=run.record.run_id,
        trial=result.trial,
        precision=chosen,
        is_asked_for=job.precision is not None,
        num_parameters=num_parameters,
        num_images=len(paths),
        keras_right=int(_is_right(reference, is_male).sum()),
        recorded_right=result.metrics["test"].num_right,
        models=models,
        digest=tfjs.digest(files.tfjs),
        wall_s=time.time() - job.start_s,
    )
    serialization.write(files.record, export)
    model_card.write(job.folder, run, result, export)
    reporter(STEP, UNIT)(NUM_STAGES, NUM_STAGES)


def _measure(
    job: ExportJob, paths: Sequence[Path], is_male: np.ndarray, reference: np.ndarray, num_few: int
) -> tuple[WebModel, ...]:
    """Every precision in both runtimes; is_male bool and reference float32 (N,)."""
    folders = {row: tfjs.directory(job.folder, row) for row in job.precisions}
    in_tensorflow = {row: in_graph(folder, paths) for row, folder in folders.items()}
    reporter(STEP, UNIT)(3, NUM_STAGES)
    few = [images.decode(path).pixels for path in paths[:num_few]]
    with ThreadPoolExecutor(hardware.collect().cpu_threads) as pool:  # Node's wasm has one thread
        in_javascript = pool.map(lambda row: node.classify(folders[row], few), job.precisions)
        return tuple(
            _compared(precision, folders[precision], is_male, reference, p_male, answers)
            for (precision, p_male), answers in zip(
                in_tensorflow.items(), in_javascript, strict=True
            )
        )


def in_graph(source: Path, paths: Sequence[Path]) -> np.ndarray:
    """p_male float32 (N,) of a written graph with its written weights, by TensorFlow."""
    graph = tfjs_graph.load(source)
    return over(paths, lambda pixels: fused_model.run_batch(graph, pixels))


def _compared(
    precision: WebPrecision,
    folder: Path,
    is_male: np.ndarray,
    reference: np.ndarray,
    p_male: np.ndarray,
    spoken: node.Answers,
) -> WebModel:
    keras_right, this_right = _is_right(reference, is_male), _is_right(p_male, is_male)
    difference = np.abs(p_male - reference)
    found = WebModel(
        precision=precision,
        num_bytes=tfjs.num_bytes(folder),
        num_images=len(p_male),
        num_right=int(this_right.sum()),
        only_keras_right=int((keras_right & ~this_right).sum()),
        only_this_right=int((this_right & ~keras_right).sum()),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        javascript=node.agreement(spoken, reference, p_male),
    )
    refuse_disagreement(found)
    return found


def _is_right(p_male: np.ndarray, is_male: np.ndarray) -> np.ndarray:
    return (p_male > THRESHOLD) == is_male


def _keep(chosen: WebPrecision, job: ExportJob) -> None:
    """Rename the chosen precision to `tfjs`; remove the others and the intermediate files."""
    tfjs.directory(job.folder, chosen).rename(ExportDirectory(job.folder).tfjs)
    for precision in set(job.precisions) - {chosen}:
        shutil.rmtree(tfjs.directory(job.folder, precision))
    (job.folder / REFERENCE).unlink()


def refuse_disagreement(model: WebModel) -> None:
    """Raise StepFailed if two runtimes compute different results from the same weights."""
    javascript, num_other = model.javascript, 0
    difference = javascript.from_graph
    if model.precision == "float32":
        difference = max(difference, model.max_difference, javascript.from_keras)
        num_other = javascript.num_other_answers
    if not (difference <= TOLERANCE and num_other == 0):  # NaN is not agreement either
        raise StepFailed(
            f"{model.precision}: probabilities of TensorFlow.js, TensorFlow and Keras differ by "
            f"{difference:.1e}, more than {TOLERANCE:g}, or {num_other} answers differ"
        )


def choose(models: tuple[WebModel, ...]) -> WebModel:
    """Choose the smallest faithful model, of equal sizes the closest; else the closest of all."""
    faithful = [row for row in models if row.is_faithful]
    if faithful:
        return min(faithful, key=lambda row: (BITS[row.precision], row.max_difference))
    return min(models, key=lambda row: (row.max_difference, row.num_bytes))


def checked(precision: str | None) -> WebPrecision | None:
    """Validate a precision as typed; BadInput for an unknown one."""
    for name in BITS:
        if precision == name:
            return name
    if precision is None:
        return None
    raise BadInput(f"precision {precision!r}: unknown; known: {', '.join(BITS)}")
