"""The stages after the door, in the order in which the flow calls them.

In: a run directory and a frozen record. Out: files in the run directory (gfr/results.py); a stage
whose file is there already returns at once, so that a rerun with the same id continues. Arrays and
models travel as files. Never knows who calls it: Prefect, a test or a notebook.
"""

import dataclasses
import logging
import time
from pathlib import Path

import keras
import numpy as np
import psutil
import tensorflow as tf

from gfr import (
    atomic,
    backbones,
    dataset,
    features,
    hardware,
    head,
    images,
    latency,
    provenance,
    results,
    runs,
    shards,
    weights,
)
from gfr.errors import BadInput
from gfr.evaluate import metrics
from gfr.metering import metered
from gfr.progress import reporter
from gfr.results import SCHEMA
from gfr.spec import FeatureSet, Trial

NUM_WARMUPS = 10
NUM_SINGLE_CALLS = 100
LATENCY_BATCH = 64
_CHUNK = 16 * LATENCY_BATCH  # test images in memory at once while batches are timed

LOG = logging.getLogger("gfr")


def extract(run_dir: str, feature_set: FeatureSet) -> str:
    """Compute one feature set, or find it in the cache; returns the path of its record."""
    path = Path(run_dir) / "features" / f"{feature_set.id}.json"
    if path.exists():
        return str(path)
    record, faces, splits = _open(run_dir)
    used = record.weights_of(feature_set.backbone.label)
    backbones.make_deterministic()
    extracted, cost = metered(
        lambda: features.extract(
            feature_set,
            faces,
            used,
            record.data.pixels_digest,
            Path(record.cache),
            record.run_id if record.fresh else "",
            reporter(feature_set.title),
        )
    )
    scale = 1.0
    if used.source == "random":
        rows = np.flatnonzero(splits == "train")[: weights.NUM_CALIBRATION_IMAGES]
        scale = weights.calibrate(shards.read(Path(extracted.directory)).rows(rows))
    result = results.FeatureResult(SCHEMA, feature_set, used, extracted, scale, cost)
    results.write(path, result)
    LOG.info(
        "%s: %s images computed, %s reused, %.0f s",
        feature_set.title,
        f"{extracted.num_computed:,}",
        f"{extracted.num_reused:,}",
        cost.wall_s,
    )
    return str(path)


def train(run_dir: str, trial: Trial) -> str:
    """Train and evaluate one head; returns the path of its record."""
    path = Path(run_dir) / "trials" / f"{trial.id}.json"
    if path.exists():
        return str(path)
    record, faces, splits = _open(run_dir)
    found = results.read(
        Path(run_dir) / "features" / f"{trial.feature_set.id}.json", results.FeatureResult
    )
    rows = {name: np.flatnonzero(splits == name) for name in dataset.SPLITS}
    table = shards.read(Path(found.extracted.directory))
    backbones.make_deterministic()
    (model, history), train_cost = metered(
        lambda: head.train(
            table,
            found.scale,
            faces.is_male,
            rows["train"],
            rows["validation"],
            trial.iteration.epochs,
            trial.batch_size,
            trial.seed,
            reporter(trial.title),
        )
    )
    p_male, evaluate_cost = metered(
        lambda: {name: head.predict(model, table, found.scale, rows[name]) for name in rows}
    )
    model_path = Path(run_dir) / "heads" / f"{trial.id}.keras"
    atomic.save(model_path, model.save)
    result = results.TrialResult(
        schema=SCHEMA,
        run_id=record.run_id,
        trial=trial,
        data_digest=record.data.digest,
        features=found,
        history=history,
        metrics={name: metrics(p_male[name], faces.is_male[rows[name]]) for name in rows},
        train_cost=train_cost,
        evaluate_cost=evaluate_cost,
        provenance=provenance.collect(runs.ROOT),
        hardware=hardware.collect(),
        test_probabilities={
            faces.names[row]: float(p) for row, p in zip(rows["test"], p_male["test"], strict=True)
        },
    )
    results.write(path, result)
    test = result.metrics["test"]
    LOG.info(
        "%s: test accuracy %.3f, loss %.3f (n = %s), %d epochs in %.1f s%s",
        trial.title,
        test.accuracy,
        test.loss,
        f"{test.num_images:,}",
        trial.iteration.epochs,
        train_cost.wall_s,
        f"; {found.weights.note}" if found.weights.note else "",
    )
    return str(path)


def time_model(run_dir: str, feature_set: FeatureSet) -> str:
    """Time the fused model of one feature set; call it with the machine to itself."""
    path = Path(run_dir) / "latency" / f"{feature_set.id}.json"
    if path.exists():
        return str(path)
    result, cost = metered(lambda: _time_model(run_dir, feature_set))
    results.write(path, dataclasses.replace(result, cost=cost))
    LOG.info(
        "%s: p50 %.1f ms, p95 %.1f ms (batch 1, %d calls); test set of %s in %.2f s",
        feature_set.title,
        1000 * result.single.percentile_s(50),
        1000 * result.single.percentile_s(95),
        len(result.single.values_s),
        f"{result.num_test_images:,}",
        result.inference_s,
    )
    return str(path)


def _time_model(run_dir: str, feature_set: FeatureSet) -> results.LatencyResult:
    run = results.read_run(Path(run_dir))
    _, faces, splits = _open(run_dir)
    trial = next(row for row in run.trials if row.trial.feature_set == feature_set)
    report = reporter(f"{feature_set.title}, latency")
    load_before = psutil.getloadavg()[0]
    graph, building = metered(lambda: load_graph(run_dir, trial))
    test_paths = [
        path for path, split in zip(faces.paths(), splits, strict=True) if split == "test"
    ]

    few = [images.decode(path).pixels for path in test_paths[:NUM_SINGLE_CALLS]]
    first = latency.time_calls(lambda image: backbones.run_batch(graph, [image]), few, 1, 0)
    single = latency.time_calls(
        lambda image: backbones.run_batch(graph, [image]), few, NUM_WARMUPS, NUM_SINGLE_CALLS
    )

    decode_s, batches_cpu_s = 0.0, 0.0
    batches_s: tuple[float, ...] = ()
    p_male: list[np.ndarray] = []
    for start in range(0, len(test_paths), _CHUNK):
        decoding_s = time.perf_counter()
        batches = list(images.batches(test_paths[start : start + _CHUNK], LATENCY_BATCH))
        decode_s += time.perf_counter() - decoding_s
        timed = latency.time_calls(
            lambda batch: p_male.append(backbones.run_batch(graph, batch)), batches, 0, len(batches)
        )
        batches_s += timed.values_s
        batches_cpu_s += timed.cpu_s
        report(min(start + _CHUNK, len(test_paths)), len(test_paths))
    recorded = np.array(list(trial.test_probabilities.values()))
    return results.LatencyResult(
        schema=SCHEMA,
        feature_set=feature_set,
        trial_id=trial.trial.id,
        build_s=building.wall_s,
        first_call_s=first.warmups_s[0],
        single=single,
        batch_size=LATENCY_BATCH,
        batches_s=batches_s,
        batches_cpu_s=batches_cpu_s,
        decode_s=decode_s,
        num_test_images=len(test_paths),
        max_difference=float(np.abs(np.concatenate(p_male)[:, 0] - recorded).max()),
        load_before=load_before,
        cost=building,
    )


def load_graph(run_dir: str, result: results.TrialResult) -> tf.types.experimental.ConcreteFunction:
    """The fused model of a trial as one graph; BadInput if its weights have changed since."""
    used = result.features.weights
    path = Path(used.path)
    if not path.is_file() or provenance.file_sha256(path) != used.sha256:
        raise BadInput(f"{path}: the weights of {result.trial.title} are gone or have changed")
    keras.utils.clear_session()
    backbone = backbones.build(result.trial.feature_set, path)
    model = keras.saving.load_model(Path(run_dir) / "heads" / f"{result.trial.id}.keras")
    return backbones.compiled(backbones.fuse(backbone, result.features.scale, model))


def select(run_dir: str) -> str:
    """Rank the trials and name the best; returns its id."""
    run = results.read_run(Path(run_dir))
    selection = results.best(run.trials, run.latencies)
    results.write(Path(run_dir) / "selection.json", selection)
    return selection.trial_id


def _open(run_dir: str) -> tuple[results.RunRecord, dataset.Faces, np.ndarray]:
    record = results.read(Path(run_dir) / "run.json", results.RunRecord)
    faces, splits = dataset.read_table(Path(run_dir) / "faces.csv", Path(record.data.image_dir))
    return record, faces, splits
