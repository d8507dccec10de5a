"""The fused model against the clock.

In: a run directory and a feature set. Out: a LatencyResult in the run directory, or a Retimed
beside it. To be called alone on the machine, after all training. Checks on the way that pixels to
probability gives what features to probability gave. Never trains.
"""

import dataclasses
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gfr.config.schema import FeatureSet, Latency, Precision
from gfr.data import images
from gfr.engines import keras_model
from gfr.engines.base import Classify
from gfr.engines.tensorflow import classifier
from gfr.measurement import latency, reference_workload
from gfr.measurement.latency import LatencyResult, Timing
from gfr.measurement.resources import metered
from gfr.progress import reporter
from gfr.results import records, reruns, store
from gfr.results.store import open_run
from gfr.storage import serialization
from gfr.storage.serialization import SCHEMA

BATCH = 64

_CHUNK = 16 * BATCH  # test images in memory at once while batches are timed

_SAMPLE_EVERY_S = 2.0  # looking at memory more often would show in the latencies

_NUM_WITNESSES = 20  # before the calls, and as many after them; never more than there are calls

LOG = logging.getLogger("gfr")


def time_model(run_dir: str, feature_set: FeatureSet) -> str:
    """Time the fused model of one feature set; returns the path of its record."""
    path = Path(run_dir) / "latency" / f"{feature_set.id}.json"
    if path.exists():
        reporter(_step(feature_set))(1, 1)
        return str(path)
    result, cost = metered(lambda: _time_model(run_dir, feature_set), _SAMPLE_EVERY_S)
    serialization.write(path, dataclasses.replace(result, cost=cost))
    for timing in result.timings:
        LOG.info(
            "%s, %s: p50 %.1f ms, p95 %.1f ms (batch 1, %d calls); test set of %s in %.2f s%s",
            feature_set.title,
            timing.precision,
            timing.p50_ms,
            1000 * timing.single.percentile_s(95),
            len(timing.single.values_s),
            f"{result.num_test_images:,}",
            timing.inference_s,
            "; CONTENDED: other processes took part of the machine" if timing.is_contended else "",
        )
    return str(path)


def time_again(run_dir: str, feature_set: FeatureSet) -> str:
    """Time single images once more, beside the record; returns the path of what came out."""
    run = store.read_run(Path(run_dir))
    number = len(reruns.timings(run, feature_set)) + 1
    path = reruns.timing_path(run.directory, feature_set, number)
    serialization.write(
        path, reruns.Retimed(reruns.SCHEMA, feature_set, tuple(_again(run, feature_set)))
    )
    LOG.info("%s, latency: timed once more", feature_set.title)
    return str(path)


def _again(run: records.Run, feature_set: FeatureSet) -> Iterator[reruns.Row]:
    first = run.latencies[feature_set.id]
    trial = run.result_of(first.trial_id)
    asked = run.record.benchmark.latency
    _, faces, splits = open_run(str(run.directory))
    test = [row for row, split in zip(faces.paths(), splits, strict=True) if split == "test"]
    few = [[images.decode(path).pixels] for path in test[: asked.calls]]
    recorded = list(trial.test_probabilities.values())[: len(few)]
    report = reporter(f"{_step(feature_set)}, once more")
    for number, timing in enumerate(first.timings):
        report(number, len(first.timings))
        classify = classifier(keras_model.load(run.directory, trial, timing.precision))
        answers = np.concatenate([classify(pixels).p_male for pixels in few])
        single, num, witness_s = _time_single(classify, few, timing.precision, asked)
        difference = float(np.abs(answers - np.array(recorded)).max())
        yield reruns.Row(timing.precision, single, num, witness_s, difference)


def _step(feature_set: FeatureSet) -> str:
    return f"{feature_set.title}, latency"


def _time_model(run_dir: str, feature_set: FeatureSet) -> LatencyResult:
    run = store.read_run(Path(run_dir))
    _, faces, splits = open_run(run_dir)
    trial = next(row for row in run.trials if row.trial.feature_set == feature_set)
    test = [path for path, split in zip(faces.paths(), splits, strict=True) if split == "test"]
    precisions: list[Precision] = ["float32"]
    is_own = trial.features.weights.source == "own"  # computed in float32 alone
    asked = run.record.benchmark.latency
    is_faster = run.record.rates and run.record.rates.fastest == "bfloat16"
    if asked.accelerated and is_faster and not is_own:
        precisions.append("bfloat16")
    report = reporter(_step(feature_set), "precisions")
    timings, decode_s, num_parameters = [], 0.0, []
    for number, precision in enumerate(precisions):
        report(number, len(precisions))
        timing, decode_s, num = _time_precision(run_dir, trial, test, precision, asked)
        timings.append(timing)
        num_parameters.append(num)
    report(len(precisions), len(precisions))
    return LatencyResult(
        schema=SCHEMA,
        feature_set=feature_set,
        trial_id=trial.trial.id,
        num_parameters=num_parameters[0],
        batch_size=BATCH,
        decode_s=decode_s,
        num_test_images=len(test),
        timings=tuple(timings),
        cost=run.record.cost,  # replaced by the caller, who knows it
    )


def _time_precision(
    run_dir: str,
    trial: records.TrialResult,
    test: list[Path],
    precision: Precision,
    asked: Latency,
) -> tuple[Timing, float, int]:
    """One graph -> its timing, seconds of decoding the test set, its number of parameters."""
    begun_s = time.perf_counter()
    model = keras_model.load(Path(run_dir), trial, precision)
    classify = classifier(model)
    build_s = time.perf_counter() - begun_s
    few = [[images.decode(path).pixels] for path in test[: asked.calls]]
    first = latency.time_calls(classify, few, 1, 0)
    single, num_single, witness_s = _time_single(classify, few, precision, asked)
    answers: list[np.ndarray] = []
    decode_s: list[float] = []
    batches, num_batches = latency.least_disturbed(
        lambda: _time_test_set(classify, test, answers, decode_s)
    )
    recorded = np.array(list(trial.test_probabilities.values()))
    timing = Timing(
        precision=precision,
        build_s=build_s,
        first_call_s=first.warmups_s[0],
        single=single,
        batches=batches,
        num_attempts=(num_single, num_batches),
        max_difference=float(np.abs(answers[-1] - recorded).max()),
        witness_s=witness_s,
    )
    return timing, decode_s[-1], model.count_params()


def _time_single(
    classify: Classify, few: list[list[np.ndarray]], precision: Precision, asked: Latency
) -> tuple[latency.Samples, int, float]:
    """Calls on one image each: the least disturbed row, how many were measured, the witness."""
    witness = reference_workload.witness(precision)
    num_witnesses = min(_NUM_WITNESSES, asked.calls)
    witness()
    witnesses_s = [witness() for _ in range(num_witnesses)]
    warmups_s = latency.warm_up(classify, few)
    single, num = latency.least_disturbed(
        lambda: latency.time_calls(classify, few, 0, asked.calls, asked.seconds)
    )
    witnesses_s += [witness() for _ in range(num_witnesses)]
    single = dataclasses.replace(single, warmups_s=warmups_s)
    return single, num, float(np.percentile(witnesses_s, 10))


def _time_test_set(
    classify: Classify, paths: list[Path], answers: list[np.ndarray], decode_s: list[float]
) -> latency.Samples:
    """Batches of the whole test set; appends p_male (N,) and the seconds of decoding."""
    parts: list[latency.Samples] = []
    p_male: list[np.ndarray] = []
    decode_s.append(0.0)
    for start in range(0, len(paths), _CHUNK):
        decoding_s = time.perf_counter()
        batches = list(images.batches(paths[start : start + _CHUNK], BATCH))
        decode_s[-1] += time.perf_counter() - decoding_s
        # A batch size seen for the first time sets oneDNN up: not part of the time.
        sizes = {len(batch): batch for batch in batches}
        parts.append(latency.time_calls(classify, list(sizes.values()), len(sizes), 0))
        parts.append(
            latency.time_calls(
                lambda batch: p_male.append(classify(batch).p_male), batches, 0, len(batches)
            )
        )
    answers.append(np.concatenate(p_male))
    return latency.joined(parts)
