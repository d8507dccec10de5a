"""A trial's head, and the same head trained again with one thing changed.

In: a feature set's rows, the images, their split, a trial, spec.Refit. Out: the trained head, its
history and its logits by split; metrics of each refit. What a refit changes is the seed, the split
or the number of training images; the features are those on disk. Never writes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from gfr.config.schema import Data, Refit, Trial
from gfr.data import splits as data_splits
from gfr.data.dataset import Faces
from gfr.evaluation.metrics import History, Metrics, metrics
from gfr.measurement import hardware, software
from gfr.measurement.resources import metered
from gfr.models import backbone, feature_store, head
from gfr.models.feature_store import Features
from gfr.pipeline.features import LOG, collect
from gfr.progress import reporter
from gfr.results import records, reruns
from gfr.results.records import RefitResult
from gfr.results.store import open_run
from gfr.storage import atomic, paths, serialization
from gfr.storage.serialization import SCHEMA
from gfr.types import SPLITS

NUM_AT_ONCE = 2  # steps of a head are too small to fill two cores by themselves (docs/LOG.md)

Report = Callable[[int, int], None]  # done, total


@dataclass(frozen=True)
class Ground:
    """What all heads of a trial are trained on; splits is str (N,), `data` how it was made.

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
        """bool (N,) -> what the head is worth on each split."""
        return {name: metrics(self.logits[name], is_male[self.rows[name]]) for name in SPLITS}


def train_refits(
    ground: Ground, refits: tuple[Refit, ...], report: Report
) -> tuple[RefitResult, ...]:
    """Every refit, as many at once as there are trainers; `report` hears of all epochs together."""
    epochs = [0] * len(refits)

    def refit(number: int, fit: head.Fit) -> RefitResult:
        def told(done: int, total: int) -> None:
            epochs[number] = done
            report(sum(epochs), (len(refits) + 1) * total)  # the trial itself is to come

        asked = refits[number]
        trained = once(ground, fit, _rows(ground, asked), asked.seed, told)
        return RefitResult(asked, trained.metrics(ground.faces.is_male))

    def share(number: int) -> list[RefitResult]:
        fit = ground.fits[number]
        return [refit(k, fit) for k in range(number, len(refits), len(ground.fits))]

    with ThreadPoolExecutor(len(ground.fits)) as pool:
        shares = list(pool.map(share, range(len(ground.fits))))
    return tuple(shares[k % len(shares)][k // len(shares)] for k in range(len(refits)))


def once(
    ground: Ground, fit: head.Fit, rows: dict[str, np.ndarray], seed: int, report: Report
) -> Trained:
    """One head on the train rows; rows int (n,) by split."""
    epochs = ground.trial.iteration.epochs
    model, history = fit(rows["train"], rows["validation"], epochs, seed, report)
    logits = {
        name: head.logits(model, ground.features, ground.scale, rows[name]) for name in SPLITS
    }
    return Trained(model, history, rows, logits)


def rows_of(splits: np.ndarray) -> dict[str, np.ndarray]:
    """str (N,) -> the rows of each split, int (n,)."""
    return {name: np.flatnonzero(splits == name) for name in SPLITS}


def _rows(ground: Ground, refit: Refit) -> dict[str, np.ndarray]:
    faces, splits = ground.faces, ground.splits
    if refit.changed in ("split", "rule"):
        splits = data_splits.by_rule(refit.rule, faces, ground.data.fractions, refit.split_seed)
    rows = rows_of(splits)
    if refit.changed != "fraction":
        return rows
    few = data_splits.subset(
        faces.names, faces.is_male, rows["train"], refit.fraction, refit.split_seed
    )
    return rows | {"train": few}


def train(run_dir: str, trial: Trial, worker: str) -> str:
    """Train and evaluate one head; returns the path of its record.

    `worker` is who does it, for the record.
    """
    path = Path(run_dir) / "trials" / f"{trial.id}.json"
    head_path = Path(run_dir) / "heads" / f"{trial.id}.keras"
    if path.exists() and head_path.exists():
        reporter(trial.title)(1, 1)
        return str(path)
    result, model = _train(run_dir, trial, worker, has_refits=True)
    atomic.save(head_path, model.save)
    serialization.write(path, result)
    test, note = result.metrics["test"], result.features.note
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


def train_again(run_dir: str, trial: Trial, worker: str) -> str:
    """Train the same head once more, beside the record; returns the path of what came out."""
    path = reruns.trial_path(Path(run_dir), trial.id)
    result, _ = _train(run_dir, trial, worker, has_refits=False)
    serialization.write(path, result)
    LOG.info("%s: trained once more", trial.title)
    return str(path)


def _train(
    run_dir: str, trial: Trial, worker: str, has_refits: bool
) -> tuple[records.TrialResult, keras.Model]:
    record, faces, splits = open_run(run_dir)
    found = collect(run_dir, trial.feature_set)
    if found is None:
        raise FileNotFoundError(f"{trial.feature_set.title}: features are incomplete")
    table = feature_store.read(found.directory)
    backbone.make_deterministic()
    fits = tuple(
        head.trainer(table, found.scale, faces.is_male, trial.batch_size)
        for _ in range(NUM_AT_ONCE)
    )
    ground = Ground(table, found.scale, faces, splits, record.benchmark.data, trial, fits)
    asked = record.benchmark.refits(faces.identity is not None) if has_refits else ()
    # The trial itself comes last: its head is what stays in the trainer's model.
    report = reporter(trial.title, f"epochs of {1 + len(asked)} heads" if asked else "epochs")
    again, refit_cost = metered(lambda: train_refits(ground, asked, report))
    rows = rows_of(splits)

    def told(done: int, total: int) -> None:
        report(len(asked) * total + done, (len(asked) + 1) * total)

    trained, train_cost = metered(lambda: once(ground, fits[0], rows, trial.seed, told))
    by_name = {
        name: dict(
            zip(
                [faces.names[row] for row in trained.rows[name]],
                trained.logits[name].tolist(),
                strict=True,
            )
        )
        for name in ("validation", "test")
    }
    result = records.TrialResult(
        schema=SCHEMA,
        run_id=record.run_id,
        trial=trial,
        data_digest=record.data.digest,
        worker=worker,
        features=found,
        history=trained.history,
        metrics=trained.metrics(faces.is_male),
        train_cost=train_cost,
        provenance=software.collect(paths.ROOT),
        hardware=hardware.collect(),
        validation_logits=by_name["validation"],
        test_logits=by_name["test"],
        refits=again,
        refit_cost=refit_cost,
    )
    return result, trained.model
