"""Which trial a run selects: the best on validation, on average over its seeds.

In: the records of a run. Out: Selection, also as the run's selection.json. The test set has no say.
Never measures, imports no TensorFlow.
"""

from pathlib import Path

from gfr.config.schema import Selecting
from gfr.measurement.latency import LatencyResult
from gfr.results.records import Selection, TrialResult
from gfr.results.store import read_run
from gfr.storage.serialization import SCHEMA, write


def best(
    trials: tuple[TrialResult, ...], latencies: dict[str, LatencyResult], limits: Selecting
) -> Selection:
    """Rank by validation accuracy, ties by validation loss, then p50 latency. Never by test.

    Accuracy and loss are means over the seeds. Trials beyond the limits come last, so that one of
    them is selected only if there is no other. Takes at least one trial.
    """
    reasons = {
        row.trial.id: _beyond(latencies.get(row.trial.feature_set.id), limits) for row in trials
    }

    def order(result: TrialResult) -> tuple[bool, int, float, float, str]:
        found = result.over_seeds("validation")
        # Counted in images: sums in another order cannot break a tie.
        num_right = sum(row.num_right for row in found)
        loss = sum(row.loss for row in found) / len(found)
        latency = latencies.get(result.trial.feature_set.id)
        p50_ms = latency.float32.p50_ms if latency else float("inf")
        return bool(reasons[result.trial.id]), -num_right, loss, p50_ms, result.trial.id

    ranking = tuple(result.trial.id for result in sorted(trials, key=order))
    beyond = {trial_id: reason for trial_id, reason in reasons.items() if reason}
    return Selection(SCHEMA, ranking[0], ranking, beyond)


def _beyond(latency: LatencyResult | None, limits: Selecting) -> str:
    """Why a model is not to be selected; empty if it may be."""
    if limits == Selecting():
        return ""
    if latency is None:
        return "not timed"
    size_mb = latency.size_bytes / 1e6
    p50_ms = latency.float32.p50_ms
    reasons = []
    if limits.max_latency_ms is not None and p50_ms > limits.max_latency_ms:
        reasons.append(f"p50 {p50_ms:.1f} ms")
    if limits.max_size_mb is not None and size_mb > limits.max_size_mb:
        reasons.append(f"{size_mb:.0f} MB")
    return ", ".join(reasons)


def select(run_dir: str) -> str:
    """Rank the trials and name the best; returns its id, or "" if no trial has finished."""
    run = read_run(Path(run_dir))
    if not run.trials:
        return ""
    selection = best(run.trials, run.latencies, run.record.benchmark.selection)
    write(Path(run_dir) / "selection.json", selection)
    return selection.trial_id
