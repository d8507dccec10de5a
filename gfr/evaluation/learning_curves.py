"""Over- and under-fitting in words that follow from the numbers.

In: a trial's history and metrics. Out: Learning, whose sentence names the figures it rests on.
Pure: never looks at the test set, imports no TensorFlow.
"""

from dataclasses import dataclass

import numpy as np

from gfr.evaluation.statistics import newcombe
from gfr.results.records import TrialResult

WINDOW = 5  # epochs of the running mean: a single epoch's loss is an accident

RISE = 0.05  # of the validation loss above its least: less does no harm worth a word

STILL = 0.01  # of the validation loss won in the last tenth of the epochs

NOISY = 0.1  # epochs that lie so far from the running mean show no trend


@dataclass(frozen=True)
class Learning:
    """`gap`: accuracy on training minus validation images, -1..1, with its 95 % interval.

    Of the running mean of the validation loss: `best_epoch`, from 1, its least and last value, and
    `fall` in the last tenth of the epochs, as a share of what it was. `noise`: how far an epoch's
    loss lies from it, as a share of it, on average over the second half.
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
        """How far the validation loss has risen above its least, 0 if it has not."""
        return self.last_loss / self.least_loss - 1 if self.least_loss else 0.0

    @property
    def is_overfit(self) -> bool:
        """Better on training images than chance allows, and worse on validation than before."""
        return self.gap_95[0] > 0 and self.rise > max(RISE, 2 * self.noise)

    @property
    def is_stopped_early(self) -> bool:
        """Still improving when it was stopped."""
        return self.fall > max(STILL, 2 * self.noise)

    @property
    def words(self) -> str:
        """The finding, one sentence."""
        low, high = (100 * bound for bound in self.gap_95)
        gap = (
            f"training less validation accuracy {100 * self.gap:+z.1f} points "
            f"[{low:+z.1f}, {high:+z.1f}]"
        )
        if self.is_overfit:
            return (
                f"overfits: validation loss {self.least_loss:.3f} about epoch {self.best_epoch}, "
                f"{self.last_loss:.3f} at the end ({self.rise:+.0%}); {gap}"
            )
        if self.is_stopped_early:
            return (
                f"was still improving: validation loss fell by {self.fall:.1%} in the last tenth "
                f"of {self.num_epochs} epochs; {gap}"
            )
        if self.noise > NOISY:
            return (
                f"is too noisy to say: an epoch's validation loss lies {self.noise:.0%} from the "
                f"running mean; {gap}"
            )
        if self.gap_95[0] > 0:
            return f"fits training images better, while validation loss stays near its least; {gap}"
        return f"shows neither over- nor underfitting: validation loss has settled; {gap}"


def learning(result: TrialResult) -> Learning:
    """What a trial's curves show."""
    losses = np.array(result.history.val_loss)
    middle = _running_mean(losses)
    train, validation = result.metrics["train"], result.metrics["validation"]
    tenth = max(1, len(losses) // 10)
    before = middle[max(0, len(middle) - 1 - tenth)]
    best, half = int(np.argmin(middle)), len(losses) // 2
    away = np.abs(losses - middle)[half:] / np.maximum(middle[half:], 1e-12)
    return Learning(
        gap=train.accuracy - validation.accuracy,
        gap_95=newcombe(
            train.num_right, train.num_images, validation.num_right, validation.num_images
        ),
        num_epochs=len(losses),
        best_epoch=best + 1,
        least_loss=float(middle[best]),
        last_loss=float(middle[-1]),
        fall=float(1 - middle[-1] / before) if before else 0.0,
        noise=float(away.mean()),
    )


def _running_mean(values: np.ndarray) -> np.ndarray:
    """float (E,) -> float (E,): of the epoch and those within half a window, fewer at the ends."""
    reach = WINDOW // 2
    return np.array(
        [np.mean(values[max(0, k - reach) : k + reach + 1]) for k in range(len(values))]
    )
