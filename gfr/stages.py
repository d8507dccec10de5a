"""The stages after the door, in the order in which the flow calls them.

In: a run directory and a frozen record. Out: files in the run directory (gfr/results.py); a stage
whose file is there already returns at once, so that a rerun with the same id continues. Arrays and
models travel as files. Never knows who calls it: Prefect, a test or a notebook.
"""

import logging
from pathlib import Path

import keras
import numpy as np

from gfr import (
    atomic,
    backbones,
    dataset,
    features,
    hardware,
    head,
    provenance,
    results,
    runs,
    shards,
    weights,
)
from gfr.evaluate import metrics, probabilities
from gfr.metering import metered
from gfr.progress import reporter
from gfr.results import SCHEMA
from gfr.spec import FeatureSet, Trial

LOG = logging.getLogger("gfr")


def extract(run_dir: str, feature_set: FeatureSet) -> str:
    """Compute one feature set, or find it in the cache; returns the path of its record."""
    path = Path(run_dir) / "features" / f"{feature_set.id}.json"
    report = reporter(feature_set.title)
    if path.exists() and _is_intact(results.read(path, results.FeatureResult)):
        report(1, 1)
        return str(path)
    record, faces, splits = open_run(run_dir)
    used = record.weights_of(feature_set.backbone.label)
    backbones.make_deterministic()
    extracted, cost = metered(
        lambda: features.extract(
            feature_set,
            faces,
            used,
            record.data.pixels_digest,
            Path(record.cache),
            f"{record.run_id} {record.created_utc}" if record.fresh else "",
            report,
        )
    )
    scale = 1.0
    if used.source == "random":
        rows = np.flatnonzero(splits == "train")[: weights.NUM_CALIBRATION_IMAGES]
        scale = weights.calibrate(shards.read(Path(extracted.directory)).rows(rows))
    result = results.FeatureResult(SCHEMA, feature_set, used, extracted, scale, cost)
    results.write(path, result)
    report(1, 1)
    LOG.info(
        "%s: %s images computed, %s reused, %.0f s",
        feature_set.title,
        f"{extracted.num_computed:,}",
        f"{extracted.num_reused:,}",
        cost.wall_s,
    )
    return str(path)


def _is_intact(found: results.FeatureResult) -> bool:
    """Whether the shards that a record speaks of are still there, undamaged."""
    try:
        shards.read(Path(found.extracted.directory))
    except FileNotFoundError:
        return False
    return True


def train(run_dir: str, trial: Trial) -> str:
    """Train and evaluate one head; returns the path of its record."""
    path = Path(run_dir) / "trials" / f"{trial.id}.json"
    head_path = Path(run_dir) / "heads" / f"{trial.id}.keras"
    if path.exists() and head_path.exists():
        reporter(trial.title)(1, 1)
        return str(path)
    result, model = _train(run_dir, trial)
    atomic.save(head_path, model.save)
    results.write(path, result)
    test, note = result.metrics["test"], result.features.weights.note
    LOG.info(
        "%s: test accuracy %.3f, loss %.3f (n = %s), %d epochs in %.1f s%s",
        trial.title,
        test.accuracy,
        test.loss,
        f"{test.num_images:,}",
        trial.iteration.epochs,
        result.train_cost.wall_s,
        f"; {note}" if note else "",
    )
    return str(path)


def _train(run_dir: str, trial: Trial) -> tuple[results.TrialResult, keras.Model]:
    record, faces, splits = open_run(run_dir)
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
    logits, evaluate_cost = metered(
        lambda: {name: head.logits(model, table, found.scale, rows[name]) for name in rows}
    )
    names, p_male = [faces.names[row] for row in rows["test"]], probabilities(logits["test"])
    result = results.TrialResult(
        schema=SCHEMA,
        run_id=record.run_id,
        trial=trial,
        data_digest=record.data.digest,
        features=found,
        history=history,
        metrics={name: metrics(logits[name], faces.is_male[rows[name]]) for name in rows},
        train_cost=train_cost,
        evaluate_cost=evaluate_cost,
        provenance=provenance.collect(runs.ROOT),
        hardware=hardware.collect(),
        test_probabilities=dict(zip(names, p_male.tolist(), strict=True)),
    )
    return result, model


def open_run(run_dir: str) -> tuple[results.RunRecord, dataset.Faces, np.ndarray]:
    """The record of a run, its images, and the split, str (N,)."""
    record = results.read(Path(run_dir) / "run.json", results.RunRecord)
    faces, splits = dataset.read_table(Path(run_dir) / "faces.csv", record.data, record.split)
    return record, faces, splits
