"""Evaluate a classifier that is a Python function on the test images of a run."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gfr.config.schema import Trial
from gfr.data import images
from gfr.errors import InputError
from gfr.evaluation import references
from gfr.evaluation.references import Scores
from gfr.results import reference_analysis, store
from gfr.results.records import Run
from gfr.results.reference_analysis import Versus

Function = Callable[[np.ndarray], object]  # uint8 (N, H, W, 3), 0..255 -> p_male (N,)

_BATCH = 64


@dataclass(frozen=True)
class Evaluation:
    """Answers of a classifier that was not trained in the run; `print` shows them in three lines.

    `metrics`: `accuracy` and `interval` count an image without an answer as wrong,
    `accuracy_found` and `interval_found` leave it out. `p_male`: 0..1 by image name, without such
    images. `versus`: paired test against the selected `trial`; None before a selection.
    """

    label: str
    run_id: str
    metrics: Scores
    p_male: dict[str, float]
    trial: Trial | None
    versus: Versus | None

    def __str__(self) -> str:
        """Return accuracies with their intervals, and the test against the selected trial."""
        found, low, high = self.metrics, *self.metrics.interval
        lines = [
            f"{self.label}: {found.num_right:,} of {found.num_images:,} test images of run "
            f"{self.run_id} correct, {found.accuracy:.1%} [{low:.1%}, {high:.1%}]"
        ]
        if found.num_missing and found.accuracy_found is not None and found.interval_found:
            low, high = found.interval_found
            lines.append(
                f"{found.num_missing:,} without an answer; of the others "
                f"{found.accuracy_found:.1%} [{low:.1%}, {high:.1%}] correct"
            )
        if self.versus and self.trial:
            row = self.versus
            lines.append(
                f"minus {self.trial.title} (selected): {100 * row.difference:+.1f} points "
                f"[{100 * row.low:+.1f}, {100 * row.high:+.1f}], McNemar p = {row.p_value:.2g}"
            )
        return "\n".join(lines)


def evaluate(run: Run, classify: Function, label: str, threshold: float) -> Evaluation:
    """Classify the test images of a run; InputError if an answer is not a probability."""
    if not 0 < threshold < 1:
        raise InputError(f"threshold {threshold:g}: must be above 0 and below 1")
    _, faces, splits = store.open_run(run.directory)
    store.refuse_other_images(run, faces, splits)
    names, is_male = reference_analysis.test_images(faces, splits)
    files = zip(faces.paths(), splits, strict=True)
    paths = [path for path, split in files if split == "test"]
    p_male = np.concatenate(
        [
            images.run_by_size(lambda pixels: _checked(classify(pixels), len(pixels)), batch)
            for batch in images.batches(paths, _BATCH)
        ]
    )
    by_name = zip(names, p_male.tolist(), strict=True)
    return Evaluation(
        label=label,
        run_id=run.record.run_id,
        metrics=references.scores(p_male, is_male, threshold),
        p_male={name: p for name, p in by_name if np.isfinite(p)},
        trial=run.result_of(None).trial if run.selection else None,
        versus=reference_analysis.against_selected(run, label, p_male, is_male, threshold),
    )


def _checked(answers: object, num_images: int) -> np.ndarray:
    """Return answers as float64 (N,); InputError unless they are 0..1, or NaN for no answer."""
    try:
        p_male = np.asarray(answers, np.float64)
    except (TypeError, ValueError):
        kind = type(answers).__name__
        raise InputError(f"classify returned {kind}; return p_male, one number per image") from None
    if p_male.shape != (num_images,):
        raise InputError(
            f"classify returned an array of shape {p_male.shape} for {num_images} images; return "
            f"p_male of shape ({num_images},)"
        )
    outside = p_male[(p_male < 0) | (p_male > 1)]
    if outside.size:
        raise InputError(
            f"classify returned {outside[0]:g}, which is not a probability; return p_male, 0..1, "
            "and NaN for an image without an answer"
        )
    return p_male
