"""Select a run's trial: the best on validation, averaged over its seeds.

The test set is not used. Does not import TensorFlow.
"""

from pathlib import Path

from gfr.config.schema import Selecting
from gfr.measurement.latency import LatencyResult
from gfr.results import records, store
from gfr.storage import run_directory, serialization


def best(
    trials: tuple[records.TrialResult, ...], latencies: dict[str, LatencyResult], limits: Selecting
) -> records.Selection:
    """Rank at least one trial by validation accuracy, then validation loss, then p50 latency.

    Accuracy and loss are means over the seeds. Trials that exceed the limits come last, so that
    one of them is selected only if there is no other.
    """
    reasons = {
        row.trial.id: _beyond(latencies.get(row.trial.feature_set.id), limits) for row in trials
    }

    def order(result: records.TrialResult) -> tuple[bool, int, float, float, str]:
        over_seeds = result.over_seeds("validation")
        # Counted in images: sums in another order cannot break a tie.
        num_right = sum(row.num_right for row in over_seeds)
        loss = sum(row.loss for row in over_seeds) / len(over_seeds)
        latency = latencies.get(result.trial.feature_set.id)
        p50_ms = latency.float32.p50_ms if latency else float("inf")
        return bool(reasons[result.trial.id]), -num_right, loss, p50_ms, result.trial.id

    ranking = tuple(result.trial.id for result in sorted(trials, key=order))
    beyond = {trial_id: reason for trial_id, reason in reasons.items() if reason}
    return records.Selection(serialization.SCHEMA, ranking[0], ranking, beyond)


def _beyond(latency: LatencyResult | None, limits: Selecting) -> str:
    """Return how a model exceeds the limits; empty if it does not."""
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


def select(run_dir: Path) -> str:
    """Rank the trials and record the best; return its id, or "" if no trial has finished."""
    run = store.read_run(run_dir)
    if not run.trials:
        return ""
    selection = best(run.trials, run.latencies, run.record.benchmark.selection)
    serialization.write(run_directory.RunDirectory(run_dir).selection, selection)
    return selection.trial_id
