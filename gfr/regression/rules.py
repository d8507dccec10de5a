"""Is a run a regression against its history? The rule, without the measuring.

In: the Entry of a run, the comparable ones before it, what was done once more. Out: a Verdict.
docs/regressions.md says why these rules. Pure: never measures, reads no file.

Answers of a fixed seed are the same on one machine every night, so any change of theirs is said; it
is a regression if they are worse than chance or the history's own spread allow. Latency is judged
by gfr/regression/latency_rule.py. Nothing is a regression that was not done twice.
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gfr.evaluation.statistics import holm, mcnemar
from gfr.regression import baseline, latency_rule, new_baseline
from gfr.regression.baseline import MIN_RUNS
from gfr.regression.history import ENGINE, Entry, LatencyEntry, TrialEntry
from gfr.regression.latency_rule import Measured
from gfr.results.regression_records import SCHEMA, Finding, Found, Kind, Past, Status, Verdict
from gfr.text import counted

ALPHA = 0.01  # of McNemar's test, corrected over the trials

# Answers of the timed model against those recorded: rounding leaves 1e-5 in float32, and in
# bfloat16 what the history shows.
MIN_DIFFERENCE, DIFFERENCE_RATIO = 0.01, 2.0

MAX_SHOWN = 60  # runs of the trend, the newest


@dataclass(frozen=True)
class Again:
    """What was done once more: heads by trial id, timings by feature set id and precision."""

    trials: Mapping[str, TrialEntry]
    timings: Mapping[tuple[str, str], tuple[tuple[Measured, float], ...]]


NOTHING_YET = Again({}, {})


def judge(
    now: Entry,
    earlier: Sequence[Entry],
    again: Again = NOTHING_YET,
    others: Sequence[Entry] = (),
) -> Verdict:
    """A run against the comparable ones before it, oldest first.

    `others`: earlier runs of the same benchmark that are not comparable, oldest first, to say why
    not.
    """
    past = baseline.baseline(earlier)
    findings = [
        *_judge_trials(now, past, again),
        *(_judge_latency(row, past, again) for row in now.latencies),
        *(_judge_agreement(row, past, again) for row in now.latencies),
        *_judge_failures(now, past),
    ]
    status = _status(findings, len(past))
    shown = [*earlier[-MAX_SHOWN + 1 :], now]
    is_new = len(earlier) < MIN_RUNS
    return Verdict(
        schema=SCHEMA,
        run_id=now.run_id,
        key=now.key,
        status=status,
        reason=_reason(findings, status, len(past)) + _against(now, [] if past else others),
        num_compared=len(past),
        changes=changes(past[-1], now) if past else (),
        findings=tuple(findings),
        runs=tuple(Past(row.run_id, row.created_utc) for row in shown),
        series=baseline.series(shown, past, findings),
        new_baseline=new_baseline.sentence(now, others) if is_new else "",
    )


def conclude(verdict: Verdict, why: Mapping[tuple[str, str], str]) -> Verdict:
    """The verdict once nothing more is done: a suspect that stays one is no alarm.

    `why` it could not be done once more, by kind and id.
    """
    findings = []
    for row in verdict.findings:
        if row.status == "suspect":
            reason = why.get((row.kind, row.id), "not done once more")
            text = f"{row.text}; not confirmed: {reason}"
            row = dataclasses.replace(row, status="inconclusive", text=text)
        findings.append(row)
    status = _status(findings, verdict.num_compared)
    reason = verdict.reason
    if status != verdict.status or status == "inconclusive":
        reason = _reason(findings, status, verdict.num_compared)
    return dataclasses.replace(verdict, status=status, reason=reason, findings=tuple(findings))


def changes(then: Entry, now: Entry) -> tuple[str, ...]:
    """What of the code and its packages is another, as `pillow 11.0 -> 12.0`."""
    before, after = then.provenance, now.provenance
    rows = {
        "commit": (before.git_commit[:12], after.git_commit[:12]),
        "lock": (before.lock_sha256[:12], after.lock_sha256[:12]),
        "Python": (before.python, after.python),
        "platform": (before.platform, after.platform),
    }
    for name in sorted({*before.versions, *after.versions} - set(ENGINE)):
        rows[name] = before.versions.get(name, "missing"), after.versions.get(name, "missing")
    found = [f"{name} {old} -> {new}" for name, (old, new) in rows.items() if old != new]
    return (*found, "uncommitted changes") if after.git_dirty else tuple(found)


def discordant(then: TrialEntry, now: TrialEntry) -> tuple[int, int]:
    """Images that only the one and only the other gets right.

    Of two different answers to one image exactly one is right: their number and the difference of
    the right ones give both counts.
    """
    num_other = (int(then.answers, 16) ^ int(now.answers, 16)).bit_count()
    lost = then.num_right - now.num_right
    return max(0, (num_other + lost) // 2), max(0, (num_other - lost) // 2)


def _judge_trials(now: Entry, past: Sequence[Entry], again: Again) -> list[Finding]:
    rows = {trial.id: _trials(past, trial) for trial in now.trials}
    tested = [trial for trial in now.trials if len(rows[trial.id]) >= MIN_RUNS]
    p_values = [mcnemar(*discordant(rows[trial.id][-1][1], trial)) for trial in tested]
    corrected = dict(zip([trial.id for trial in tested], holm(p_values), strict=True))
    return [
        _judge_trial(trial, rows[trial.id], float(corrected.get(trial.id, 1.0)), again)
        for trial in now.trials
    ]


def _judge_trial(
    now: TrialEntry, rows: Sequence[tuple[str, TrialEntry]], p_value: float, again: Again
) -> Finding:
    """One trial against its earlier results, (run id, result)."""
    if len(rows) < MIN_RUNS:
        return _finding(now, "no history", _too_few(now.title, len(rows)))
    last_run, last = rows[-1]
    if now.probabilities == last.probabilities:
        return _finding(now, "ok", f"{now.title}: answers as in run {last_run}")
    worse = _worse(now, [row for _, row in rows], p_value)
    num_other = sum(discordant(last, now))
    what = f"{now.title}: {num_other:,} of {now.num_test:,} answers other than in run {last_run}"
    if not worse:
        accuracy = now.num_right / now.num_test, last.num_right / last.num_test
        words = f"test accuracy {accuracy[0]:.3f}, was {accuracy[1]:.3f}"
        return _finding(now, "changed", f"{what}, none the worse: {words}")
    text = f"{now.title}: {'; '.join(worse)}"
    repeated = again.trials.get(now.id)
    if repeated is None:
        return _finding(now, "suspect", text)
    if repeated.probabilities != now.probabilities:
        return _finding(
            now, "inconclusive", f"{text}; but trained once more it answers otherwise again"
        )
    return _finding(now, "regression", f"{text}; trained once more with the same outcome")


def _worse(now: TrialEntry, rows: Sequence[TrialEntry], p_value: float) -> list[str]:
    """Why a trial is worse than its history; empty if it is not."""
    found, last = [], rows[-1]
    usual = statistics.median(row.num_right for row in rows)
    accuracy, was = now.num_right / now.num_test, usual / now.num_test
    if usual - now.num_right > baseline.accuracy_margin(rows):
        found.append(f"test accuracy {accuracy:.3f}, was {was:.3f} (median of {len(rows)} runs)")
    if now.num_right < last.num_right and p_value <= ALPHA:
        only_then, only_now = discordant(last, now)
        found.append(
            f"{only_then:,} images no longer right, {only_now:,} newly right (McNemar, Holm: "
            f"p = {p_value:.2g})"
        )
    if now.test_loss > baseline.loss_limit(rows):
        loss = statistics.median(row.test_loss for row in rows)
        found.append(f"test loss {now.test_loss:.3f}, was {loss:.3f}")
    return found


def _judge_latency(now: LatencyEntry, past: Sequence[Entry], again: Again) -> Finding:
    saved = [row.measured for row in _same(past, now) if row.measured.is_clean]
    if len(saved) < MIN_RUNS:
        text = f"{now.subject}: one image: {len(saved)} undisturbed runs of {MIN_RUNS} needed"
        return _found("latency", now, "no history", text)
    more = again.timings.get((now.id, now.precision), ())
    verdicts = [latency_rule.judge(row, saved) for row in (now.measured, *(row for row, _ in more))]
    end = latency_rule.final(verdicts)
    p10_ms = 1000 * statistics.median(row.p10_s for row in saved)
    figures = (
        f"{now.subject}: one image takes {end.wall_ratio:.2f} times its usual {p10_ms:.1f} ms "
        f"(p10, median of {len(saved)} runs; limit {end.wall_margin:.2f}; {end.relative_ratio:.2f} "
        f"beside fixed work, limit {end.relative_margin:.2f}; own CPU time {end.cpu_ratio:.2f})"
    )
    if end.status == latency_rule.OK:
        return _found("latency", now, "ok", figures)
    if end.status == latency_rule.SLOWER:
        text = f"{figures}, {end.reason}; timed {len(verdicts)} times"
        return _found("latency", now, "regression", text)
    status: Found = "inconclusive" if latency_rule.is_settled(verdicts) else "suspect"
    return _found("latency", now, status, f"{figures}; {end.reason}")


def _judge_agreement(now: LatencyEntry, past: Sequence[Entry], again: Again) -> Finding:
    """Does the timed model, from pixels, answer as the head on features did?"""
    usual = [row.max_difference for row in _same(past, now)]
    limit = MIN_DIFFERENCE + DIFFERENCE_RATIO * max(usual, default=0.0)
    text = (
        f"{now.subject}: the timed model's answers differ by up to {now.max_difference:.2g} from "
        f"those recorded (limit {limit:.2g})"
    )
    if len(usual) < MIN_RUNS:
        return _found("agreement", now, "no history", _too_few(now.subject, len(usual)))
    if now.max_difference <= limit:
        return _found("agreement", now, "ok", text)
    more = again.timings.get((now.id, now.precision), ())
    if not more:
        return _found("agreement", now, "suspect", text)
    is_again = any(difference > limit for _, difference in more)
    return _found("agreement", now, "regression" if is_again else "inconclusive", text)


def _judge_failures(now: Entry, past: Sequence[Entry]) -> list[Finding]:
    """Trials that failed, as often as the run tries, and had a result in the newest run."""
    before = {row.id: row.title for row in past[-1].trials} if len(past) >= MIN_RUNS else {}
    return [
        Finding(
            "failure", name, before[name], "regression", f"{before[name]}: failed, had a result"
        )
        for name in now.failed
        if name in before
    ]


def _status(findings: Sequence[Finding], num_past: int) -> Status:
    found = {row.status for row in findings}
    if "regression" in found:
        return "regression"
    if found & {"suspect", "inconclusive"}:
        return "inconclusive"
    return "ok" if num_past >= MIN_RUNS and found & {"ok", "changed"} else "no history"


def _reason(findings: Sequence[Finding], status: Status, num_past: int) -> str:
    if status == "no history":
        return f"{counted(num_past, 'comparable earlier run')}, {MIN_RUNS} are needed"
    num = sum(row.status == status for row in findings)
    against = f"against {num_past} earlier runs"
    if status == "ok":
        num_changed = sum(row.status == "changed" for row in findings)
        what = f"{num_changed} trials answer otherwise, none worse" if num_changed else "none worse"
        return f"{what} {against}"
    return f"{num} of {len(findings)} findings {against}"


def _against(now: Entry, others: Sequence[Entry]) -> str:
    if not others:
        return ""
    other = others[-1]
    names = [name for name, value in now.facts.items() if other.facts.get(name) != value]
    if "features" in names:  # one word each, computed or reused; the others are digests
        there, here = (row.facts.get("features", "none") for row in (other, now))
        names[names.index("features")] = f"features ({there} there, {here} here)"
    versions = "; ".join(
        f"{name} {there} there, {here} here"
        for name, there, here in new_baseline.engine_changes(other, now)
    )
    if "machine" in names and versions:  # its digest includes the versions
        names[names.index("machine")] = f"machine (with {versions})"
    return f"; the newest of this benchmark, {other.run_id}, differs in {', '.join(names)}"


def _trials(past: Sequence[Entry], now: TrialEntry) -> list[tuple[str, TrialEntry]]:
    """Its earlier results; of another number of test images only a damaged line can be."""
    return [
        (entry.run_id, row)
        for entry in past
        for row in entry.trials
        if (row.id, row.num_test) == (now.id, now.num_test)
    ]


def _same(past: Sequence[Entry], now: LatencyEntry) -> list[LatencyEntry]:
    rows = [row for entry in past for row in entry.latencies]
    return [row for row in rows if (row.id, row.precision) == (now.id, now.precision)]


def _finding(trial: TrialEntry, status: Found, text: str) -> Finding:
    return Finding("accuracy", trial.id, trial.title, status, text)


def _found(kind: Kind, row: LatencyEntry, status: Found, text: str) -> Finding:
    return Finding(kind, row.id, row.subject, status, text)


def _too_few(subject: str, num: int) -> str:
    return f"{subject}: {counted(num, 'comparable earlier result')}, {MIN_RUNS} are needed"
