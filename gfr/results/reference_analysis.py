"""References compared with the trials of a run, on the same test images.

An image without an answer counts as wrong. The same records give the same numbers.
"""

from dataclasses import dataclass, replace

import numpy as np

from gfr.data.dataset import Faces
from gfr.evaluation import statistics
from gfr.evaluation.metrics import THRESHOLD
from gfr.evaluation.references import is_right
from gfr.evaluation.statistics import ALPHA
from gfr.evaluation.subgroups import Subgroups, subgroups
from gfr.results.records import Run
from gfr.results.reference_records import ReferenceResult


@dataclass(frozen=True)
class Versus:
    """A reference compared with one trial.

    `difference`: the reference's accuracy minus the trial's, -1..1, with its bootstrap interval.
    `num_other_answers`: images that both classify, and differently. `p_value`: exact McNemar test;
    `p_holm`: adjusted for all comparisons of a reference with a trial.
    """

    label: str
    trial_id: str
    difference: float
    low: float
    high: float
    only_reference_right: int
    only_trial_right: int
    num_other_answers: int
    p_value: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        """Whether the difference is statistically significant."""
        return self.p_holm < ALPHA

    @property
    def is_better(self) -> bool:
        """Whether the reference is significantly more accurate."""
        return self.is_significant and self.difference > 0

    @property
    def is_worse(self) -> bool:
        """Whether the reference is significantly less accurate."""
        return self.is_significant and self.difference < 0


def compare(run: Run, faces: Faces, splits: np.ndarray) -> tuple[Versus, ...]:
    """Compare every reference that has answers with every trial, the selected one first."""
    names, is_male = test_images(faces, splits)
    pairs = []
    for label, result in answered(run).items():
        p_male, threshold = result.answers("test", names), result.reference.threshold
        pairs += _against_trials(run, label, p_male, is_male, threshold)
    return _adjusted(pairs)


def against_selected(
    run: Run, label: str, p_male: np.ndarray, is_male: np.ndarray, threshold: float
) -> Versus | None:
    """Compare answers on the test images, float64 (N,), with the selected trial; None without."""
    pairs = _against_trials(run, label, p_male, is_male, threshold)
    return _adjusted(pairs[:1])[0] if run.selection else None


def _against_trials(
    run: Run, label: str, p_male: np.ndarray, is_male: np.ndarray, threshold: float
) -> list[Versus]:
    """Compare with every trial, the selected one first, without adjusted p-values."""
    right, selected = is_right(p_male, is_male, threshold), run.selection and run.selection.trial_id
    rows = []
    for trial in sorted(run.trials, key=lambda row: row.trial.id != selected):
        answer = np.array(list(trial.test_probabilities.values())) > THRESHOLD
        theirs = answer == is_male
        only_right = int(np.sum(right & ~theirs)), int(np.sum(~right & theirs))
        num_other = int(np.sum(~np.isnan(p_male) & ((p_male > threshold) != answer)))
        p_value = statistics.mcnemar(*only_right)
        difference = statistics.paired_difference(right, theirs)
        counts = (*difference, *only_right, num_other, p_value, p_value)
        rows.append(Versus(label, trial.trial.id, *counts))
    return rows


def _adjusted(rows: list[Versus]) -> tuple[Versus, ...]:
    p_holm = statistics.holm([row.p_value for row in rows]).tolist()
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, p_holm, strict=True))


def by_attribute(run: Run, faces: Faces, splits: np.ndarray) -> dict[str, Subgroups]:
    """Return accuracy and error rates of each reference by attribute, by label."""
    names, is_male = test_images(faces, splits)
    attributes = faces.attributes[splits == "test"]
    found = {}
    for label, result in answered(run).items():
        right = is_right(result.answers("test", names), is_male, result.reference.threshold)
        # Logits that are right where the reference is right.
        found[label] = subgroups(np.where(right == is_male, 1.0, -1.0), is_male, attributes)
    return found


def answered(run: Run) -> dict[str, ReferenceResult]:
    """Return the references that did not fail, by label."""
    return {label: row for label, row in run.references.items() if not row.reason}


def advantages(run: Run, versus: tuple[Versus, ...]) -> dict[str, tuple[Versus, list[str]]]:
    """Return what each reference is better at than the selected trial, by label.

    Words among `accurate`, `smaller` and `faster`: significantly more accurate, fewer bytes than
    the float32 parameters of the trial, p50 latency in turn whose intervals do not overlap. Leaves
    out references that are significantly less accurate, probably misused, or better at nothing.
    """
    selected = run.selection.trial_id if run.selection else None
    found = {}
    for row in versus:
        result = run.references[row.label]
        if row.trial_id != selected or row.is_worse or result.warnings:
            continue
        measured = run.latency_of(run.result_of(selected).trial)
        size = measured.size_bytes if measured else 0
        is_timed = result.latency is not None and result.latency.trial_id == selected
        words = {
            "accurate": row.is_better,
            "smaller": bool(result.reference.file) and 0 < result.num_bytes < size,
            "faster": bool(is_timed and result.latency and result.latency.is_faster),
        }
        if any(words.values()):
            found[row.label] = row, [word for word, applies in words.items() if applies]
    return found


def test_images(faces: Faces, splits: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the names of the test images and their labels, bool (N,)."""
    is_test = splits == "test"
    return np.array(faces.names)[is_test].tolist(), faces.is_male[is_test]
