"""The stage that evaluates classifiers that are not trained here, after the selection.

Whatever is chosen (scaling, crop, CSV file) is chosen on the validation images. A reference that
fails is a record with its reason. This module runs in the calling process and in child processes;
only the functions that are called there import TensorFlow.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gfr.config import loader
from gfr.config.references import Reference
from gfr.config.scaling import BGR, SCALINGS, ChannelOrder, Normalisation, Scaling
from gfr.config.schema import Benchmark
from gfr.data import images, predictions
from gfr.errors import CannotWrite, InputError, StepFailed
from gfr.evaluation import references as evaluation
from gfr.measurement import hardware, interleaved, resources, software
from gfr.measurement.latency import Samples
from gfr.models.external import files as external_files
from gfr.pipeline import isolation
from gfr.progress import LOG, reporter
from gfr.results import records, store
from gfr.results.reference_records import PairedLatency, ReferenceResult, Tried
from gfr.storage import hashing, locks, serialization
from gfr.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from gfr.models.reference_model import Network

BATCH = 64

_SAMPLE_EVERY_S = 2.0  # sampling memory more often would show in the latencies

RGB = "-rgb"  # ends the name of a scaling whose channels are usually reversed

Answer = Callable[[Tried, str], np.ndarray]  # p_male, float64 (N,), of the images of a split

Run = Callable[[Sequence[np.ndarray]], np.ndarray]  # uint8 (H, W, 3) of any sizes -> float64 (N,)


def check(benchmark: Benchmark) -> None:
    """Raise InputError for a reference that cannot be evaluated; imports no runtime."""
    for row in benchmark.reference:
        if absent := loader.absences_of(row):
            raise InputError(absent[0])
        for path in row.prediction_files:
            predictions.read_csv(Path(path))
        if row.file:
            external_files.kind(Path(row.file))


def load_all(benchmark: Benchmark) -> None:
    """Raise InputError for a reference whose network cannot be loaded as its row says."""
    if any(row.file for row in benchmark.reference):
        from gfr.models import reference_model

        for row in benchmark.reference:
            reference_model.check(row)


def evaluate(run_dir: Path, reference: Reference, limits: isolation.Limits) -> Path:
    """Evaluate a reference; return the path of the record, which is kept if nothing has changed."""
    path, run = RunDirectory(run_dir).reference(reference.label), store.read_run(run_dir)
    title = f"{reference.label}, reference"
    if _is_current(run, reference):
        reporter(title)(1, 1)
        return path
    try:
        with locks.turn(hardware.gpu_ids()) as gpu:
            place = "gfr.pipeline.references:classify"
            result: ReferenceResult = isolation.call(
                place, run_dir, reference, limits=limits, gpu=gpu
            )
    except CannotWrite:
        raise
    except (InputError, StepFailed) as error:
        result = ReferenceResult(1, run.record.run_id, reference, reason=str(error))
    if reference.file and run.selection and not result.reason:
        try:
            with locks.timing():
                place = "gfr.pipeline.references:time_in_turn"
                timed = isolation.call(place, run_dir, result, limits=limits)
            result = dataclasses.replace(result, latency=timed)
        except (InputError, StepFailed) as error:
            result = dataclasses.replace(result, latency_reason=str(error))
    serialization.write(path, result)
    _log(result)
    reporter(title)(1, 1)
    return path


def _is_current(run: records.Run, reference: Reference) -> bool:
    """Whether the run has a result of the same files, timed with the selected trial."""
    result = run.references.get(reference.label)
    if result is None or result.reason or result.latency_reason:
        return False
    selected = run.selection.trial_id if run.selection and reference.file else None
    timed = result.latency.trial_id if result.latency else None
    try:
        return selected == timed and result.digest == digest_of(reference)
    except (InputError, OSError):
        return False


def digest_of(reference: Reference) -> str:
    """Return SHA-256 over all files of a reference."""
    if reference.file:
        return external_files.sha256(Path(reference.file))
    digests = (hashing.file_sha256(Path(path)) for path in reference.prediction_files)
    return hashing.lines_sha256(digests)


def _log(result: ReferenceResult) -> None:
    if result.reason:
        LOG.warning("reference %s failed: %s", result.label, result.reason)
        return
    test, used = result.metrics["test"], result.used
    LOG.info(
        f"reference {result.label}: {test.num_right:,} of {test.num_images:,} test images correct, "
        f"{test.num_missing:,} without an answer; {used.title if used else ''}"
    )
    if result.latency_reason:
        LOG.warning("reference %s was not timed: %s", result.label, result.latency_reason)
    for warning in result.warnings:
        LOG.warning("reference %s: %s", result.label, warning)


@dataclasses.dataclass(frozen=True)
class _Split:
    """The images of one split: names, files, labels bool (N,)."""

    names: list[str]
    paths: list[Path]
    is_male: np.ndarray


Splits = dict[str, _Split]


def _splits(run_dir: Path) -> Splits:
    _, faces, splits = store.open_run(run_dir)
    names, paths = np.array(faces.names), np.array(faces.paths())
    return {
        name: _Split(
            names[splits == name].tolist(),
            paths[splits == name].tolist(),
            faces.is_male[splits == name],
        )
        for name in ("validation", "test")
    }


def classify(run_dir: Path, reference: Reference) -> ReferenceResult:
    """Try every way to use a reference on validation, and classify the test images with the best.

    InputError if no way works.
    """
    result, cost = resources.metered(lambda: _classify(run_dir, reference))
    return dataclasses.replace(result, cost=cost)


def _classify(run_dir: Path, reference: Reference) -> ReferenceResult:
    record, faces, _ = store.open_run(run_dir)
    splits, digest = _splits(run_dir), digest_of(reference)
    base = ReferenceResult(1, record.run_id, reference, digest, reason="not evaluated")
    if reference.predictions:
        return _from_tables(base, splits, faces.names)
    return _from_network(base, splits)


def _from_tables(base: ReferenceResult, splits: Splits, known: Sequence[str]) -> ReferenceResult:
    """Evaluate CSV files."""
    files = base.reference.prediction_files
    read = functools.cache(lambda path: predictions.of_images(Path(path), known))

    def answer(tried: Tried, split: str) -> np.ndarray:
        found = read(tried.predictions).p_male
        return np.array([found.get(name, np.nan) for name in splits[split].names], np.float64)

    result = _evaluate(base, [Tried(None, predictions=path) for path in files], answer, splits)
    notes = read(result.used.predictions).notes if result.used else ()
    return dataclasses.replace(result, notes=notes)


def _from_network(base: ReferenceResult, splits: Splits) -> ReferenceResult:
    """Evaluate a file, with every scaling and crop."""
    from gfr.models import reference_model

    reference = base.reference
    network, kind = reference_model.load(reference), external_files.kind(Path(reference.file))
    is_tensorflow = kind.runtime == external_files.TENSORFLOW
    base = dataclasses.replace(
        base,
        num_bytes=external_files.num_bytes(Path(reference.file)),
        num_parameters=network.num_parameters,
        runtime=kind.runtime,
        runtime_version=software.version("tensorflow" if is_tensorflow else kind.packages[0]),
    )
    planned = [
        Tried(None, scaling, crop) for scaling in reference.scalings for crop in reference.crops
    ]

    def answer(tried: Tried, split: str) -> np.ndarray:
        run, paths = _runner(network, reference, tried), splits[split].paths
        report = reporter(f"{reference.label}, {tried.title}", f"{split} images")
        answers: list[np.ndarray] = []
        for batch in images.batches(paths, BATCH):
            answers.append(run(batch))
            report(min(len(paths), BATCH * len(answers)), len(paths))
        return np.concatenate(answers)

    return _evaluate(base, planned, answer, splits)


def _runner(network: "Network", reference: Reference, tried: Tried) -> Run:
    from gfr.models import fused_model, reference_model

    graph = fused_model.compiled(reference_model.build(network, tried.scaling, tried.crop))

    def run(pixels: Sequence[np.ndarray]) -> np.ndarray:
        raw = fused_model.run_batch(graph, pixels)
        return evaluation.interpret(raw, reference.p_male, reference.male_index)

    return run


def _evaluate(
    base: ReferenceResult, planned: Sequence[Tried], answer: Answer, splits: Splits
) -> ReferenceResult:
    """Choose on validation, classify the test images, and try other ways if it looks misused."""
    threshold, is_male = base.reference.threshold, splits["validation"].is_male
    outcomes = [_attempt(row, answer, is_male, threshold) for row in planned]
    tried = tuple(row for row, _ in outcomes)
    chosen = min(range(len(tried)), key=lambda place: tried[place].rank)
    used, on_validation = outcomes[chosen]
    if on_validation is None:
        raise InputError(used.reason)
    p_male = {"validation": on_validation, "test": answer(used, "test")}
    for name, found in p_male.items():
        if not np.isfinite(found).any():
            raise InputError(
                f"it has no answer for any {name} image. Classify the validation and test images "
                "that `gfr split` lists"
            )
    metrics = {
        name: evaluation.scores(found, splits[name].is_male, threshold)
        for name, found in p_male.items()
    }
    result = dataclasses.replace(
        base,
        reason="",
        tried=tried,
        chosen=chosen,
        validation=_by_name(splits["validation"], p_male["validation"]),
        test=_by_name(splits["test"], p_male["test"]),
        metrics=metrics,
        warnings=tuple(evaluation.suspicions(metrics["validation"])),
    )
    if not result.warnings:
        return result
    attempts = _others(used, on_validation, answer, is_male, threshold)
    return dataclasses.replace(result, attempts=tuple(attempts))


def _by_name(split: _Split, p_male: np.ndarray) -> dict[str, float]:
    rows = zip(split.names, p_male.tolist(), strict=True)
    return {name: p for name, p in rows if np.isfinite(p)}


def _attempt(
    tried: Tried, answer: Answer, is_male: np.ndarray, threshold: float
) -> tuple[Tried, np.ndarray | None]:
    """Classify the validation images; None with the reason if that fails."""
    try:
        p_male = answer(tried, "validation")
    except InputError as error:
        return dataclasses.replace(tried, reason=str(error)), None
    scores = evaluation.scores(p_male, is_male, threshold)
    return dataclasses.replace(tried, scores=scores), p_male


def _others(
    used: Tried, p_male: np.ndarray, answer: Answer, is_male: np.ndarray, threshold: float
) -> Iterator[Tried]:
    """Try the usual causes of wrong answers: other scalings, channel orders, inverted answers.

    They are suggestions for the user and are never used.
    """

    def inverted(tried: Tried, p_male: np.ndarray) -> Tried:
        scores = evaluation.scores(1 - p_male, is_male, 1 - threshold)
        return dataclasses.replace(tried, scores=scores, is_inverted=True)

    yield inverted(used, p_male)
    names = dict.fromkeys([*_other_order(used.scaling), *SCALINGS]) if used.scaling else {}
    for scaling in names:
        if scaling == used.scaling:
            continue
        blank = dataclasses.replace(used, scaling=scaling, scores=None)
        tried, found = _attempt(blank, answer, is_male, threshold)
        yield tried
        if found is not None:
            yield inverted(tried, found)


def _other_order(scaling: Scaling) -> list[Scaling]:
    """Return the same scaling with the other order of channels, first among those to try."""
    if isinstance(scaling, Normalisation):
        order: ChannelOrder = "rgb" if scaling.channels == "bgr" else "bgr"
        (m0, m1, m2), (s0, s1, s2) = scaling.mean, scaling.std
        return [Normalisation((m2, m1, m0), (s2, s1, s0), order)]
    stem = scaling.removesuffix(BGR).removesuffix(RGB)
    return [name for name in (stem, stem + BGR, stem + RGB) if name in SCALINGS]


def time_in_turn(run_dir: Path, result: ReferenceResult) -> PairedLatency:
    """Time a reference and the selected model on single test images, call by call in turn."""
    (trial_id, samples, num_attempts), cost = resources.metered(
        lambda: _time_in_turn(run_dir, result), _SAMPLE_EVERY_S
    )
    selected, single = samples
    return PairedLatency(trial_id, single, selected, num_attempts, cost)


def _time_in_turn(run_dir: Path, result: ReferenceResult) -> tuple[str, tuple[Samples, ...], int]:
    from gfr.engines import keras_model
    from gfr.engines.tensorflow import classifier
    from gfr.models import reference_model

    run = store.read_run(run_dir)
    trial, protocol = run.result_of(None), run.record.benchmark.latency
    selected = classifier(keras_model.load(run_dir, trial))
    assert result.used
    network = reference_model.load(result.reference)
    calls = selected, _runner(network, result.reference, result.used)
    few = [[images.known(path)] for path in _splits(run_dir)["test"].paths[: protocol.calls]]
    samples, num_attempts = interleaved.measure(calls, few, protocol.calls, protocol.seconds)
    return trial.trial.id, samples, num_attempts
