"""Has a run fallen behind the one before it? A first, simple rule.

In: two Runs of the same benchmark on the same data and weights. Out: a sentence for each trial that
has lost more than the limits below. Pure. Never compares what differs in data,
weights, arithmetic or CPU.
"""

from pathlib import Path

from gfr import results, runs
from gfr.errors import BadInput
from gfr.results import Run

MAX_ACCURACY_LOST = 0.02  # of the test accuracy; on 1,000 images about two standard errors
MAX_LATENCY_RATIO = 1.25  # of p50, where neither was contended


def behind_last(run_dir: str) -> list[str]:
    """How a run has fallen behind the newest comparable one before it; empty if it has not."""
    run = results.read_run(Path(run_dir))
    for directory in reversed(runs.existing(run.directory.parents[1])):
        try:
            other = results.read_run(directory)
        except BadInput:
            continue
        if other.selection and _is_earlier(other, run) and _are_comparable(other, run):
            return behind(run, other)
    return []


def behind(run: Run, earlier: Run) -> list[str]:
    """The same of two given runs."""
    before = {row.trial: row for row in earlier.trials}
    found = []
    for row in run.trials:
        if row.trial not in before:
            continue
        then, now = before[row.trial].metrics["test"].accuracy, row.metrics["test"].accuracy
        if then - now > MAX_ACCURACY_LOST:
            found.append(f"{row.trial.title}: test accuracy {now:.3f}, was {then:.3f}")
    if run.record.hardware.cpu_model != earlier.record.hardware.cpu_model:
        return found
    for key, latency in run.latencies.items():
        old = earlier.latencies.get(key)
        if old is None or old.is_contended or latency.is_contended:
            continue
        then_ms = old.float32.p50_ms
        now_ms = latency.float32.p50_ms
        if now_ms > MAX_LATENCY_RATIO * then_ms:
            title = latency.feature_set.title
            found.append(f"{title}: p50 {now_ms:.1f} ms, was {then_ms:.1f} ms")
    failed = {row.trial.title for row in run.failures} & {row.title for row in before}
    return found + [f"{title}: failed, had a result" for title in sorted(failed)]


def _is_earlier(other: Run, run: Run) -> bool:
    return other.record.created_utc < run.record.created_utc


def _are_comparable(other: Run, run: Run) -> bool:
    def facts(record: results.RunRecord) -> tuple:
        weights = sorted((row.backbone, row.sha256) for row in record.weights)
        arithmetic = sorted((row.feature_set_id, row.precision) for row in record.choices)
        return record.benchmark.name, record.data.digest, weights, arithmetic

    return facts(other.record) == facts(run.record)
