"""Over- and underfitting, from the learning curves of a trial; does not use the test split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gfr.evaluation.metrics import History, Metrics
from gfr.evaluation.statistics import newcombe

WINDOW = 5  # epochs of the running mean, since the loss of a single epoch is noisy

RISE = 0.05  # relative rise of the validation loss above its minimum that counts as overfitting

STILL = 0.01  # relative fall of the validation loss in the last tenth that counts as improvement

NOISY = 0.1  # relative distance from the running mean above which no trend is visible


@dataclass(frozen=True)
class Learning:
    """Summary of the learning curves; losses are running means of the validation loss.

    `gap` is training minus validation accuracy, -1..1, with its 95% interval. `best_epoch` counts
    from 1. `fall` is the relative decrease in the last tenth of the epochs. `noise` is the mean
    relative distance of an epoch's loss from the running mean in the second half.
    """

    gap: float
    gap_95: tuple[float, float]
    num_epochs: int
    best_epoch: int
    least_loss: float
    last_loss: float
    fall: float
    noise: float

    @property
    def rise(self) -> float:
        """Relative rise of the validation loss from its minimum to the last epoch."""
        return self.last_loss / self.least_loss - 1 if self.least_loss else 0.0

    @property
    def words(self) -> str:
        """The conclusion as a predicate with the numbers that it follows from."""
        points, low, high = (100 * share for share in (self.gap, *self.gap_95))
        interval = f"[{low:+z.1f}, {high:+z.1f}]"
        gap = f"training minus validation accuracy {points:+z.1f} points {interval}"
        if low > 0 and self.rise > max(RISE, 2 * self.noise):
            return (
                f"overfits: validation loss {self.least_loss:.3f} near epoch {self.best_epoch}, "
                f"{self.last_loss:.3f} at the end ({self.rise:+.0%}); {gap}"
            )
        if self.fall > max(STILL, 2 * self.noise):
            return (
                f"was still improving: validation loss fell by {self.fall:.1%} in the last tenth "
                f"of {self.num_epochs} epochs; {gap}"
            )
        if self.noise > NOISY:
            return (
                "has curves too noisy to assess: the validation loss of an epoch deviates from its "
                f"running mean by {self.noise:.0%} on average; {gap}"
            )
        if low > 0:
            return f"fits training images better, with validation loss near its minimum; {gap}"
        return f"shows no sign of overfitting: validation loss has converged; {gap}"


def learning(history: History, metrics: Mapping[str, Metrics]) -> Learning:
    """Summarize the learning curves of a trial with the given metrics by split."""
    losses = np.array(history.val_loss)
    # Each epoch averaged with its neighbours, with fewer of them at both ends.
    means = pd.Series(losses).rolling(WINDOW, center=True, min_periods=1).mean().to_numpy()
    train, validation = metrics["train"], metrics["validation"]
    counts = train.num_right, train.num_images, validation.num_right, validation.num_images
    tenth = max(1, len(losses) // 10)
    before = means[max(0, len(means) - 1 - tenth)]
    best, half = int(np.argmin(means)), len(losses) // 2
    distances = np.abs(losses - means)[half:] / np.maximum(means[half:], 1e-12)
    return Learning(
        gap=train.accuracy - validation.accuracy,
        gap_95=newcombe(*counts),
        num_epochs=len(losses),
        best_epoch=best + 1,
        least_loss=float(means[best]),
        last_loss=float(means[-1]),
        fall=float(1 - means[-1] / before) if before else 0.0,
        noise=float(distances.mean()),
    )
