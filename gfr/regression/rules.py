"""Regression rules: compare a run with its history. docs/regressions.md explains them.

With a fixed seed the results of a machine are the same every night, so any change is reported. It
is a regression if results are worse than chance or the spread of the history allow. Latency is
judged by gfr/regression/latency_rule.py. A regression is reported only after a rerun confirms it.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gfr.evaluation.statistics import holm, mcnemar
from gfr.regression import baseline, fingerprint, latency_rule
from gfr.regression.baseline import MIN_RUNS
from gfr.regression.history import KEY_PACKAGES, Entry, LatencyEntry, TrialEntry
from gfr.results.regression_records import SCHEMA, Finding, Found, Kind, Past, Status, Verdict
from gfr.text import counted

ALPHA = 0.01  # significance level of McNemar's test, corrected over the trials

# Tolerance between the answers of the timed model and the recorded ones: rounding causes 1e-5 in
# float32; in bfloat16 the history tells.
MIN_DIFFERENCE, DIFFERENCE_RATIO = 0.01, 2.0

MAX_SHOWN = 60  # newest runs in the trend figure


def judge(
    now: Entry,
    earlier: Sequence[Entry],
    reruns: Entry | None = None,
    others: Sequence[Entry] = (),
    reasons: Mapping[tuple[str, str], str] | None = None,
) -> Verdict:
    """Compare a run with its history.

    Args:
        now: entry of the run.
        earlier: comparable runs before it, oldest first.
        reruns: entry with the trials and latencies that were repeated because they looked worse.
        others: earlier runs of the benchmark that are not comparable, oldest first.
        reasons: why a rerun failed, by kind and id; None if reruns may follow. Otherwise what
            is still suspect is inconclusive.
    """
    past = baseline.baseline(earlier)
    reruns = reruns or replace(now, trials=(), latencies=())
    findings = list(_findings(now, past, reruns))
    if reasons is not None:
        findings = [_concluded(row, reasons) for row in findings]
    status = _status(findings, len(past))
    shown = [*earlier[-MAX_SHOWN + 1 :], now]
    return Verdict(
        schema=SCHEMA,
        run_id=now.run_id,
        key=now.key,
        status=status,
        reason=_reason(findings, status, len(past)) + ("" if past else _differences(now, others)),
        num_compared=len(past),
        changes=changes(past[-1], now) if past else (),
        findings=tuple(findings),
        runs=tuple(Past(row.run_id, row.created_utc) for row in shown),
        series=baseline.series(shown, past, findings),
        new_baseline=_new_baseline(now, past, others if len(earlier) < MIN_RUNS else ()),
    )


def _new_baseline(now: Entry, past: Sequence[Entry], others: Sequence[Entry]) -> str:
    sentences = baseline.new_baseline(now, others), baseline.new_engine_baseline(now, past)
    return ". ".join(filter(None, sentences))


def _concluded(finding: Finding, reasons: Mapping[tuple[str, str], str]) -> Finding:
    if finding.status != "suspect":
        return finding
    reason = reasons.get((finding.kind, finding.id), "no rerun")
    text = f"{finding.text}; not confirmed: {reason}"
    return replace(finding, status="inconclusive", text=text)


def changes(then: Entry, now: Entry) -> tuple[str, ...]:
    """List changes of the code and of packages that are not in the key: `pillow 11.0 -> 12.0`."""
    before, after = fingerprint.software(then.provenance), fingerprint.software(now.provenance)
    rows = fingerprint.differences(before, after, "missing")
    changed = [f"{name} {old} -> {new}" for name, old, new in rows if name not in KEY_PACKAGES]
    return (*changed, *(["uncommitted changes"] if now.provenance.git_dirty else []))


def discordant(then: TrialEntry, now: TrialEntry) -> tuple[int, int]:
    """Return the numbers of images that only the earlier and only the later result gets right.

    The sum is the number of different answers, the difference follows from the correct ones.
    """
    num_different = (int(then.answers, 16) ^ int(now.answers, 16)).bit_count()
    lost = then.num_right - now.num_right
    return max(0, (num_different + lost) // 2), max(0, (num_different - lost) // 2)


def _findings(now: Entry, past: Sequence[Entry], reruns: Entry) -> Iterator[Finding]:
    """Judge all trials and latencies; report trials that failed but had a result."""
    histories = {trial.id: baseline.trials_of(past, trial) for trial in now.trials}
    tested = [trial for trial in now.trials if len(histories[trial.id]) >= MIN_RUNS]
    p_values = holm([mcnemar(*discordant(histories[row.id][-1][1], row)) for row in tested])
    by_id = dict(zip([trial.id for trial in tested], p_values.tolist(), strict=True))
    known = {row.id: row.title for row in past[-1].trials} if len(past) >= MIN_RUNS else {}
    for trial in now.trials:
        result = _judge_trial(trial, histories[trial.id], by_id.get(trial.id, 1.0), reruns)
        yield _finding("accuracy", trial.id, trial.title, result)
    for row in now.latencies:
        yield _finding("latency", row.record, row.subject, _judge_latency(row, past, reruns))
    for row in now.latencies:
        yield _finding("agreement", row.record, row.subject, _judge_agreement(row, past, reruns))
    for id_ in filter(known.get, now.failed):
        yield _finding("failure", id_, known[id_], ("regression", "failed, had a result"))


def _finding(kind: Kind, id_: str, subject: str, judged: tuple[Found, str]) -> Finding:
    status, text = judged
    return Finding(kind, id_, subject, status, f"{subject}: {text}")


def _judge_trial(
    now: TrialEntry, earlier: Sequence[tuple[str, TrialEntry]], p_value: float, reruns: Entry
) -> tuple[Found, str]:
    """Compare a trial with its earlier results, (run id, result)."""
    if len(earlier) < MIN_RUNS:
        return "no history", _too_few(len(earlier))
    last_run, last = earlier[-1]
    if now.probabilities == last.probabilities:
        return "ok", f"same results as run {last_run}"
    worse = "; ".join(_worse(now, [row for _, row in earlier], p_value))
    if not worse:
        return "changed", (
            f"{sum(discordant(last, now)):,} of {now.num_test:,} answers differ from run "
            f"{last_run}, not worse: test accuracy {now.num_right / now.num_test:.3f}, "
            f"was {last.num_right / last.num_test:.3f}"
        )
    repeated = [row.probabilities for row in reruns.trials if row.id == now.id]
    if not repeated:
        return "suspect", worse
    if now.probabilities not in repeated:
        return "inconclusive", f"{worse}; a rerun gave different results"
    return "regression", f"{worse}; confirmed by a rerun"


def _worse(now: TrialEntry, rows: Sequence[TrialEntry], p_value: float) -> list[str]:
    """Return the reasons why a trial is worse than its history."""
    reasons, last = [], rows[-1]
    usual = statistics.median(row.num_right for row in rows)
    if usual - now.num_right > baseline.accuracy_margin(rows):
        reasons.append(
            f"test accuracy {now.num_right / now.num_test:.3f}, was {usual / now.num_test:.3f} "
            f"(median of {len(rows)} runs)"
        )
    if now.num_right < last.num_right and p_value <= ALPHA:
        only_then, only_now = discordant(last, now)
        reasons.append(
            f"{counted(only_then, 'image')} newly wrong, {only_now:,} newly right (McNemar, Holm: "
            f"p = {p_value:.2g})"
        )
    if now.test_loss > baseline.loss_limit(rows):
        loss = statistics.median(row.test_loss for row in rows)
        reasons.append(f"test loss {now.test_loss:.3f}, was {loss:.3f}")
    return reasons


def _judge_latency(now: LatencyEntry, past: Sequence[Entry], reruns: Entry) -> tuple[Found, str]:
    saved = baseline.clean_latencies(past, now)
    if len(saved) < MIN_RUNS:
        needed = f"{len(saved)} of the {MIN_RUNS} earlier runs without background load needed"
        return "no history", f"one image: {needed}"
    rows = [now, *baseline.latencies_of([reruns], now)]
    verdicts = [latency_rule.judge(row.measured, saved) for row in rows]
    final = latency_rule.final(verdicts)
    p10_ms = 1000 * statistics.median(row.p10_s for row in saved)
    text = (
        f"one image takes {final.wall_ratio:.2f} times its usual {p10_ms:.1f} ms "
        f"(p10, median of {len(saved)} runs; limit {final.wall_margin:.2f}); relative to the "
        f"reference workload {final.relative_ratio:.2f} times (limit {final.relative_margin:.2f}), "
        f"own CPU time {final.cpu_ratio:.2f} times"
    )
    if final.status == latency_rule.OK:
        return "ok", text
    if final.status == latency_rule.SLOWER:
        return "regression", f"{text}; {final.reason}; measured {len(verdicts)} times"
    is_settled = latency_rule.is_settled(verdicts)
    return "inconclusive" if is_settled else "suspect", f"{text}; {final.reason}"


def _judge_agreement(now: LatencyEntry, past: Sequence[Entry], reruns: Entry) -> tuple[Found, str]:
    """Compare the answers of the timed model, from pixels, with those of the head on features."""
    usual = [row.max_difference for row in baseline.latencies_of(past, now)]
    if len(usual) < MIN_RUNS:
        return "no history", _too_few(len(usual))
    limit = MIN_DIFFERENCE + DIFFERENCE_RATIO * max(usual)
    text = (
        f"probabilities of the timed model differ by up to {now.max_difference:.2g} from the "
        f"recorded ones (limit {limit:.2g})"
    )
    if now.max_difference <= limit:
        return "ok", text
    repeated = [row.max_difference for row in baseline.latencies_of([reruns], now)]
    if not repeated:
        return "suspect", text
    return "regression" if max(repeated) > limit else "inconclusive", text


def _status(findings: Sequence[Finding], num_past: int) -> Status:
    statuses = {finding.status for finding in findings}
    if "regression" in statuses:
        return "regression"
    if statuses & {"suspect", "inconclusive"}:
        return "inconclusive"
    return "ok" if num_past >= MIN_RUNS and statuses & {"ok", "changed"} else "no history"


def _reason(findings: Sequence[Finding], status: Status, num_past: int) -> str:
    if status == "no history":
        enough = f"nothing in it has {MIN_RUNS} earlier results"
        return _too_few(num_past, "run") if num_past < MIN_RUNS else enough
    compared = f"compared with {num_past} earlier runs"
    if status == "ok":
        num_changed = sum(finding.status == "changed" for finding in findings)
        what = f"results of {counted(num_changed, 'trial')} changed, " if num_changed else ""
        return f"{what}none worse {compared}"
    num = sum(finding.status == status for finding in findings)
    return f"{num} of {len(findings)} findings {compared}"


def _differences(now: Entry, others: Sequence[Entry]) -> str:
    """Return why the newest run of the benchmark is not comparable."""
    if not others:
        return ""
    other = others[-1]
    before, after = (row.facts.get("features", "none") for row in (other, now))
    details = {"features": f" ({before} there, {after} here)"}  # the other facts are digests
    changed = fingerprint.differences(other.facts, now.facts, "none")
    names = ", ".join(name + details.get(name, "") for name, _, _ in changed)
    return f"; the newest run of this benchmark, {other.run_id}, differs in {names}"


def _too_few(num: int, noun: str = "result") -> str:
    return f"{num} of the {MIN_RUNS} comparable earlier {noun}s needed"
