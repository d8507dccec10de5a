"""Metrics of classifiers that are not trained here, and checks of whether they are used as meant.

Arrays are p_male, float64 (N,), with NaN where an image has no answer, and is_male, bool (N,).
"""

from dataclasses import dataclass

import numpy as np

from gfr.config.references import Output
from gfr.errors import InputError
from gfr.evaluation import calibration
from gfr.evaluation.metrics import probabilities
from gfr.evaluation.statistics import wilson
from gfr.types import Count, Nats, Positive, Share

# Of the same answer among all, where fewer images than MAX_SAME_LABELS have that label.
MIN_CONSTANT, MAX_SAME_LABELS = 0.95, 0.9

_TOLERANCE = 1e-4  # rounding of a probability in float16

_SUM_TOLERANCE = 0.02  # of two probabilities

_LEAST_P = 1e-7  # as in Keras' loss of probabilities, which may have rounded to 0 or 1


@dataclass(frozen=True)
class Scores:
    """Counts of one split, named label, then answer, over the images that have an answer.

    `loss` in nats and `expected_error` (ECE, 0..1) over the same images; None where the answers are
    not probabilities, or there are none.
    """

    num_images: Positive
    male_as_male: Count
    male_as_female: Count
    female_as_male: Count
    female_as_female: Count
    loss: Nats | None
    expected_error: Share | None

    def __post_init__(self) -> None:
        """Raise ValueError for more answers than images."""
        if self.num_found > self.num_images:
            raise ValueError(f"{self.num_found} answers on {self.num_images} images")

    @property
    def num_right(self) -> int:
        """Number of images classified correctly."""
        return self.male_as_male + self.female_as_female

    @property
    def num_found(self) -> int:
        """Number of images with an answer."""
        return self.num_right + self.male_as_female + self.female_as_male

    @property
    def num_missing(self) -> int:
        """Number of images without an answer: misses."""
        return self.num_images - self.num_found

    @property
    def accuracy(self) -> float:
        """Share 0..1 of all images that are classified correctly; a miss is wrong."""
        return self.num_right / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of `accuracy`."""
        return wilson(self.num_right, self.num_images)

    @property
    def accuracy_found(self) -> float | None:
        """Share 0..1 of the images with an answer that are classified correctly."""
        return self.num_right / self.num_found if self.num_found else None

    @property
    def interval_found(self) -> tuple[float, float] | None:
        """Wilson's 95% interval of `accuracy_found`."""
        return wilson(self.num_right, self.num_found) if self.num_found else None


def interpret(raw: np.ndarray, output: Output, male_index: int = 1) -> np.ndarray:
    """Return p_male, float64 (N,), of a network's raw output, float (N, ...).

    InputError if the output has another number of values, or they are not what `output` says.
    """
    values = raw.reshape(len(raw), -1).astype(np.float64)
    if problem := shape_problem(values.shape[1], output):
        raise InputError(problem)
    if not np.isfinite(values).all():
        raise InputError("its output has values that are not finite")
    if output == "logits":
        return probabilities(values[:, male_index] - values[:, 1 - male_index])
    if output in ("logit-male", "logit-female"):
        logits = values[:, 0]
        return probabilities(logits if output == "logit-male" else -logits)
    _refuse_other_than_probabilities(values, output)
    values = values.clip(0, 1)
    if output == "probabilities":
        return values[:, male_index] / values.sum(axis=1)
    return values[:, 0] if output == "male" else 1 - values[:, 0]


def shape_problem(num_values: int, output: Output) -> str:
    """Return why an output of so many values per image cannot be what is said; "" if it can."""
    num_wanted = 2 if output in ("probabilities", "logits") else 1
    if num_values == num_wanted:
        return ""
    hint = ""
    if (num_wanted, num_values) == (1, 2):
        hint = '; is it p_male = "probabilities" or "logits", with male_index?'
    elif (num_wanted, num_values) == (2, 1):
        hint = '; is it p_male = "male" or "logit-male"?'
    values = "value" if num_values == 1 else "values"
    wanted = f"{num_wanted} {'is' if num_wanted == 1 else 'are'} expected"
    has = f"its output has {num_values} {values} per image"
    return f'{has}, but with p_male = "{output}" {wanted}{hint}'


def _refuse_other_than_probabilities(values: np.ndarray, output: Output) -> None:
    """Raise InputError for values, float64 (N, 1 or 2), that are outside 0..1, or a wrong sum."""
    outside = values[(values < -_TOLERANCE) | (values > 1 + _TOLERANCE)]
    other = "logits" if output == "probabilities" else f"logit-{output}"
    if outside.size:
        raise InputError(f'its output is not a probability: {outside[0]:.3g}; is it "{other}"?')
    sums = values.sum(axis=1)
    wrong = sums[np.abs(sums - 1) > _SUM_TOLERANCE]
    if output == "probabilities" and wrong.size:
        raise InputError(
            f"its two outputs are not probabilities: their sum is {wrong[0]:.3g}; are they "
            '"logits"?'
        )


def gives_probabilities(p_male: np.ndarray) -> bool:
    """Whether an answer is neither 0 nor 1."""
    found = p_male[~np.isnan(p_male)]
    return bool(((found > 0) & (found < 1)).any())


def is_right(p_male: np.ndarray, is_male: np.ndarray, threshold: float) -> np.ndarray:
    """Return whether each image is classified correctly, bool (N,); a miss is wrong."""
    return ~np.isnan(p_male) & ((p_male > threshold) == is_male)


def scores(p_male: np.ndarray, is_male: np.ndarray, threshold: float) -> Scores:
    """Evaluate answers; those above the threshold are male."""
    has_answer = ~np.isnan(p_male)
    p, label = p_male[has_answer], is_male[has_answer]
    answer, loss, expected_error = p > threshold, None, None
    if gives_probabilities(p):
        p_label = np.where(label, p, 1 - p).clip(_LEAST_P, 1)
        loss = float(-np.log(p_label).mean())
        expected_error = calibration.expected_error(calibration.bins(p, label))
    return Scores(
        num_images=len(is_male),
        male_as_male=int(np.sum(answer & label)),
        male_as_female=int(np.sum(~answer & label)),
        female_as_male=int(np.sum(answer & ~label)),
        female_as_female=int(np.sum(~answer & ~label)),
        loss=loss,
        expected_error=expected_error,
    )


def suspicions(found: Scores) -> list[str]:
    """Say what suggests that a classifier is not used as it was meant; empty if nothing does."""
    num_found = found.num_found
    if not num_found:
        return ["it has no answer for any image"]
    said = []
    sexes = {
        "male": (
            found.male_as_male + found.female_as_male,
            found.male_as_male + found.male_as_female,
        ),
        "female": (
            found.female_as_female + found.male_as_female,
            found.female_as_female + found.female_as_male,
        ),
    }
    for sex, (num_answers, num_labels) in sexes.items():
        if num_answers >= MIN_CONSTANT * num_found and num_labels < MAX_SAME_LABELS * num_found:
            said.append(f"{num_answers / num_found:.1%} of its answers are {sex}")
    if 2 * found.num_right < num_found:
        said.append("it is better when its answers are inverted")
    num_majority = max(num_labels for _, num_labels in sexes.values())
    if found.num_right < num_majority:
        said.append(
            f"its accuracy of {found.num_right / num_found:.1%} is below the share of the more "
            f"frequent sex, {num_majority / num_found:.1%}"
        )
    return said
