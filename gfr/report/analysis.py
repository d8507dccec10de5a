"""What the records of a run show: tests on the same images, calibration, subgroups, learning.

Resampling has fixed seeds, so the same records give the same numbers. Does not import TensorFlow.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gfr.data.dataset import Faces
from gfr.errors import InputError
from gfr.evaluation import calibration as evaluation_calibration
from gfr.evaluation import roc as evaluation_roc
from gfr.evaluation import statistics
from gfr.evaluation import subgroups as evaluation_subgroups
from gfr.evaluation.calibration import Calibration, Choices, Point, Temperature
from gfr.evaluation.learning_curves import Learning, learning
from gfr.evaluation.metrics import THRESHOLD, Metrics, probabilities
from gfr.evaluation.roc import PrecisionRecall, Roc
from gfr.evaluation.statistics import Optimism, Spread
from gfr.evaluation.subgroups import Subgroups
from gfr.results.records import Run, TrialResult

ALPHA = 0.05  # of all comparisons with the selected trial together
NUM_SHOWN = 5  # images of each kind a trial
NUM_HARD = 10


@dataclass(frozen=True)
class Against:
    """A trial compared with the selected one on the same test images.

    `difference`: the selected trial's accuracy minus this one's, -1..1, with its bootstrap
    interval. `p_value`: exact McNemar test; `p_holm`: adjusted for all comparisons.
    """

    trial_id: str
    difference: float
    low: float
    high: float
    only_selected_right: int
    only_this_right: int
    p_value: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        """Whether the difference is statistically significant."""
        return self.p_holm < ALPHA


@dataclass(frozen=True)
class Face:
    """A test image; `num_wrong` of `Analysis.voters` misclassify it."""

    name: str
    is_male: bool
    p_male: float
    num_wrong: int


@dataclass(frozen=True)
class Study:
    """The analysis of one trial.

    `seeds`, `splits`: test accuracy over repetitions, the trial's own first. `rule`: test metrics
    with the other split rule. `sizes`: test metrics by number of training images, ascending, the
    trial's own last. `mistakes`: the most confident; `doubtful`: nearest to the threshold.
    """

    trial_id: str
    loss_95: tuple[float, float]
    seeds: Spread
    seed_losses: Spread
    validation_seeds: Spread
    splits: Spread | None
    rule: Metrics | None
    sizes: tuple[tuple[int, Metrics], ...]
    learning: Learning
    roc: Roc | None
    precision_recall: PrecisionRecall | None
    calibration: Calibration
    temperature: Temperature
    calibrated: Calibration
    thresholds: tuple[Point, ...]  # on test
    choices: Choices
    mistakes: tuple[Face, ...]
    doubtful: tuple[Face, ...]


@dataclass(frozen=True)
class Analysis:
    """The analysis of a run; without a selection `against` is empty and `optimism` is None.

    `front`: the Pareto front of validation accuracy, latency and size. `hard`: the test images that
    most `voters` misclassify, worst first. `voters`: trials without random weights, or all trials
    if there are none.
    """

    studies: dict[str, Study]
    against: tuple[Against, ...]
    optimism: Optimism | None
    front: tuple[str, ...]
    subgroups: Subgroups | None  # of the selected trial
    hard: tuple[Face, ...]
    voters: tuple[str, ...]

    @property
    def shown(self) -> list[str]:
        """The names of all images that the report shows, each once."""
        faces = [*self.hard]
        for study in self.studies.values():
            faces += [*study.mistakes, *study.doubtful]
        return list(dict.fromkeys(face.name for face in faces))

    @property
    def not_significant(self) -> tuple[str, ...]:
        """Trials that do not differ significantly from the selected one."""
        return tuple(row.trial_id for row in self.against if not row.is_significant)


def analyse(run: Run, faces: Faces, splits: np.ndarray) -> Analysis:
    """Analyse a run, given its faces and their split, str (N,).

    Raises:
        InputError: a trial has logits of other images than those of the split.
    """
    if not run.trials:
        return Analysis({}, (), None, (), None, (), ())
    _refuse_other_images(run, faces, splits)
    rows = np.flatnonzero(splits == "test")
    names = [faces.names[row] for row in rows]
    is_male, validation = faces.is_male[rows], faces.is_male[splits == "validation"]
    p_male = {row.trial.id: probabilities(_values(row.test_logits)) for row in run.trials}
    right = {trial_id: (p > THRESHOLD) == is_male for trial_id, p in p_male.items()}
    voters = _voters(run)
    num_wrong = len(voters) - np.sum([right[trial_id] for trial_id in voters], axis=0)
    studies = {}
    for result in run.trials:
        seen = [
            Face(name, bool(male), float(p), int(wrong))
            for name, male, p, wrong in zip(
                names, is_male, p_male[result.trial.id], num_wrong, strict=True
            )
        ]
        studies[result.trial.id] = _study(result, is_male, validation, seen)
    mean_p = np.mean([p_male[trial_id] for trial_id in voters], axis=0)
    hard = [
        Face(names[i], bool(is_male[i]), float(mean_p[i]), int(num_wrong[i]))
        for i in np.lexsort((-np.abs(mean_p - is_male), -num_wrong))[:NUM_HARD]
        if num_wrong[i] > len(voters) / 2
    ]
    return Analysis(
        studies=studies,
        against=_against(run, right),
        optimism=statistics.optimism(np.array(list(right.values()))) if len(right) > 1 else None,
        front=_front(run),
        subgroups=_subgroups(run, is_male, faces.attributes.iloc[rows]),
        hard=tuple(hard),
        voters=voters,
    )


def _voters(run: Run) -> tuple[str, ...]:
    """Return the trials whose errors say something about an image."""
    trained = [row for row in run.trials if row.features.weights.source != "random"]
    return tuple(row.trial.id for row in trained or run.trials)


def _refuse_other_images(run: Run, faces: Faces, splits: np.ndarray) -> None:
    names = np.array(faces.names)
    for result in run.trials:
        for split, logits in (
            ("validation", result.validation_logits),
            ("test", result.test_logits),
        ):
            if list(logits) != names[splits == split].tolist():
                raise InputError(
                    f"{run.directory / 'trials' / result.trial.id}.json: logits of other images "
                    f"than the {split} images of faces.csv; delete it and run again with the same "
                    "--run-id"
                )


def _values(logits: dict[str, float]) -> np.ndarray:
    return np.array(list(logits.values()))


def _study(
    result: TrialResult, is_male: np.ndarray, validation_is_male: np.ndarray, seen: list[Face]
) -> Study:
    logits, validation = _values(result.test_logits), _values(result.validation_logits)
    temperature = evaluation_calibration.temperature(validation, validation_is_male)
    thresholds = evaluation_calibration.points(logits, is_male)
    losses = np.logaddexp(0, np.where(is_male, -logits, logits))
    tests, own = result.over_seeds("test"), result.metrics["test"]
    splits, rules = (
        [row.metrics["test"] for row in result.refits_of(changed)] for changed in ("split", "rule")
    )
    fewer = [(row.num_train, row.metrics["test"]) for row in result.refits_of("fraction")]
    wrong = [face for face in seen if (face.p_male > THRESHOLD) != face.is_male]
    return Study(
        trial_id=result.trial.id,
        loss_95=statistics.bootstrap_mean(losses),
        seeds=_accuracies(tests),
        seed_losses=statistics.over_seeds([row.loss for row in tests]),
        validation_seeds=_accuracies(result.over_seeds("validation")),
        splits=_accuracies((own, *splits)) if splits else None,
        rule=rules[0] if rules else None,
        sizes=(*fewer, (result.metrics["train"].num_images, own)) if fewer else (),
        learning=learning(result.history, result.metrics),
        roc=evaluation_roc.roc(logits, is_male),
        precision_recall=evaluation_roc.precision_recall(logits, is_male),
        calibration=evaluation_calibration.calibration(logits, is_male),
        temperature=temperature,
        calibrated=evaluation_calibration.calibration(logits, is_male, temperature.value),
        thresholds=thresholds,
        choices=evaluation_calibration.choices(
            evaluation_calibration.points(validation, validation_is_male), thresholds
        ),
        mistakes=tuple(sorted(wrong, key=lambda face: -abs(face.p_male - 0.5))[:NUM_SHOWN]),
        doubtful=tuple(sorted(seen, key=lambda face: abs(face.p_male - 0.5))[:NUM_SHOWN]),
    )


def _subgroups(run: Run, is_male: np.ndarray, attributes: pd.DataFrame) -> Subgroups | None:
    if run.selection is None:
        return None
    return evaluation_subgroups.subgroups(
        _values(run.result_of(None).test_logits), is_male, attributes
    )


def _accuracies(found: tuple[Metrics, ...]) -> Spread:
    return statistics.over_seeds([row.accuracy for row in found])


def _against(run: Run, right: dict[str, np.ndarray]) -> tuple[Against, ...]:
    """Compare every other trial with the selected one, the fastest first, then the smallest."""
    if run.selection is None:
        return ()
    chosen = right[run.selection.trial_id]
    others = [row for row in run.trials if row.trial.id != run.selection.trial_id]
    pairs = {
        row.trial.id: (int(np.sum(chosen & ~mine)), int(np.sum(~chosen & mine)))
        for row in others
        for mine in [right[row.trial.id]]
    }
    p_values = [statistics.mcnemar(*pair) for pair in pairs.values()]
    found = [
        Against(
            row.trial.id,
            *statistics.paired_difference(chosen, right[row.trial.id]),
            *pairs[row.trial.id],
            p_value,
            float(p_holm),
        )
        for row, p_value, p_holm in zip(others, p_values, statistics.holm(p_values), strict=True)
    ]
    costs = {row.trial.id: cost(run, row) for row in others}
    return tuple(sorted(found, key=lambda row: (costs[row.trial_id], row.trial_id)))


def cost(run: Run, result: TrialResult) -> tuple[float, float]:
    """Return p50 latency in ms and size in MB, float32; infinite where it was not timed."""
    latency = run.latency_of(result.trial)
    if latency is None:
        return float("inf"), float("inf")
    return latency.float32.p50_ms, latency.size_bytes / 1e6


def _front(run: Run) -> tuple[str, ...]:
    """Return the trials that no other dominates in accuracy, latency and size, fastest first."""
    points = {}
    for row in run.trials:
        if run.latency_of(row.trial) is None:
            continue
        found = row.over_seeds("validation")
        accuracy = sum(one.num_right for one in found) / sum(one.num_images for one in found)
        points[row.trial.id] = (*cost(run, row), -accuracy)

    def is_beaten(mine: tuple[float, ...]) -> bool:
        return any(
            other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
            for other in points.values()
        )

    front = [trial_id for trial_id, point in points.items() if not is_beaten(point)]
    return tuple(sorted(front, key=lambda trial_id: points[trial_id]))
