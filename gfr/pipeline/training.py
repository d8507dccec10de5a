"""Train a trial's head, and the same head with another seed, split or number of images.

The features are those on disk. Writes nothing.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import keras
import numpy as np

from gfr.config.schema import Data, Refit, Trial
from gfr.data import splits as data_splits
from gfr.data.dataset import Faces
from gfr.evaluation.metrics import History, Metrics, metrics
from gfr.measurement import hardware, software
from gfr.measurement.resources import Cost, metered
from gfr.models import backbone, feature_store, head
from gfr.models.feature_store import Features
from gfr.models.head import Report
from gfr.pipeline.features import LOG, collect
from gfr.progress import reporter
from gfr.results import records
from gfr.results.records import RefitResult
from gfr.results.store import open_run
from gfr.storage import atomic, paths, serialization
from gfr.storage.run_directory import RunDirectory
from gfr.storage.serialization import SCHEMA
from gfr.types import SPLITS

NUM_AT_ONCE = 2  # steps of a head are too small to fill two cores by themselves (docs/LOG.md)


@dataclass(frozen=True)
class Inputs:
    """What all heads of a trial are trained on; splits is str (N,), made as `data` says.

    `fits`: trainers, each of which trains one head at a time.
    """

    features: Features
    scale: float
    faces: Faces
    splits: np.ndarray
    data: Data
    trial: Trial
    fits: tuple[head.Fit, ...]


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


def train_refits(
    inputs: Inputs, refits: tuple[Refit, ...], report: Report
) -> tuple[RefitResult, ...]:
    """Train every refit, one at a time in each trainer; `report` gets the epochs of all."""
    epochs = [0] * len(refits)
    idle: SimpleQueue[head.Fit] = SimpleQueue()
    for fit in inputs.fits:
        idle.put(fit)

    def train_one(number: int) -> RefitResult:
        def report_epoch(done: int, total: int) -> None:
            epochs[number] = done
            report(sum(epochs), (len(refits) + 1) * total)  # the trial's own head is trained later

        refit, fit = refits[number], idle.get()
        try:
            trained = once(inputs, fit, _rows(inputs, refit), refit.seed, report_epoch)
            return RefitResult(refit, trained.metrics(inputs.faces.is_male))
        finally:
            idle.put(fit)

    with ThreadPoolExecutor(len(inputs.fits)) as pool:
        return tuple(pool.map(train_one, range(len(refits))))


def once(
    inputs: Inputs, fit: head.Fit, rows: dict[str, np.ndarray], seed: int, report: Report
) -> Trained:
    """Train one head on the train rows; rows int (n,) by split."""
    epochs = inputs.trial.iteration.epochs
    model, history = fit(rows["train"], rows["validation"], epochs, seed, report)
    logits = {
        name: head.logits(model, inputs.features, inputs.scale, rows[name]) for name in SPLITS
    }
    return Trained(model, history, rows, logits)


def rows_of(splits: np.ndarray) -> dict[str, np.ndarray]:
    """str (N,) -> the rows of each split, int (n,)."""
    return {name: np.flatnonzero(splits == name) for name in SPLITS}


def _rows(inputs: Inputs, refit: Refit) -> dict[str, np.ndarray]:
    faces, splits = inputs.faces, inputs.splits
    if refit.changed in ("split", "rule"):
        splits = data_splits.by_rule(refit.rule, faces, inputs.data.fractions, refit.split_seed)
    rows = rows_of(splits)
    if refit.changed == "fraction":
        rows["train"] = data_splits.subset(
            faces.names, faces.is_male, rows["train"], refit.fraction, refit.split_seed
        )
    return rows


def train(run_dir: Path, trial: Trial, worker: str) -> Path:
    """Train and evaluate a head; return the path of its record. `worker` is for the record."""
    files = RunDirectory(run_dir)
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
    path = RunDirectory(run_dir).repeated_trial(trial.id)
    result, _ = _train(run_dir, trial, worker, has_refits=False)
    serialization.write(path, result)
    LOG.info("%s: training repeated", trial.title)
    return path


def _train(
    run_dir: Path, trial: Trial, worker: str, has_refits: bool
) -> tuple[records.TrialResult, keras.Model]:
    record, faces, splits = open_run(run_dir)
    extracted = collect(run_dir, trial.feature_set)
    if extracted is None:
        raise FileNotFoundError(f"{trial.feature_set.title}: features are incomplete")
    table = feature_store.read(extracted.directory)
    backbone.make_deterministic()
    fits = tuple(
        head.trainer(table, extracted.scale, faces.is_male, trial.batch_size)
        for _ in range(NUM_AT_ONCE)
    )
    inputs = Inputs(table, extracted.scale, faces, splits, record.benchmark.data, trial, fits)
    planned = record.benchmark.refits(faces.identity is not None) if has_refits else ()
    again, refit_cost, trained, train_cost = _fit(inputs, planned)
    result = records.TrialResult(
        schema=SCHEMA,
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
    inputs: Inputs, planned: tuple[Refit, ...]
) -> tuple[tuple[records.RefitResult, ...], Cost, Trained, Cost]:
    """Train every refit, then the trial's own head, which the first trainer's model keeps."""
    num_heads = len(planned) + 1
    report = reporter(inputs.trial.title, f"epochs of {num_heads} heads" if planned else "epochs")

    def report_last(done: int, total: int) -> None:
        report(len(planned) * total + done, num_heads * total)

    rows, seed = rows_of(inputs.splits), inputs.trial.seed
    again, refit_cost = metered(lambda: train_refits(inputs, planned, report))
    trained, train_cost = metered(lambda: once(inputs, inputs.fits[0], rows, seed, report_last))
    return again, refit_cost, trained, train_cost
