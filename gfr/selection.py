"""Which trial a run selects: the best on validation, on average over its seeds.

In: the records of a run. Out: Selection, also as the run's selection.json. The test set has no say.
Never measures, imports no TensorFlow.
"""

from pathlib import Path

from gfr.results import SCHEMA, LatencyResult, Selection, TrialResult, read_run, write


def best(trials: tuple[TrialResult, ...], latencies: dict[str, LatencyResult]) -> Selection:
    """Rank by validation accuracy, ties by validation loss, then p50 latency. Never by test.

    Accuracy and loss are means over the seeds. Takes at least one trial.
    """

    def order(result: TrialResult) -> tuple[float, float, float, str]:
        found = result.over_seeds("validation")
        # In images, so that sums in another order cannot break a tie.
        num_right = sum(row.num_right for row in found)
        loss = sum(row.loss for row in found) / len(found)
        latency = latencies.get(result.trial.feature_set.id)
        p50_ms = latency.float32.p50_ms if latency else float("inf")
        return -num_right, loss, p50_ms, result.trial.id

    ranking = tuple(result.trial.id for result in sorted(trials, key=order))
    return Selection(SCHEMA, ranking[0], ranking)


def select(run_dir: str) -> str:
    """Rank the trials and name the best; returns its id, or "" if no trial has finished."""
    run = read_run(Path(run_dir))
    if not run.trials:
        return ""
    selection = best(run.trials, run.latencies)
    write(Path(run_dir) / "selection.json", selection)
    return selection.trial_id
