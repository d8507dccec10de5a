"""Comparison of two runs: what was changed, and which differences are statistically significant.

Accuracies are compared on the images that both runs tested, latencies only on the same machine.
Does not import TensorFlow.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

from gfr import text as gfr_text
from gfr.config.schema import Latency
from gfr.data import records
from gfr.evaluation.metrics import THRESHOLD
from gfr.evaluation.statistics import holm, mcnemar
from gfr.regression import history, latency_rule
from gfr.results.records import Run, TrialResult
from gfr.storage.run_directory import RunDirectory

ALPHA = 0.05  # significance level of McNemar's tests with Holm's correction

MIN_CALLS = Latency.calls  # the default of a benchmark

LatencyVerdict = Literal["slower", "faster", "no difference", "inconclusive", "not compared"]

_MACHINE = ("machine", "GPUs")  # facts that must be equal to compare latencies


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

    @property
    def is_real(self) -> bool:
        """Whether the difference is statistically significant."""
        return self.p_value <= ALPHA


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
    path = RunDirectory(run.directory).faces
    faces, _ = records.read_table(path, run.record.data, run.record.split)
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
    corrected = holm([pair.p_value for pair in pairs]).tolist()
    return Comparison(
        first=first.record.run_id,
        second=second.record.run_id,
        changes=tuple(_changes(_described(first), _described(second))),
        trials=tuple(
            dataclasses.replace(pair, p_value=p_value)
            for pair, p_value in zip(pairs, corrected, strict=True)
        ),
        latencies=tuple(_latency_pairs(first, second)),
        only_first=tuple(row.trial.title for id_, row in before.items() if id_ not in after),
        only_second=tuple(row.trial.title for id_, row in after.items() if id_ not in before),
    )


def text(comparison: Comparison) -> str:
    """Format a comparison for the terminal."""
    first, second = comparison.first, comparison.second
    changes = [f"{row.what}: {row.first} -> {row.second}" for row in comparison.changes]
    blocks = {
        "changes:": changes or ["none"],
        f"accuracy on common test images (significant: McNemar, Holm, {ALPHA:.0%}):": list(
            map(_trial_text, comparison.trials)
        )
        or ["no common trial"],
        "latency of one image in one process per run (slower, faster: by p10 and minimum, and not "
        f"because of load; a new process can differ by {latency_rule.MIN_MARGIN - 1:.0%}, so "
        "repeat both runs to confirm a difference):": list(map(_latency_text, comparison.latencies))
        or ["no common model"],
    }
    lines = [f"{first} -> {second}"]
    for title, rows in blocks.items():
        lines += ["", title, *(f"  {row}" for row in rows)]
    for run_id, titles in ((first, comparison.only_first), (second, comparison.only_second)):
        if titles:
            lines += ["", f"only in {run_id}: {', '.join(titles)}"]
    return "\n".join(map(gfr_text.line, lines))


def _trial_pair(then: TrialResult, now: TrialResult, is_male: dict[str, bool]) -> TrialPair:
    """Compare a trial on the images that both runs tested, among those in `is_male`."""
    before, after = then.test_probabilities, now.test_probabilities
    shared = [name for name in before if name in after and name in is_male]
    right = [
        [(probabilities[name] > THRESHOLD) == is_male[name] for name in shared]
        for probabilities in (before, after)
    ]
    only_first = sum(old and not new for old, new in zip(*right, strict=True))
    only_second = sum(new and not old for old, new in zip(*right, strict=True))
    return TrialPair(
        title=then.trial.title,
        num_shared=len(shared),
        num_right=(sum(right[0]), sum(right[1])),
        only_first=only_first,
        only_second=only_second,
        same_answers=all(before[name] == after[name] for name in shared),
        p_value=mcnemar(only_first, only_second),
    )


def _latency_pairs(first: Run, second: Run) -> list[LatencyPair]:
    before, after = history.entry(first), history.entry(second)
    is_same_machine = all(before.facts[name] == after.facts[name] for name in _MACHINE)
    seconds = {(row.id, row.precision): row.measured for row in after.latencies}
    pairs = []
    for row in before.latencies:
        then, now = row.measured, seconds.get((row.id, row.precision))
        if now:
            verdict, reason = _latency_verdict(then, now, is_same_machine)
            pairs.append(
                LatencyPair(
                    title=row.subject,
                    num_calls=(then.num_calls, now.num_calls),
                    p10_ms=(1000 * then.p10_s, 1000 * now.p10_s),
                    min_ms=(1000 * then.min_s, 1000 * now.min_s),
                    verdict=verdict,
                    reason=reason,
                )
            )
    return pairs


def _latency_verdict(
    then: latency_rule.Measured, now: latency_rule.Measured, is_same_machine: bool
) -> tuple[LatencyVerdict, str]:
    if not is_same_machine:
        reason = "another machine, other settings or another version of TensorFlow, Keras or NumPy"
        return "not compared", reason
    up, down = latency_rule.judge(now, [then]), latency_rule.judge(then, [now])
    statuses = up.status, down.status
    if latency_rule.SLOWER in statuses and min(then.num_calls, now.num_calls) < MIN_CALLS:
        num_calls = min(then.num_calls, now.num_calls)
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


def _changes(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    pairs = [(name, before.get(name, "none"), after.get(name, "none")) for name in before | after]
    return [Change(name, old, new) for name, old, new in pairs if old != new]


def _described(run: Run) -> dict[str, str]:
    """Return everything that can change results or speed, by name."""
    record, provenance, hardware = run.record, run.record.provenance, run.record.hardware
    facts = history.facts(run)
    return {
        "data": f"{record.data.source}, {record.data.num_used:,} images, {record.data.digest[:12]}",
        "weights": facts["weights"],
        "arithmetic": facts["arithmetic"],
        "features": facts["features"],
        **_flat("benchmark", dataclasses.asdict(record.benchmark)),
        "machine": f"{hardware.cpu_model}, {record.num_usable_threads or '?'} of "
        f"{hardware.cpu_threads} threads, {' '.join(hardware.cpu_flags)}".rstrip(", "),
        "GPUs": facts["GPUs"],
        "workers": facts["workers"],
        **{f"setting {name}": value for name, value in (record.settings or {}).items()},
        "Python": provenance.python,
        "platform": provenance.platform,
        **provenance.versions,
        "lock": provenance.lock_sha256[:12],
        "commit": provenance.git_commit[:12],
        **({"uncommitted changes": "yes"} if provenance.git_dirty else {}),
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
    significance = "significant" if row.is_real else "no significant difference"
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
