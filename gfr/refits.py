"""A trial's head, and the same head trained again with one thing changed.

In: a feature set's rows, the images, their split, a trial, spec.Refit. Out: the trained head, its
history and its logits by split; metrics of each refit. What a refit changes is the seed, the split
or the number of training images; the features are those on disk. Never writes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np

from gfr.config.schema import Data, Refit, Trial
from gfr.data import splits as data_splits
from gfr.data.dataset import Faces
from gfr.evaluation.metrics import History, Metrics, metrics
from gfr.models import head
from gfr.models.feature_store import Features
from gfr.results.records import RefitResult
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


def train(ground: Ground, refits: tuple[Refit, ...], report: Report) -> tuple[RefitResult, ...]:
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
        splits = data_splits.by_rule(
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
    few = data_splits.subset(
        faces.names, faces.is_male, rows["train"], refit.fraction, refit.split_seed
    )
    return rows | {"train": few}
