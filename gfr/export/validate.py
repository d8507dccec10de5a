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
from gfr.results.export_records import BITS, STEP, TOLERANCE, ExportResult, WebModel
from gfr.storage import serialization


def examine(
    run_dir: str,
    trial_id: str,
    precisions: tuple[WebPrecision, ...],
    asked: WebPrecision | None,
    num_parameters: int,
    begun_s: float,
    folder: str,
) -> None:
    """Measure every precision, keep one, describe it.

    `asked` names the one to keep, None leaves it to the rule; `begun_s`: time.time() at the start.
    """
    run = store.read_run(Path(run_dir))
    result = run.result_of(trial_id)
    paths, is_male = examined(run_dir)
    reference = np.load(Path(folder) / REFERENCE)
    num_few = run.record.benchmark.export.javascript_images
    models = _measure(paths, is_male, reference, precisions, num_few, folder)
    chosen = asked or choose(models).precision
    _keep(chosen, precisions, folder)
    export = ExportResult(
        schema=1,
        run_id=run.record.run_id,
        trial=result.trial,
        precision=chosen,
        is_asked_for=asked is not None,
        num_parameters=num_parameters,
        num_images=len(paths),
        keras_right=int(_is_right(reference, is_male).sum()),
        recorded_right=result.metrics["test"].num_right,
        models=models,
        digest=tfjs.digest(Path(folder) / "tfjs"),
        wall_s=time.time() - begun_s,
    )
    serialization.write(Path(folder) / "export.json", export)
    model_card.write(Path(folder), run, result, export)
    reporter(STEP, UNIT)(NUM_STAGES, NUM_STAGES)


def _measure(
    paths: Sequence[Path],
    is_male: np.ndarray,
    reference: np.ndarray,
    precisions: tuple[WebPrecision, ...],
    num_few: int,
    folder: str,
) -> tuple[WebModel, ...]:
    """Every precision in both runtimes; is_male bool and reference float32 (N,)."""
    in_tensorflow = {row: in_graph(tfjs.directory(folder, row), paths) for row in precisions}
    reporter(STEP, UNIT)(3, NUM_STAGES)
    few = [images.decode(path).pixels for path in paths[:num_few]]
    with ThreadPoolExecutor(hardware.collect().cpu_threads) as pool:  # Node's wasm has one thread
        spoken = pool.map(lambda row: node.classify(tfjs.directory(folder, row), few), precisions)
        return tuple(
            _compared(precision, folder, is_male, reference, in_tensorflow[precision], answers)
            for precision, answers in zip(precisions, spoken, strict=True)
        )


def in_graph(source: Path, paths: Sequence[Path]) -> np.ndarray:
    """p_male float32 (N,) of a written graph with its written weights, by TensorFlow."""
    graph = tfjs_graph.load(source)
    return over(paths, lambda pixels: fused_model.run_batch(graph, pixels))


def _compared(
    precision: WebPrecision,
    folder: str,
    is_male: np.ndarray,
    reference: np.ndarray,
    p_male: np.ndarray,
    spoken: node.Answers,
) -> WebModel:
    keras_right, this_right = _is_right(reference, is_male), _is_right(p_male, is_male)
    difference = np.abs(p_male - reference)
    found = WebModel(
        precision=precision,
        num_bytes=tfjs.num_bytes(tfjs.directory(folder, precision)),
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


def _keep(chosen: WebPrecision, precisions: tuple[WebPrecision, ...], folder: str) -> None:
    """The chosen precision becomes `tfjs`; the others and what led to them go."""
    tfjs.directory(folder, chosen).rename(Path(folder) / "tfjs")
    for precision in precisions:
        if precision != chosen:
            shutil.rmtree(tfjs.directory(folder, precision))
    (Path(folder) / REFERENCE).unlink()


def refuse_disagreement(found: WebModel) -> None:
    """StepFailed if a runtime computes something else than the other from the same weights."""
    spoken, num_other = found.javascript, 0
    off = spoken.from_graph
    if found.precision == "float32":
        off = max(off, found.max_difference, spoken.from_keras)
        num_other = spoken.num_other_answers
    if not (off <= TOLERANCE and num_other == 0):  # NaN is no agreement either
        raise StepFailed(
            f"{found.precision}: TensorFlow.js, TensorFlow and Keras give probabilities {off:.1e} "
            f"apart, more than {TOLERANCE:g}, or {num_other} other answers"
        )


def choose(models: tuple[WebModel, ...]) -> WebModel:
    """The smallest faithful model, of two of one size the closer; else the closest of all."""
    faithful = [row for row in models if row.is_faithful]
    if faithful:
        return min(faithful, key=lambda row: (BITS[row.precision], row.max_difference))
    return min(models, key=lambda row: (row.max_difference, row.num_bytes))


def checked(precision: str | None) -> WebPrecision | None:
    """A precision as typed; BadInput for an unknown one."""
    for known in BITS:
        if precision == known:
            return known
    if precision is None:
        return None
    raise BadInput(f"precision {precision!r}: unknown; known: {', '.join(BITS)}")
