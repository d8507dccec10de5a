"""Regression check of a run directory: read it and its history, write verdict.json.

Does not import TensorFlow.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gfr.progress import LOG
from gfr.regression import history, rules
from gfr.results import records, store
from gfr.results.regression_records import Verdict, headlines
from gfr.storage import run_directory, serialization


def look(run: records.Run, reasons: Mapping[tuple[str, str], str] | None = None) -> Verdict:
    """Judge a run with the reruns that exist so far; `reasons`: see gfr.regression.rules.judge."""
    reports, now = run.directory.parents[1], history.entry(run)
    earlier, others = history.earlier(reports, now), history.neighbours(reports, now)
    return rules.judge(now, earlier, _reruns(run, now), others, reasons)


def finish(run: records.Run, result: Verdict, reasons: Mapping[tuple[str, str], str]) -> Path:
    """Write the verdict and, if the run selected a model, its history entry.

    Args:
        run: the run.
        result: its verdict after all reruns.
        reasons: why a rerun failed, by kind and id.

    Returns:
        The path of verdict.json.
    """
    path = run_directory.RunDirectory(run.directory).verdict
    if result.of("suspect"):
        result = look(run, reasons)
    serialization.write(path, result)
    for line, is_serious in headlines(result):
        log = LOG.warning if is_serious else LOG.info
        log("%s", line)
    if run.selection:
        history.put(run.directory.parents[1], history.entry(store.read_run(run.directory)))
    return path


def _reruns(run: records.Run, now: history.Entry) -> history.Entry:
    """Read the reruns in a run directory, as an entry like that of the run."""
    trials = [store.repeated_trial(run, row.trial.id) for row in run.trials]
    return replace(
        now,
        trials=tuple(history.trial_entry(row) for row in trials if row),
        latencies=(
            *(
                history.latency_entry(result.feature_set, row, row.witness_s)
                for result in run.latencies.values()
                for retimed in store.repeated_timings(run, result.feature_set)
                for row in retimed.rows
            ),
            *(
                row
                for result in run.engine_latencies.values()
                for repeated in store.repeated_engine_timings(run, result.feature_set)
                for row in history.engine_entries(repeated)
            ),
        ),
    )
