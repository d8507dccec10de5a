"""Comparison of two runs: what was changed, and which differences are statistically significant.

Accuracies are compared on the images that both runs tested, latencies only on the same machine.
Does not import TensorFlow.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from gfr import text as gfr_text
from gfr.config.schema import ENGINES, Latency
from gfr.evaluation.metrics import THRESHOLD
from gfr.evaluation.statistics import holm, mcnemar
from gfr.regression import baseline, fingerprint, history, latency_rule
from gfr.results import store
from gfr.results.records import Run, TrialResult

ALPHA = 0.05  # significance level of McNemar's tests with Holm's correction

MIN_CALLS = Latency.calls  # the default of a benchmark

LatencyVerdict = Literal["slower", "faster", "no difference", "inconclusive", "not compared"]


@dataclass(frozen=True)
class Change:
    """A parameter, version or fact with different values in the two runs."""

    what: str
    first: str
    second: str


@dataclass(frozen=True)
class TrialPair:
    """A trial of both runs on the images that both tested; `num_right` of each run.

    `p_value` is from McNemar's exact test with Holm's correction over the trials. `same_answers`:
    all probabilities are equal to the last bit.
    """

    title: str
    num_shared: int
    num_right: tuple[int, int]
    only_first: int
    only_second: int
    same_answers: bool
    p_value: float


@dataclass(frozen=True)
class LatencyPair:
    """Latency of a model in both runs, each measured in a single process."""

    title: str
    num_calls: tuple[int, int]
    p10_ms: tuple[float, float]
    min_ms: tuple[float, float]
    verdict: LatencyVerdict
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Comparison of two runs; `only_first`, `only_second`: titles of trials only in that run."""

    first: str
    second: str
    changes: tuple[Change, ...]
    trials: tuple[TrialPair, ...]
    latencies: tuple[LatencyPair, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


Labels = dict[str, tuple[str, bool]]  # by image name: digest of the pixels, is_male


def labels(run: Run) -> Labels:
    """Read the labels of a run's images from its faces.csv."""
    _, faces, _ = store.open_run(run.directory)
    rows = zip(faces.names, faces.pixels_sha256, faces.is_male.tolist(), strict=True)
    return {name: (sha256, is_male) for name, sha256, is_male in rows}


def compare(first: Run, second: Run, first_labels: Labels, second_labels: Labels) -> Comparison:
    """Compare configurations, accuracies and latencies of two runs."""
    before = {row.trial.id: row for row in first.trials}
    after = {row.trial.id: row for row in second.trials}
    same = {name for name, label in first_labels.items() if second_labels.get(name) == label}
    is_male = {name: first_labels[name][1] for name in same}
    pairs = [_trial_pair(before[id_], after[id_], is_male) for id_ in before if id_ in after]
    pairs = [pair for pair in pairs if pair.num_shared]
    p_values = holm([pair.p_value for pair in pairs]).tolist()
    trials = [replace(pair, p_value=p) for pair, p in zip(pairs, p_values, strict=True)]
    changes = fingerprint.differences(_described(first), _described(second), "none")
    return Comparison(
        first.record.run_id,
        second.record.run_id,
        changes=tuple(Change(*row) for row in changes),
        trials=tuple(trials),
        latencies=tuple(_latency_pairs(first, second)),
        only_first=tuple(row.trial.title for id_, row in before.items() if id_ not in after),
        only_second=tuple(row.trial.title for id_, row in after.items() if id_ not in before),
    )


def text(comparison: Comparison) -> str:
    """Format a comparison for the terminal."""
    accuracy = f"accuracy on common test images (significant: McNemar, Holm, {ALPHA:.0%}):"
    latency = (
        "latency of one image in one process per run (slower, faster: by p10 and minimum, and not "
        f"because of load; a new process can differ by {latency_rule.MIN_MARGIN - 1:.0%}, so "
        "repeat both runs to confirm a difference):"
    )
    changes = [f"{row.what}: {row.first} -> {row.second}" for row in comparison.changes]
    lines = [f"{comparison.first} -> {comparison.second}"]
    for title, rows in (
        ("changes:", changes or ["none"]),
        (accuracy, list(map(_trial_text, comparison.trials)) or ["no common trial"]),
        (latency, list(map(_latency_text, comparison.latencies)) or ["no common model"]),
        (f"only in {comparison.first}:", comparison.only_first),
        (f"only in {comparison.second}:", comparison.only_second),
    ):
        if rows:
            lines += ["", title, *(f"  {row}" for row in rows)]
    return "\n".join(map(gfr_text.line, lines))


def _trial_pair(then: TrialResult, now: TrialResult, is_male: dict[str, bool]) -> TrialPair:
    """Compare a trial on the images that both runs tested, among those in `is_male`."""
    before, after = then.test_probabilities, now.test_probabilities
    shared = [name for name in before if name in after and name in is_male]
    truth = np.array([is_male[name] for name in shared], bool)
    first, second = (np.array([p_male[name] for name in shared]) for p_male in (before, after))
    first_right, second_right = (first > THRESHOLD) == truth, (second > THRESHOLD) == truth
    num_right = int(first_right.sum()), int(second_right.sum())
    only = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    is_same = np.array_equal(first, second)
    return TrialPair(then.trial.title, len(shared), num_right, *only, is_same, mcnemar(*only))


def _latency_pairs(first: Run, second: Run) -> Iterator[LatencyPair]:
    before, after = history.entry(first), history.entry(second)
    is_same_machine = all(before.facts[name] == after.facts[name] for name in ("machine", "GPUs"))
    for row in before.latencies:
        for other in baseline.same_rows([after], row):
            then, now = row.measured, other.measured
            num_calls = then.num_calls, now.num_calls
            p10_ms = 1000 * then.p10_s, 1000 * now.p10_s
            min_ms = 1000 * then.min_s, 1000 * now.min_s
            judged = _latency_verdict(then, now, is_same_machine)
            if row.engine_version != other.engine_version and is_same_machine:
                engine = ENGINES.get(row.engine, row.engine)
                versions = f"{row.engine_version} -> {other.engine_version}"
                judged = "not compared", f"another version of {engine}: {versions}"
            yield LatencyPair(row.subject, num_calls, p10_ms, min_ms, *judged)


def _latency_verdict(
    then: latency_rule.Measured, now: latency_rule.Measured, is_same_machine: bool
) -> tuple[LatencyVerdict, str]:
    if not is_same_machine:
        reason = "another machine, other settings or another version of TensorFlow, Keras or NumPy"
        return "not compared", reason
    up, down = latency_rule.judge(now, [then]), latency_rule.judge(then, [now])
    statuses, num_calls = (up.status, down.status), min(then.num_calls, now.num_calls)
    if latency_rule.SLOWER in statuses and num_calls < MIN_CALLS:
        reason = f"{num_calls} calls only show the pace of one process, {MIN_CALLS} are needed"
        return "inconclusive", reason
    if up.status == latency_rule.SLOWER:
        return "slower", up.reason
    if down.status == latency_rule.SLOWER:
        return "faster", down.reason
    if latency_rule.NO_BASELINE in statuses:
        share = max(then.others_share, now.others_share)
        return "not compared", f"other processes took {share:.0%} of the machine during one of them"
    if latency_rule.BUSY in statuses:
        return "inconclusive", up.reason if up.status == latency_rule.BUSY else down.reason
    return "no difference", f"within {up.wall_margin:.2f} times"


def _described(run: Run) -> dict[str, str]:
    """Return everything that can change results or speed, by name."""
    record, hardware, facts = run.record, run.record.hardware, history.facts(run)
    return {
        "data": f"{record.data.source}, {record.data.num_used:,} images, {record.data.digest[:12]}",
        "weights": facts["weights"],
        "arithmetic": facts["arithmetic"],
        "features": facts["features"],
        **_flat("benchmark", asdict(record.benchmark)),
        "machine": f"{hardware.cpu_model}, {record.num_usable_threads or '?'} of "
        f"{hardware.cpu_threads} threads, {' '.join(hardware.cpu_flags)}".rstrip(", "),
        "GPUs": facts["GPUs"],
        "workers": facts["workers"],
        **{f"setting {name}": value for name, value in (record.settings or {}).items()},
        **fingerprint.software(record.provenance),
        **({"uncommitted changes": "yes"} if record.provenance.git_dirty else {}),
    }


def _flat(name: str, value: object) -> dict[str, str]:
    """Flatten a nested document: `benchmark.iteration.2.epochs: 50`."""
    if isinstance(value, dict):
        rows = list(value.items())
    elif isinstance(value, list | tuple) and any(isinstance(row, dict) for row in value):
        rows = list(enumerate(value, 1))
    else:
        return {name: value if isinstance(value, str) else json.dumps(value)}
    return {key: text for part, row in rows for key, text in _flat(f"{name}.{part}", row).items()}


def _trial_text(row: TrialPair) -> str:
    if row.same_answers:
        return f"{row.title}: same results (n = {row.num_shared:,})"
    old, new = (num / row.num_shared for num in row.num_right)
    significance = "significant" if row.p_value <= ALPHA else "no significant difference"
    return (
        f"{row.title}: {old:.3f} -> {new:.3f} (n = {row.num_shared:,}; {row.only_first:,} right "
        f"only before, {row.only_second:,} only now, p = {row.p_value:.2g}): {significance}"
    )


def _latency_text(row: LatencyPair) -> str:
    figures = []
    for name, (old, new) in (("p10", row.p10_ms), ("minimum", row.min_ms)):
        times = "" if row.verdict == "not compared" else f" ({new / old:.2f} times)"
        figures.append(f"{name} {old:.1f} -> {new:.1f} ms{times}")
    return f"{row.title}: {', '.join(figures)}: {row.verdict} ({row.reason})"
