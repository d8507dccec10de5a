"""Regression check of a run directory: read it and its history, write verdict.json.

Does not import TensorFlow.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from gfr.regression import history, rules
from gfr.regression.latency_rule import Measured
from gfr.results import reruns, store
from gfr.results.records import Run
from gfr.results.regression_records import Verdict, headlines
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory

LOG = logging.getLogger("gfr")


def look(run: Run, reasons: Mapping[tuple[str, str], str] | None = None) -> Verdict:
    """Judge a run with the reruns that exist so far; `reasons`: see gfr.regression.rules.judge."""
    reports, now = run.directory.parents[1], history.entry(run)
    earlier, others = history.earlier(reports, now), history.neighbours(reports, now)
    return rules.judge(now, earlier, _reruns(run), others, reasons)


def finish(run: Run, result: Verdict, reasons: Mapping[tuple[str, str], str]) -> Path:
    """Write the verdict and, if the run selected a model, its history entry.

    Args:
        run: the run.
        result: its verdict after all reruns.
        reasons: why a rerun failed, by kind and id.

    Returns:
        The path of verdict.json.
    """
    path = RunDirectory(run.directory).verdict
    if result.of("suspect"):
        result = look(run, reasons)
    serialization.write(path, result)
    for line, is_serious in headlines(result):
        LOG.log(logging.WARNING if is_serious else logging.INFO, "%s", line)
    if run.selection:
        history.put(run.directory.parents[1], history.entry(store.read_run(run.directory)))
    return path


def _reruns(run: Run) -> rules.Reruns:
    """Read the reruns in a run directory."""
    repeated = {row.trial.id: reruns.trial(run, row.trial.id) for row in run.trials}
    timings: dict[tuple[str, str], list[tuple[Measured, float]]] = defaultdict(list)
    for name, result in run.latencies.items():
        for retimed in reruns.timings(run, result.feature_set):
            for row in retimed.rows:
                figures = history.measured(row.single, row.witness_s)
                timings[name, row.precision].append((figures, row.max_difference))
    heads = {name: history.trial_entry(row) for name, row in repeated.items() if row}
    return rules.Reruns(heads, timings)
