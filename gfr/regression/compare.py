"""Two runs side by side: what was changed, and which differences of the numbers are real.

In: two Runs and the labels of their images (faces.csv). Out: Comparison and its text. Accuracies
are compared on the images that both tested, latencies only on one machine. Never measures, never
writes, imports no TensorFlow.
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

ALPHA = 0.05  # of McNemar's tests together, by Holm's correction

MIN_CALLS = Latency.calls  # what a benchmark times that does not say otherwise

LatencyVerdict = Literal["slower", "faster", "no difference", "inconclusive", "not compared"]

_MACHINE = ("machine", "GPUs")  # facts that must agree before latencies are compared


@dataclass(frozen=True)
class Change:
    """One thing that is not the same; `first`, `second` as people read them."""

    what: str
    first: str
    second: str


@dataclass(frozen=True)
class TrialPair:
    """A trial of both runs on the images that both tested, `num_right` of each.

    `p_value`: McNemar's, exact, corrected over the trials by Holm. `same_answers`: to the last bit.
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
        """Whether more than chance is needed to explain the difference."""
        return self.p_value <= ALPHA


@dataclass(frozen=True)
class LatencyPair:
    """A timed model of both runs, first and second; each timed in one process, so often called."""

    title: str
    num_calls: tuple[int, int]
    p10_ms: tuple[float, float]
    min_ms: tuple[float, float]
    verdict: LatencyVerdict
    reason: str


@dataclass(frozen=True)
class Comparison:
    """`only_first`, `only_second`: titles of trials that have a result in one run alone."""

    first: str
    second: str
    changes: tuple[Change, ...]
    trials: tuple[TrialPair, ...]
    latencies: tuple[LatencyPair, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


Labels = dict[str, tuple[str, bool]]  # by image name: digest of its pixels, is_male


def labels(run: Run) -> Labels:
    """Of a run's images, from its faces.csv."""
    path = RunDirectory(run.directory).faces
    faces, _ = records.read_table(path, run.record.data, run.record.split)
    rows = zip(faces.names, faces.pixels_sha256, faces.is_male.tolist(), strict=True)
    return {name: (sha256, is_male) for name, sha256, is_male in rows}


def compare(first: Run, second: Run, firsts: Labels, seconds: Labels) -> Comparison:
    """Everything that differs, and what of it is more than chance or load."""
    after = {row.trial.id: row for row in second.trials}
    both = [(row, after[row.trial.id]) for row in first.trials if row.trial.id in after]
    pairs = [_trial_pair(*rows, firsts, seconds) for rows in both]
    tested = [row for row in pairs if row.num_shared]
    corrected = holm([row.p_value for row in tested])
    before = {row.trial.id for row in first.trials}
    return Comparison(
        first=first.record.run_id,
        second=second.record.run_id,
        changes=tuple(_changes(first, second)),
        trials=tuple(
            dataclasses.replace(row, p_value=float(p_value))
            for row, p_value in zip(tested, corrected, strict=True)
        ),
        latencies=tuple(_latency_pairs(first, second)),
        only_first=tuple(row.trial.title for row in first.trials if row.trial.id not in after),
        only_second=tuple(row.trial.title for row in second.trials if row.trial.id not in before),
    )


def text(found: Comparison) -> str:
    """For the terminal."""
    lines = [f"{found.first} -> {found.second}", "", "what was changed:"]
    lines += [f"  {row.what}: {row.first} -> {row.second}" for row in found.changes] or [
        "  nothing"
    ]
    lines += ["", f"accuracy on the test images of both (real: McNemar, Holm, {ALPHA:.0%}):"]
    lines += [f"  {_trial_text(row)}" for row in found.trials] or ["  none in common"]
    lines += [
        "",
        "one image, one process a run (slower, faster: by p10 and minimum, and not by load; a new "
        f"process alone may be {latency_rule.MIN_MARGIN - 1:.0%} off, so run both again before you "
        "believe it):",
    ]
    lines += [f"  {_latency_text(row)}" for row in found.latencies] or ["  none to compare"]
    for run_id, titles in ((found.first, found.only_first), (found.second, found.only_second)):
        if titles:
            lines += ["", f"only in {run_id}: {', '.join(titles)}"]
    return "\n".join(map(gfr_text.line, lines))


def _trial_pair(then: TrialResult, now: TrialResult, firsts: Labels, seconds: Labels) -> TrialPair:
    """Right and wrong on the images that both runs tested, with equal pixels and label."""
    before, after = then.test_probabilities, now.test_probabilities
    shared = [name for name in before if name in after and firsts[name] == seconds[name]]
    rows = [
        (_is_right(before[name], firsts[name][1]), _is_right(after[name], firsts[name][1]))
        for name in shared
    ]
    only_first = sum(old and not new for old, new in rows)
    only_second = sum(new and not old for old, new in rows)
    return TrialPair(
        title=then.trial.title,
        num_shared=len(shared),
        num_right=(sum(old for old, _ in rows), sum(new for _, new in rows)),
        only_first=only_first,
        only_second=only_second,
        same_answers=all(before[name] == after[name] for name in shared),
        p_value=mcnemar(only_first, only_second),
    )


def _is_right(p_male: float, is_male: bool) -> bool:
    return (p_male > THRESHOLD) == is_male


def _latency_pairs(first: Run, second: Run) -> list[LatencyPair]:
    before, after = history.entry(first), history.entry(second)
    is_same = all(before.facts[name] == after.facts[name] for name in _MACHINE)
    rows = {(row.id, row.precision): row for row in after.latencies}
    return [
        _latency_pair(row, rows[row.id, row.precision], is_same)
        for row in before.latencies
        if (row.id, row.precision) in rows
    ]


def _latency_pair(
    then: history.LatencyEntry, now: history.LatencyEntry, is_same_machine: bool
) -> LatencyPair:
    both = then.measured, now.measured
    verdict, reason = _latency_verdict(*both, is_same_machine)
    return LatencyPair(
        title=then.subject,
        num_calls=(both[0].num_calls, both[1].num_calls),
        p10_ms=(1000 * both[0].p10_s, 1000 * both[1].p10_s),
        min_ms=(1000 * both[0].min_s, 1000 * both[1].min_s),
        verdict=verdict,
        reason=reason,
    )


def _latency_verdict(
    then: latency_rule.Measured, now: latency_rule.Measured, is_same_machine: bool
) -> tuple[LatencyVerdict, str]:
    if not is_same_machine:
        reason = "another machine, other settings or another version of TensorFlow, Keras or NumPy"
        return "not compared", reason
    up, down = latency_rule.judge(now, [then]), latency_rule.judge(then, [now])
    changed = latency_rule.SLOWER in (up.status, down.status)
    num_calls = min(then.num_calls, now.num_calls)
    if changed and num_calls < MIN_CALLS:
        reason = f"{num_calls} calls tell no more than the pace of one process; {MIN_CALLS} may"
        return "inconclusive", reason
    if up.status == latency_rule.SLOWER:
        return "slower", up.reason
    if down.status == latency_rule.SLOWER:
        return "faster", down.reason
    if latency_rule.NO_BASELINE in (up.status, down.status):
        share = max(then.others_share, now.others_share)
        return "not compared", f"others took {share:.0%} of the machine while one was timed"
    busy = next((row for row in (up, down) if row.status == latency_rule.BUSY), None)
    if busy:
        return "inconclusive", busy.reason
    return "no difference", f"within {up.wall_margin:.2f} times"


def _changes(first: Run, second: Run) -> list[Change]:
    rows = _described(first), _described(second)
    names = list(dict.fromkeys([*rows[0], *rows[1]]))
    pairs = [(name, *(row.get(name, "none") for row in rows)) for name in names]
    return [Change(name, old, new) for name, old, new in pairs if old != new]


def _described(run: Run) -> dict[str, str]:
    """All that decides numbers, by name."""
    record, provenance = run.record, run.record.provenance
    facts = history.facts(run)
    hardware = record.hardware
    found = {
        "data": f"{record.data.source}, {record.data.num_used:,} images, {record.data.digest[:12]}",
        "weights": facts["weights"],
        "arithmetic": facts["arithmetic"],
        "features": facts["features"],
        **_flat("", dataclasses.asdict(record.benchmark)),
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
    }
    return found | ({"uncommitted changes": "yes"} if provenance.git_dirty else {})


def _flat(name: str, value: object) -> dict[str, str]:
    """A nested document -> `benchmark.iteration.2.epochs: 50`."""
    place = f"{name}." if name else "benchmark."
    if isinstance(value, dict):
        rows = list(value.items())
    elif isinstance(value, list | tuple) and any(isinstance(row, dict) for row in value):
        rows = list(enumerate(value, 1))
    else:
        return {name: value if isinstance(value, str) else json.dumps(value)}
    return {key: text for part, row in rows for key, text in _flat(f"{place}{part}", row).items()}


def _trial_text(row: TrialPair) -> str:
    if row.same_answers:
        return f"{row.title}: the same answers (n = {row.num_shared:,})"
    old, new = (num / row.num_shared for num in row.num_right)
    real = "real" if row.is_real else "not more than chance"
    return (
        f"{row.title}: {old:.3f} -> {new:.3f} (n = {row.num_shared:,}; {row.only_first:,} only "
        f"right before, {row.only_second:,} only now, p = {row.p_value:.2g}): {real}"
    )


def _latency_text(row: LatencyPair) -> str:
    is_compared = row.verdict != "not compared"
    told = []
    for name, (old, new) in (("p10", row.p10_ms), ("minimum", row.min_ms)):
        times = f" ({new / old:.2f} times)" if is_compared else ""
        told.append(f"{name} {old:.1f} -> {new:.1f} ms{times}")
    return f"{row.title}: {', '.join(told)}: {row.verdict} ({row.reason})"
