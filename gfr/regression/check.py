"""A run directory judged: what the rule needs is read, what it finds is written.

In: a Run, the histories beside it. Out: its Verdict; in the end verdict.json and the run's line in
its history. Never measures, imports no TensorFlow.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from gfr.regression import history, rules
from gfr.results import regression_records, reruns, store
from gfr.results.records import Run
from gfr.results.regression_records import Verdict
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory

LOG = logging.getLogger("gfr")


def look(run: Run) -> Verdict:
    """The verdict as it stands with what was done once more so far."""
    reports = run.directory.parents[1]
    now = history.entry(run)
    others = history.neighbours(reports, now)
    return rules.judge(now, history.earlier(reports, now), _again(run), others)


def finish(run: Run, found: Verdict, why: Mapping[tuple[str, str], str]) -> Path:
    """Keep the verdict, and the run in its history if it has selected a model.

    `why` something could not be done once more, by kind and id. Returns the path of verdict.json.
    """
    path = RunDirectory(run.directory).verdict
    found = rules.conclude(found, why)
    serialization.write(path, found)
    for line, is_serious in regression_records.headlines(found):
        LOG.log(logging.WARNING if is_serious else logging.INFO, "%s", line)
    if run.selection:
        history.put(run.directory.parents[1], history.entry(store.read_run(run.directory)))
    return path


def _again(run: Run) -> rules.Again:
    """What was done once more in this run directory."""
    repeated = {row.trial.id: reruns.trial(run, row.trial.id) for row in run.trials}
    timings = {
        (name, str(timing.precision)): tuple(
            (history.measured(row.single, row.witness_s), row.max_difference)
            for retimed in reruns.timings(run, result.feature_set)
            for row in retimed.rows
            if row.precision == timing.precision
        )
        for name, result in run.latencies.items()
        for timing in result.timings
    }
    heads = {name: history.trial_entry(row) for name, row in repeated.items() if row}
    return rules.Again(heads, timings)
