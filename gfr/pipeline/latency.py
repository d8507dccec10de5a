"""The stage that measures the latency of the fused models.

Runs alone on the machine, after all training. Also checks that the fused model, from pixels,
gives the probabilities that the head gave from features.
"""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gfr.config.schema import FeatureSet, Precision
from gfr.data import images
from gfr.engines import keras_model
from gfr.engines.base import Classify
from gfr.engines.tensorflow import classifier
from gfr.measurement import latency, reference_workload, resources
from gfr.models import fused_model
from gfr.progress import LOG, reporter
from gfr.results import records, store
from gfr.storage import run_directory, serialization

BATCH = 64

_CHUNK = 16 * BATCH  # test images in memory at once while batches are timed

_SAMPLE_EVERY_S = 2.0  # sampling memory more often would show in the latencies

_NUM_WORKLOADS = 20  # before the calls, and as many after them; never more than there are calls


def time_model(run_dir: Path, feature_set: FeatureSet) -> Path:
    """Time the fused model of a feature set; return the path of its record."""
    path = run_directory.RunDirectory(run_dir).latency(feature_set.id)
    if path.exists():
        reporter(f"{feature_set.title}, latency")(1, 1)
        return path
    result, cost = resources.metered(lambda: _time_model(run_dir, feature_set), _SAMPLE_EVERY_S)
    serialization.write(path, dataclasses.replace(result, cost=cost))
    for timing in result.timings:
        remark = "; CONTENDED: other processes took part of the machine"
        LOG.info(
            f"{feature_set.title}, {timing.precision}: p50 {timing.p50_ms:.1f} ms, "
            f"p95 {1000 * timing.single.percentile_s(95):.1f} ms "
            f"(batch 1, {len(timing.single.values_s)} calls); test set of "
            f"{result.num_test_images:,} in {timing.inference_s:.2f} s"
            f"{remark if timing.is_contended else ''}"
        )
    return path


def time_again(run_dir: Path, feature_set: FeatureSet) -> Path:
    """Repeat the timing of single images; return the path of the record, beside the first one."""
    run = store.read_run(run_dir)
    number = len(store.repeated_timings(run, feature_set)) + 1
    path = run_directory.RunDirectory(run_dir).repeated_latency(feature_set.id, number)
    rows = tuple(_again(run, feature_set))
    serialization.write(path, records.Retimed(1, feature_set, rows))
    store.mark_as_newer(path, run_directory.RunDirectory(run_dir).latency(feature_set.id))
    LOG.info("%s, latency: measurement repeated", feature_set.title)
    return path


def _again(run: records.Run, feature_set: FeatureSet) -> Iterator[records.RetimedRow]:
    first = run.latencies[feature_set.id]
    trial, test_set = run.result_of(first.trial_id), _TestSet(run)
    recorded = list(trial.test_probabilities.values())[: len(test_set.few)]
    report = reporter(f"{feature_set.title}, latency, once more")
    for number, timing in enumerate(first.timings):
        report(number, len(first.timings))
        classify = classifier(keras_model.load(run.directory, trial, timing.precision))
        answers = np.concatenate([classify(pixels).p_male for pixels in test_set.few])
        single, num, witness_s = test_set.time_single(classify, timing.precision)
        difference = float(np.abs(answers - np.array(recorded)).max())
        yield records.RetimedRow(timing.precision, single, num, witness_s, difference)


def precisions(run: records.Run, trial: records.TrialResult) -> list[Precision]:
    """Return float32 and, where the machine is faster in it and it is wanted, bfloat16."""
    rates, is_wanted = run.record.rates, run.record.benchmark.latency.accelerated
    is_own = trial.features.weights.source == "own"  # computed in float32 only
    if is_wanted and rates and rates.fastest == "bfloat16" and not is_own:
        return ["float32", "bfloat16"]
    return ["float32"]


def _time_model(run_dir: Path, feature_set: FeatureSet) -> latency.LatencyResult:
    run = store.read_run(run_dir)
    trial = next(row for row in run.trials if row.trial.feature_set == feature_set)
    test_set, in_precisions = _TestSet(run), precisions(run, trial)
    report = reporter(f"{feature_set.title}, latency", "precisions")
    timed = []
    for number, precision in enumerate(in_precisions):
        report(number, len(in_precisions))
        timed.append(_time_precision(run, trial, precision, test_set))
    report(1, 1)
    return latency.LatencyResult(
        schema=serialization.SCHEMA,
        feature_set=feature_set,
        trial_id=trial.trial.id,
        num_parameters=timed[0][1],
        batch_size=BATCH,
        decode_s=test_set.decode_s,
        num_test_images=len(test_set.paths),
        timings=tuple(timing for timing, _ in timed),
        cost=run.record.cost,  # replaced by the caller, who knows it
    )


def _time_precision(
    run: records.Run, trial: records.TrialResult, precision: Precision, test_set: "_TestSet"
) -> tuple[latency.Timing, int]:
    """Build the graph in one precision; return its timing and its number of parameters."""
    start_s = time.perf_counter()
    model = keras_model.load(run.directory, trial, precision)
    classify = classifier(model)
    build_s = time.perf_counter() - start_s
    first = latency.time_calls(classify, test_set.few, 1, 0)
    single, num_single, witness_s = test_set.time_single(classify, precision)
    batches, num_batches = latency.least_disturbed(lambda: test_set.time(classify))
    recorded = np.array(list(trial.test_probabilities.values()))
    timing = latency.Timing(
        precision=precision,
        build_s=build_s,
        first_call_s=first.warmups_s[0],
        single=single,
        batches=batches,
        num_attempts=(num_single, num_batches),
        max_difference=float(np.abs(test_set.p_male - recorded).max()),
        witness_s=witness_s,
    )
    return timing, fused_model.num_parameters(model)


class _TestSet:
    """The test images, with p_male (N,) and the seconds of decoding of the last measurement.

    `few`: batches of one image each, as many as calls are timed, or as there are.
    """

    def __init__(self, run: records.Run) -> None:
        _, faces, splits = store.open_run(run.directory)
        files = zip(faces.paths(), splits, strict=True)
        self.paths = [path for path, split in files if split == "test"]
        self.protocol = run.record.benchmark.latency
        self.few = [[images.known(path)] for path in self.paths[: self.protocol.calls]]
        self.p_male = np.zeros(0, np.float32)
        self.decode_s = 0.0

    def time_single(
        self, classify: Classify, precision: Precision
    ) -> tuple[latency.Samples, int, float]:
        """Time single images; return the least disturbed samples, the attempts, and `witness_s`.

        That is the 10th percentile of the seconds of the reference workload, before and after.
        """
        workload = reference_workload.timed(precision)
        calls, min_s = self.protocol.calls, self.protocol.seconds
        num_workloads = min(_NUM_WORKLOADS, calls)
        workload()
        workloads_s = [workload() for _ in range(num_workloads)]
        warmups_s = latency.warm_up(classify, self.few)
        single, num = latency.least_disturbed(
            lambda: latency.time_calls(classify, self.few, 0, calls, min_s)
        )
        workloads_s += [workload() for _ in range(num_workloads)]
        single = dataclasses.replace(single, warmups_s=warmups_s)
        return single, num, float(np.percentile(workloads_s, 10))

    def time(self, classify: Classify) -> latency.Samples:
        """Time batches of all images; decoding is not part of the time."""
        parts: list[latency.Samples] = []
        p_male: list[np.ndarray] = []

        def collect(batch: list[np.ndarray]) -> None:
            p_male.append(classify(batch).p_male)

        self.decode_s = 0.0
        for start in range(0, len(self.paths), _CHUNK):
            start_s = time.perf_counter()
            batches = list(images.batches(self.paths[start : start + _CHUNK], BATCH))
            self.decode_s += time.perf_counter() - start_s
            # The first call with a batch size sets oneDNN up: not part of the time.
            sizes = {len(batch): batch for batch in batches}
            parts.append(latency.time_calls(classify, list(sizes.values()), len(sizes), 0))
            parts.append(latency.time_calls(collect, batches, 0, len(batches)))
        self.p_male = np.concatenate(p_male)
        return latency.joined(parts)
