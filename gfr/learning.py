"""Over- and under-fitting in words that follow from the numbers.

In: a trial's history and metrics. Out: Learning, whose sentence names the figures it rests on.
Pure: never looks at the test set, imports no TensorFlow.
"""

from dataclasses import dataclass

import numpy as np

from gfr.results import TrialResult
from gfr.stats import newcombe

RISE = 0.05  # of the validation loss above its least: less is noise between epochs
STILL = 0.01  # of the validation loss won in the last tenth of the epochs: more would be won


@dataclass(frozen=True)
class Learning:
    """`gap`: accuracy on training minus validation images, -1..1, with its 95 % interval.

    `best_epoch`: of the least validation loss, from 1; `rise`: of that loss until the end, as a
    share of the least; `fall`: its last tenth's, as a share of what it was.
    """

    gap: float
    gap_95: tuple[float, float]
    num_epochs: int
    best_epoch: int
    least_loss: float
    last_loss: float
    fall: float

    @property
    def rise(self) -> float:
        """How far the validation loss has risen above its least, 0 if it has not."""
        return self.last_loss / self.least_loss - 1 if self.least_loss else 0.0

    @property
    def is_overfit(self) -> bool:
        """Better on training images than chance allows, and worse on validation than before."""
        return self.gap_95[0] > 0 and self.rise > RISE

    @property
    def is_underfit(self) -> bool:
        """Still learning when it was stopped."""
        return self.rise <= RISE and self.fall > STILL

    @property
    def words(self) -> str:
        """The finding, one sentence."""
        low, high = (100 * bound for bound in self.gap_95)
        bounds = f"[{low:+.1f}, {high:+.1f}]"
        gap = f"training less validation accuracy {100 * self.gap:+.1f} points {bounds}"
        if self.is_overfit:
            return (
                f"overfits: validation loss {self.least_loss:.3f} in epoch {self.best_epoch}, "
                f"{self.last_loss:.3f} at the end ({self.rise:+.0%}); {gap}"
            )
        if self.is_underfit:
            return (
                f"underfits: validation loss still fell by {self.fall:.1%} in the last tenth of "
                f"{self.num_epochs} epochs; {gap}"
            )
        if self.gap_95[0] > 0:
            return f"fits training images better, without harm to validation loss; {gap}"
        return f"neither over- nor underfits: validation loss has settled; {gap}"


def learning(result: TrialResult) -> Learning:
    """What a trial's curves show."""
    losses = np.array(result.history.val_loss)
    train, validation = result.metrics["train"], result.metrics["validation"]
    tenth = max(1, len(losses) // 10)
    before = losses[-1 - tenth] if len(losses) > tenth else losses[0]
    best = int(np.argmin(losses))
    return Learning(
        gap=train.accuracy - validation.accuracy,
        gap_95=newcombe(
            train.num_right, train.num_images, validation.num_right, validation.num_images
        ),
        num_epochs=len(losses),
        best_epoch=best + 1,
        least_loss=float(losses[best]),
        last_loss=float(losses[-1]),
        fall=float(1 - losses[-1] / before) if before else 0.0,
    )
