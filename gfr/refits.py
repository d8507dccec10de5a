"""A trial's head, and the same head trained again with one thing changed.

In: a feature set's rows, the images, their split, a trial, spec.Refit. Out: the trained head, its
history and its logits by split; metrics of each refit. What a refit changes is the seed, the split
or the number of training images; the features are those on disk. Never writes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from gfr import head, splitting
from gfr.dataset import Faces
from gfr.evaluate import History, Metrics, metrics
from gfr.ranges import SPLITS
from gfr.results import RefitResult
from gfr.shards import Features
from gfr.spec import Data, Refit, Trial

Report = Callable[[int, int], None]  # done, total


@dataclass(frozen=True)
class Ground:
    """What all heads of a trial are trained on; splits is str (N,), `data` how it was made."""

    features: Features
    scale: float
    faces: Faces
    splits: np.ndarray
    data: Data
    trial: Trial
    fit: head.Fit


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


def train(ground: Ground, refits: tuple[Refit, ...], report: Report) -> tuple[RefitResult, ...]:
    """Every refit in turn; `report` hears of epochs."""
    found = []
    for number, refit in enumerate(refits):
        trained = once(
            ground, _rows(ground, refit), refit.seed, within(report, number, len(refits))
        )
        found.append(RefitResult(refit, trained.metrics(ground.faces.is_male)))
    return tuple(found)


def within(report: Report, number: int, num_refits: int) -> Report:
    """What training `number` reports as a part of all refits and, last, the trial itself."""
    return lambda done, total: report(number * total + done, (num_refits + 1) * total)


def once(ground: Ground, rows: dict[str, np.ndarray], seed: int, report: Report) -> Trained:
    """One head on the train rows; rows int (n,) by split."""
    epochs = ground.trial.iteration.epochs
    model, history = ground.fit(rows["train"], rows["validation"], epochs, seed, report)
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
        splits = splitting.by_rule(
            refit.rule,
            faces.names,
            faces.is_male,
            faces.identity,
            ground.data.fractions,
            refit.split_seed,
        )
    rows = rows_of(splits)
    if refit.changed != "fraction":
        return rows
    few = splitting.subset(
        faces.names, faces.is_male, rows["train"], refit.fraction, refit.split_seed
    )
    return rows | {"train": few}
