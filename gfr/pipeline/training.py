"""Train a trial's head, and the same head with another seed, split or number of images.

The features are those on disk.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import keras
import numpy as np

from gfr.config.schema import Refit, Trial
from gfr.data import splits as data_splits
from gfr.evaluation.metrics import History, Metrics, metrics
from gfr.measurement import hardware, software
from gfr.measurement.resources import Cost, metered
from gfr.models import backbone, feature_store, head
from gfr.pipeline.features import collect
from gfr.progress import LOG, reporter
from gfr.results import records, store
from gfr.storage import atomic, paths, run_directory, serialization
from gfr.types import SPLITS

NUM_AT_ONCE = 2  # steps of a head are too small to fill two cores by themselves (docs/LOG.md)


@dataclass(frozen=True)
class Trained:
    """A head; rows int (n,) and logits float32 (n,) of each split."""

    model: keras.Model
    history: History
    rows: dict[str, np.ndarray]
    logits: dict[str, np.ndarray]

    def metrics(self, is_male: np.ndarray) -> dict[str, Metrics]:
        """bool (N,) -> the head's metrics on each split."""
        return {name: metrics(self.logits[name], is_male[self.rows[name]]) for name in SPLITS}

    def logits_by_name(self, split: str, names: Sequence[str]) -> dict[str, float]:
        """The logits of a split by image name; `names` are those of all N images."""
        images = (names[row] for row in self.rows[split])
        return dict(zip(images, self.logits[split].tolist(), strict=True))


class _Heads:
    """Trains the heads of one trial on the features on disk; splits is str (N,)."""

    def __init__(self, run_dir: Path, trial: Trial, extracted: records.FeatureResult) -> None:
        self.record, self.faces, self.splits = store.open_run(run_dir)
        self.trial, self.scale = trial, extracted.scale
        self.features = feature_store.read(extracted.directory)
        self.idle: SimpleQueue[head.Fit] = SimpleQueue()
        for _ in range(NUM_AT_ONCE):
            is_male, batch_size = self.faces.is_male, trial.batch_size
            self.idle.put(head.trainer(self.features, self.scale, is_male, batch_size))

    def train(self, rows: dict[str, np.ndarray], seed: int, report: head.Report) -> Trained:
        """Train one head on the train rows, in an idle trainer; rows int (n,) by split."""
        fit, epochs = self.idle.get(), self.trial.iteration.epochs
        try:
            model, history = fit(rows["train"], rows["validation"], epochs, seed, report)
            features, scale = self.features, self.scale
            logits = {name: head.logits(model, features, scale, rows[name]) for name in SPLITS}
            return Trained(model, history, rows, logits)
        finally:
            self.idle.put(fit)

    def rows_of(self, refit: Refit) -> dict[str, np.ndarray]:
        """Return the rows of each split, int (n,), in a refit."""
        faces, splits = self.faces, self.splits
        if refit.changed in ("split", "rule"):
            fractions = self.record.benchmark.data.fractions
            splits = data_splits.by_rule(refit.rule, faces, fractions, refit.split_seed)
        rows = _rows(splits)
        if refit.changed == "fraction":
            rows["train"] = data_splits.subset(
                faces.names, faces.is_male, rows["train"], refit.fraction, refit.split_seed
            )
        return rows


def _rows(splits: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.flatnonzero(splits == name) for name in SPLITS}


def train(run_dir: Path, trial: Trial, worker: str) -> Path:
    """Train and evaluate a head; return the path of its record. `worker` is for the record."""
    files = run_directory.RunDirectory(run_dir)
    path, head_path = files.trial(trial.id), files.head(trial.id)
    if path.exists() and head_path.exists():
        reporter(trial.title)(1, 1)
        return path
    result, model = _train(run_dir, trial, worker, has_refits=True)
    atomic.save(head_path, model.save)
    serialization.write(path, result)
    test, note = result.metrics["test"], result.features.note
    LOG.info(
        f"{trial.title}: test accuracy {test.accuracy:.3f}, loss {test.loss:.3f} "
        f"(n = {test.num_images:,}), {trial.iteration.epochs} epochs in "
        f"{result.train_cost.wall_s:.1f} s{note and f'; {note}'}"
    )
    return path


def train_again(run_dir: Path, trial: Trial, worker: str) -> Path:
    """Repeat the training of a head; return the path of the record, beside the first one."""
    files = run_directory.RunDirectory(run_dir)
    path = files.repeated_trial(trial.id)
    result, _ = _train(run_dir, trial, worker, has_refits=False)
    serialization.write(path, result)
    store.mark_as_newer(path, files.trial(trial.id))
    LOG.info("%s: training repeated", trial.title)
    return path


def _train(
    run_dir: Path, trial: Trial, worker: str, has_refits: bool
) -> tuple[records.TrialResult, keras.Model]:
    extracted = collect(run_dir, trial.feature_set)
    if extracted is None:
        raise FileNotFoundError(f"{trial.feature_set.title}: features are incomplete")
    backbone.make_deterministic()
    heads = _Heads(run_dir, trial, extracted)
    record, faces = heads.record, heads.faces
    planned = record.benchmark.refits(faces.identity is not None) if has_refits else ()
    again, refit_cost, trained, train_cost = _fit(heads, planned)
    result = records.TrialResult(
        schema=serialization.SCHEMA,
        run_id=record.run_id,
        trial=trial,
        data_digest=record.data.digest,
        worker=worker,
        features=extracted,
        history=trained.history,
        metrics=trained.metrics(faces.is_male),
        train_cost=train_cost,
        provenance=software.collect(paths.ROOT),
        hardware=hardware.collect(),
        validation_logits=trained.logits_by_name("validation", faces.names),
        test_logits=trained.logits_by_name("test", faces.names),
        refits=again,
        refit_cost=refit_cost,
    )
    return result, trained.model


def _fit(
    heads: _Heads, planned: tuple[Refit, ...]
) -> tuple[tuple[records.RefitResult, ...], Cost, Trained, Cost]:
    """Train every refit, then the trial's own head, whose model its trainer then keeps."""
    trial, num_heads = heads.trial, len(planned) + 1
    report = reporter(trial.title, f"epochs of {num_heads} heads" if planned else "epochs")
    epochs = [0] * num_heads

    def train_one(number: int, rows: dict[str, np.ndarray], seed: int) -> Trained:
        def report_epoch(done: int, total: int) -> None:
            epochs[number] = done
            report(sum(epochs), num_heads * total)

        return heads.train(rows, seed, report_epoch)

    def train_refit(number: int) -> records.RefitResult:
        refit = planned[number]
        trained = train_one(number, heads.rows_of(refit), refit.seed)
        return records.RefitResult(refit, trained.metrics(heads.faces.is_male))

    with ThreadPoolExecutor(NUM_AT_ONCE) as pool:
        again, refit_cost = metered(lambda: tuple(pool.map(train_refit, range(len(planned)))))
    rows = _rows(heads.splits)
    trained, train_cost = metered(lambda: train_one(len(planned), rows, trial.seed))
    return again, refit_cost, trained, train_cost
