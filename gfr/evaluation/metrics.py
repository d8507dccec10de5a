"""Loss, accuracy and confusion matrix from logits of p_male, float (N,), and is_male, bool (N,)."""

import math
from dataclasses import dataclass

import numpy as np

from gfr.evaluation.statistics import wilson
from gfr.types import Count, Nats, Positive, Share

THRESHOLD = 0.5  # a higher p_male is classified as male


@dataclass(frozen=True)
class Metrics:
    """Metrics of one split: `loss` in nats, `accuracy` 0..1, counts named label, then answer."""

    num_images: Positive
    loss: Nats
    accuracy: Share
    male_as_male: Count
    male_as_female: Count
    female_as_male: Count
    female_as_female: Count

    def __post_init__(self) -> None:
        """Raise ValueError unless the four counts add up to `num_images`."""
        answers = self.num_right + self.male_as_female + self.female_as_male
        if answers != self.num_images:
            raise ValueError(f"{answers} answers on {self.num_images} images")

    @property
    def num_right(self) -> int:
        """Number of images classified correctly."""
        return self.male_as_male + self.female_as_female

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95% interval of the accuracy, 0..1."""
        return wilson(self.num_right, self.num_images)


@dataclass(frozen=True)
class History:
    """One value per epoch. Training values are running means within the epoch, as in Keras."""

    loss: tuple[Nats, ...]
    accuracy: tuple[Share, ...]
    val_loss: tuple[Nats, ...]
    val_accuracy: tuple[Share, ...]

    def __post_init__(self) -> None:
        """Raise ValueError unless the four curves have the same length."""
        lengths = {len(curve) for curve in vars(self).values()}
        if len(lengths) > 1:
            raise ValueError(f"curves of {sorted(lengths)} epochs")


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Apply the logistic function: float (N,) -> p_male, float64 (N,), 0..1."""
    return np.exp(-np.logaddexp(0, -logits.astype(np.float64)))


def metrics(logits: np.ndarray, is_male: np.ndarray) -> Metrics:
    """Evaluate logits of p_male, float (N,), against is_male, bool (N,).

    The loss is the mean binary cross-entropy, computed from logits as Keras does while training,
    because a probability that has rounded to 0 or 1 has lost how wrong it is.
    """
    z = logits.astype(np.float64)
    answer = probabilities(z) > THRESHOLD
    return Metrics(
        num_images=len(z),
        loss=float(np.mean(np.logaddexp(0, np.where(is_male, -z, z)))),
        accuracy=float(np.mean(answer == is_male)),
        male_as_male=int(np.sum(answer & is_male)),
        male_as_female=int(np.sum(~answer & is_male)),
        female_as_male=int(np.sum(answer & ~is_male)),
        female_as_female=int(np.sum(~answer & ~is_male)),
    )


def constant_answer(
    num_male: dict[str, int], num_female: dict[str, int], split: str
) -> tuple[float, float]:
    """Return accuracy and loss on a split of always predicting the training share of men.

    The accuracy is that of the more frequent class in training, the loss the cross-entropy of its
    share.
    """
    share = num_male["train"] / (num_male["train"] + num_female["train"])
    male, female = num_male[split], num_female[split]
    loss = -(male * math.log(share) + female * math.log(1 - share)) / (male + female)
    return (male if share > THRESHOLD else female) / (male + female), loss
