"""What the records of a run show: tests on the same images, calibration, subgroups, learning.

Resampling has fixed seeds, so the same records give the same numbers. Does not import TensorFlow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from gfr.data.dataset import Faces
from gfr.evaluation import calibration as evaluation_calibration
from gfr.evaluation import roc as evaluation_roc
from gfr.evaluation import statistics
from gfr.evaluation.calibration import Calibration, Choices, Point, Temperature
from gfr.evaluation.learning_curves import Learning, learning
from gfr.evaluation.metrics import THRESHOLD, Metrics, probabilities
from gfr.evaluation.roc import PrecisionRecall, Roc
from gfr.evaluation.statistics import ALPHA, Optimism, Spread
from gfr.evaluation.subgroups import Subgroups, subgroups
from gfr.results import reference_analysis, store
from gfr.results.records import Run, TrialResult
from gfr.results.reference_analysis import Versus

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

    @property
    def label(self) -> str:
        """The label as people read it."""
        return "male" if self.is_male else "female"


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
    roc: Roc
    precision_recall: PrecisionRecall
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
    versus: tuple[Versus, ...] = ()  # references against every trial
    reference_subgroups: dict[str, Subgroups] = field(default_factory=dict)  # by label

    @property
    def shown(self) -> list[str]:
        """The names of all images that the report shows, each once."""
        galleries = [study.mistakes + study.doubtful for study in self.studies.values()]
        return list(dict.fromkeys(face.name for face in chain(self.hard, *galleries)))


def analyse(run: Run, faces: Faces, splits: np.ndarray) -> Analysis:
    """Analyse a run, given its faces and their split, str (N,).

    Raises:
        InputError: a trial has logits of other images than those of the split.
    """
    if not run.trials:
        return Analysis({}, (), None, (), None, (), ())
    store.refuse_other_images(run, faces, splits)
    is_test = splits == "test"
    names, is_male = np.array(faces.names)[is_test], faces.is_male[is_test]
    attributes, selected = faces.attributes[is_test], run.selection and run.selection.trial_id
    logits = {row.trial.id: _values(row.test_logits) for row in run.trials}
    p_male = {trial_id: probabilities(values) for trial_id, values in logits.items()}
    right = {trial_id: (p > THRESHOLD) == is_male for trial_id, p in p_male.items()}
    # The errors of random weights say nothing about an image.
    trained = [row for row in run.trials if row.features.weights.source != "random"]
    voters = [row.trial.id for row in trained or run.trials]
    num_wrong = np.sum([~right[trial_id] for trial_id in voters], axis=0)

    def seen(p: np.ndarray) -> list[Face]:
        rows = zip(*(column.tolist() for column in (names, is_male, p, num_wrong)), strict=True)
        return [Face(*row) for row in rows]

    every = seen(np.mean([p_male[trial_id] for trial_id in voters], axis=0))
    validation = faces.is_male[splits == "validation"]
    return Analysis(
        studies={
            row.trial.id: _study(row, is_male, validation, seen(p_male[row.trial.id]))
            for row in run.trials
        },
        against=_against(run, right),
        optimism=statistics.optimism(np.array(list(right.values()))) if len(right) > 1 else None,
        front=_front(run),
        subgroups=subgroups(logits[selected], is_male, attributes) if selected else None,
        hard=_hard(every, len(voters)),
        voters=tuple(voters),
        versus=reference_analysis.compare(run, faces, splits),
        reference_subgroups=reference_analysis.by_attribute(run, faces, splits),
    )


def _hard(faces: list[Face], num_voters: int) -> tuple[Face, ...]:
    """Return the images that most voters misclassify, worst first."""
    hard = [face for face in faces if face.num_wrong > num_voters / 2]
    hard.sort(key=lambda face: (-face.num_wrong, -abs(face.p_male - face.is_male)))
    return tuple(hard[:NUM_HARD])


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
    splits = [row.metrics["test"] for row in result.refits_of("split")]
    rules = [row.metrics["test"] for row in result.refits_of("rule")]
    wrong = [face for face in seen if (face.p_male > THRESHOLD) != face.is_male]
    return Study(
        trial_id=result.trial.id,
        loss_95=statistics.bootstrap_mean(losses),
        seeds=_accuracies(tests),
        seed_losses=statistics.over_seeds([row.loss for row in tests]),
        validation_seeds=_accuracies(result.over_seeds("validation")),
        splits=_accuracies([own, *splits]) if splits else None,
        rule=rules[0] if rules else None,
        sizes=_sizes(result),
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


def _accuracies(metrics: Sequence[Metrics]) -> Spread:
    return statistics.over_seeds([row.accuracy for row in metrics])


def _sizes(result: TrialResult) -> tuple[tuple[int, Metrics], ...]:
    fewer = [(row.num_train, row.metrics["test"]) for row in result.refits_of("fraction")]
    own = (result.metrics["train"].num_images, result.metrics["test"])
    return (*fewer, own) if fewer else ()


def _against(run: Run, right: dict[str, np.ndarray]) -> tuple[Against, ...]:
    """Compare every other trial with the selected one, the fastest first, then the smallest."""
    if run.selection is None:
        return ()
    by_cost = sorted(run.trials, key=lambda row: (cost(run, row), row.trial.id))
    others = {row.trial.id: right[row.trial.id] for row in by_cost}
    selected = others.pop(run.selection.trial_id)
    pairs = [(int(np.sum(selected & ~o)), int(np.sum(~selected & o))) for o in others.values()]
    p_values = [statistics.mcnemar(*pair) for pair in pairs]
    rows = zip(others.items(), pairs, p_values, statistics.holm(p_values).tolist(), strict=True)
    return tuple(
        Against(trial_id, *statistics.paired_difference(selected, other), *pair, p_value, p_holm)
        for (trial_id, other), pair, p_value, p_holm in rows
    )


def cost(run: Run, result: TrialResult) -> tuple[float, float]:
    """Return p50 latency in ms and size in MB, float32; infinite where it was not timed."""
    latency = run.latency_of(result.trial)
    if latency is None:
        return float("inf"), float("inf")
    return latency.float32.p50_ms, latency.size_bytes / 1e6


def _front(run: Run) -> tuple[str, ...]:
    """Return the trials that no other dominates in accuracy, latency and size, fastest first."""
    points = {
        row.trial.id: (*cost(run, row), -sum(one.num_right for one in row.over_seeds("validation")))
        for row in run.trials
        if run.latency_of(row.trial)
    }

    def is_dominated(mine: tuple[float, ...]) -> bool:
        others = set(points.values()) - {mine}
        return any(np.less_equal(other, mine).all() for other in others)

    front = [trial_id for trial_id, point in points.items() if not is_dominated(point)]
    return tuple(sorted(front, key=lambda trial_id: points[trial_id]))
