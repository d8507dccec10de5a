"""Select a run's trial on validation, by the benchmark's limits and preference.

The test set is not used. Does not import TensorFlow.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from gfr.config.schema import Preference, Selecting
from gfr.evaluation import statistics
from gfr.evaluation.metrics import THRESHOLD, probabilities
from gfr.measurement.latency import LatencyResult
from gfr.results import deployment, records, store
from gfr.results.deployment import Best
from gfr.results.deployment_records import EngineLatency
from gfr.storage import run_directory, serialization

Latencies = dict[str, LatencyResult]  # by feature set id


def best(
    trials: tuple[records.TrialResult, ...],
    latencies: Latencies,
    rules: Selecting,
    is_male: np.ndarray,
    engine_latencies: Mapping[str, EngineLatency] | None = None,
) -> records.Selection:
    """Rank at least one trial by validation accuracy, then validation loss, then p50 latency.

    Accuracy and loss are means over the seeds. Trials that exceed the limits come last, so that
    one of them is selected only if all trials exceed them. If `rules` prefer another quantity, it
    ranks the first trial and those that are not significantly worse on validation before all
    others. `is_male` has the labels of the validation images, bool (N,). Latency and size are those
    of the best row that was measured for every feature set (gfr/results/deployment.py).
    """
    names = list(dict.fromkeys(row.trial.feature_set.id for row in trials))
    measured = deployment.best_rows(names, latencies, engine_latencies or {})
    reasons = {
        row.trial.id: _beyond(measured.get(row.trial.feature_set.id), rules) for row in trials
    }

    def order(result: records.TrialResult) -> tuple[bool, list[float], str]:
        costs = [_cost(measured, name, result) for name in ("accuracy", "loss", "latency")]
        return bool(reasons[result.trial.id]), costs, result.trial.id

    ranking = sorted(trials, key=order)
    first, *others = (row for row in ranking if order(row)[0] == order(ranking[0])[0])
    tests = _tests(first, others, is_male)
    equal = [first, *(row for row, test in zip(others, tests, strict=True) if not test.is_worse)]
    if rules.prefer != "accuracy":
        costs = {row.trial.id: _cost(measured, rules.prefer, row) for row in equal}
        # Sorting keeps the order of equal values.
        ranking.sort(key=lambda row: (row.trial.id not in costs, costs.get(row.trial.id, 0.0)))
    return records.Selection(
        schema=serialization.SCHEMA,
        trial_id=ranking[0].trial.id,
        ranking=tuple(row.trial.id for row in ranking),
        beyond={trial_id: reason for trial_id, reason in reasons.items() if reason},
        choices=records.Choices(rules.prefer, _chosen(measured, equal), tests),
    )


def _chosen(
    measured: Mapping[str, Best], equal: Sequence[records.TrialResult]
) -> dict[Preference, str]:
    """Return what each preference selects among the trials that are not significantly worse."""
    return {
        name: min(equal, key=partial(_cost, measured, name)).trial.id
        for name in get_args(Preference)
    }


def _cost(measured: Mapping[str, Best], prefer: Preference, result: records.TrialResult) -> float:
    """Return the quantity of a preference such that less is better; infinite if not measured."""
    over_seeds = result.over_seeds("validation")
    best_row = measured.get(result.trial.feature_set.id)
    if prefer == "accuracy":
        # Counted in images: sums in another order cannot break a tie.
        return -sum(row.num_right for row in over_seeds)
    if prefer == "loss":
        return sum(row.loss for row in over_seeds) / len(over_seeds)
    if best_row is None:
        return float("inf")
    cost = best_row.p50_ms if prefer == "latency" else best_row.num_parameters
    return float("inf") if cost is None else cost


def _tests(
    first: records.TrialResult, others: Sequence[records.TrialResult], is_male: np.ndarray
) -> tuple[records.ValidationTest, ...]:
    """Compare the heads with the benchmark's seed, which are those that are exported."""
    if not others:
        return ()
    is_right, *rest = (_is_right(row, is_male) for row in (first, *others))
    pairs = [(int(np.sum(is_right & ~row)), int(np.sum(~is_right & row))) for row in rest]
    p_values = [statistics.mcnemar(*pair) for pair in pairs]
    rows = zip(others, pairs, p_values, statistics.holm(p_values).tolist(), strict=True)
    return tuple(
        records.ValidationTest(row.trial.id, *pair, p_value, p_holm)
        for row, pair, p_value, p_holm in rows
    )


def _is_right(result: records.TrialResult, is_male: np.ndarray) -> np.ndarray:
    """Return whether each validation image is classified correctly, bool (N,)."""
    logits = np.array(list(result.validation_logits.values()))
    return (probabilities(logits) > THRESHOLD) == is_male


def _beyond(best_row: Best | None, rules: Selecting) -> str:
    """Return how a model exceeds the limits, and in which engine; empty if it does not."""
    if not rules.limits:
        return ""
    if best_row is None:
        return "not timed"
    reason = deployment.beyond(best_row.p50_ms, best_row.num_bytes, rules)
    return f"{reason} in {best_row.title}" if reason else ""


def select(run_dir: Path) -> str:
    """Rank the trials and record the best; return its id, or "" if no trial has finished.

    Raises:
        InputError: a trial has logits of other images than those of the split.
    """
    run = store.read_run(run_dir)
    if not run.trials:
        return ""
    _, faces, splits = store.open_run(run_dir)
    store.refuse_other_images(run, faces, splits)
    is_male = faces.is_male[splits == "validation"]
    rules = run.record.benchmark.selection
    selection = best(run.trials, run.latencies, rules, is_male, run.engine_latencies)
    serialization.write(run_directory.RunDirectory(run_dir).selection, selection)
    return selection.trial_id
