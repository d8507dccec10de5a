"""Baseline of a run: which earlier runs it is compared with, tolerances, and series to plot."""

import statistics
from collections.abc import Sequence

from gfr.config.schema import ENGINES
from gfr.regression import fingerprint, latency_rule
from gfr.regression.history import KEY_PACKAGES, Entry, LatencyEntry, TrialEntry
from gfr.results.regression_records import Figure, Finding, Series

MIN_RUNS = 3  # fewer say nothing about their spread

MIN_ACCURACY_MARGIN = 0.01  # about what another seed of the head changes on 1,000 test images

MIN_LOSS_MARGIN = 1.05

# The kind of finding that judges a figure.
_JUDGED = {"accuracy": "accuracy", "p10_ms": "latency", "p50_ms": "latency"}


def baseline(earlier: Sequence[Entry]) -> list[Entry]:
    """Return the newest runs without a regression, from the last accepted run on."""
    start = max((i for i, row in enumerate(earlier) if row.is_accepted), default=0)
    usable = ("", "ok", "no history")
    good = [row for row in earlier[start:] if row.is_accepted or row.status in usable]
    return good[-fingerprint.MAX_RUNS :]


def accuracy_margin(rows: Sequence[TrialEntry]) -> float:
    """Return the tolerance in correct answers: a point, an image or three standard deviations."""
    spread = statistics.stdev([row.num_right for row in rows]) if len(rows) > 1 else 0.0
    return max(MIN_ACCURACY_MARGIN * rows[-1].num_test, 1.0, latency_rule.NUM_SPREADS * spread)


def loss_limit(rows: Sequence[TrialEntry]) -> float:
    """Return the highest test loss within the tolerance."""
    losses = [max(row.test_loss, 1e-9) for row in rows]
    return statistics.median(losses) * latency_rule.margin(losses, MIN_LOSS_MARGIN)


def trials_of(past: Sequence[Entry], now: TrialEntry) -> list[tuple[str, TrialEntry]]:
    """Return the run ids and earlier results of a trial; invalid lines may have other images."""
    rows = [(entry.run_id, row) for entry in past for row in entry.trials if row.id == now.id]
    return [(run_id, row) for run_id, row in rows if row.num_test == now.num_test]


def latencies_of(past: Sequence[Entry], now: LatencyEntry) -> list[LatencyEntry]:
    """Return the earlier measurements of a row with the same version of its engine."""
    return [row for row in same_rows(past, now) if row.engine_version == now.engine_version]


def same_rows(past: Sequence[Entry], now: LatencyEntry) -> list[LatencyEntry]:
    """Return the earlier measurements of a row, with every version of its engine."""
    return [row for entry in past for row in entry.latencies if row.key == now.key]


def clean_latencies(past: Sequence[Entry], now: LatencyEntry) -> list[latency_rule.Measured]:
    """Return the figures of those that were measured without background load."""
    return [row.measured for row in latencies_of(past, now) if row.measured.is_clean]


def series(
    shown: Sequence[Entry], past: Sequence[Entry], findings: Sequence[Finding]
) -> tuple[Series, ...]:
    """Return accuracies of trials, latencies of models and durations of stages over the runs.

    Args:
        shown: the runs to plot, oldest first; `findings` belong to the last one.
        past: the baseline, which gives the tolerances.
        findings: findings of the regression check.
    """
    now, rows = shown[-1], [_plotted(entry) for entry in shown]
    alarms = [set(entry.alarms) for entry in shown[:-1]]
    alarms.append({(row.kind, row.subject) for row in findings if row.status == "regression"})
    bands = _bands(now, past)
    backbones = {row.title: row.backbone for row in now.trials}
    backbones |= {row.subject: row.backbone for row in now.latencies}
    return tuple(
        Series(
            figure,
            subject,
            backbones.get(subject, ""),
            tuple(row.get((figure, subject)) for row in rows),
            tuple((_JUDGED.get(figure, ""), subject) in alarmed for alarmed in alarms),
            *bands.get((figure, subject), (None, None)),
        )
        for figure, subject in rows[-1]
    )


def _plotted(entry: Entry) -> dict[tuple[Figure, str], float]:
    """Return the values of a run that are plotted, by figure and subject."""
    values: dict[tuple[Figure, str], float] = {
        ("accuracy", row.title): row.num_right / row.num_test for row in entry.trials
    }
    values |= {("p10_ms", row.subject): 1000 * row.measured.p10_s for row in entry.latencies}
    values |= {("p50_ms", row.subject): 1000 * row.measured.p50_s for row in entry.latencies}
    return values | {("duration_s", stage.name): stage.wall_s for stage in entry.stages}


def _bands(now: Entry, past: Sequence[Entry]) -> dict[tuple[Figure, str], tuple[float, float]]:
    """Return the tolerances of the figures that are judged and have enough runs."""
    bands: dict[tuple[Figure, str], tuple[float, float]] = {}
    for trial in now.trials:
        rows = [row for _, row in trials_of(past, trial)]
        if len(rows) >= MIN_RUNS:
            usual, margin = statistics.median(row.num_right for row in rows), accuracy_margin(rows)
            low, high = max(0.0, usual - margin), min(trial.num_test, usual + margin)
            bands["accuracy", trial.title] = low / trial.num_test, high / trial.num_test
    for latency in now.latencies:
        clean = clean_latencies(past, latency)
        if len(clean) >= MIN_RUNS:
            limit = latency_rule.margin([row.min_s for row in clean], latency_rule.MIN_MARGIN)
            p10_ms = 1000 * statistics.median(row.p10_s for row in clean)
            bands["p10_ms", latency.subject] = p10_ms / limit, p10_ms * limit
    return bands


def new_baseline(now: Entry, others: Sequence[Entry]) -> str:
    """Return a sentence if a new version of TensorFlow, Keras or NumPy starts a new baseline.

    Args:
        now: entry of the run.
        others: earlier runs of this benchmark with another key, oldest first.

    Returns:
        `New baseline: TensorFlow changed from 2.19.0 to 2.21.0, so ...`, or "".
    """
    # Prefer the newest run that differs in nothing else; the fact "machine" includes the versions.
    any_machine = {"machine": ""}
    same = [row for row in others if row.facts | any_machine == now.facts | any_machine]
    same = [row for row in same if _package_changes(row, now)]
    changes = _package_changes((same or others)[-1], now) if others else []
    if not changes:
        return ""
    return f"New baseline: {_changed(changes)}, so runs before the change are not compared"


def new_engine_baseline(now: Entry, past: Sequence[Entry]) -> str:
    """Return a sentence if a new version of a runtime engine starts a new baseline for its rows.

    Args:
        now: entry of the run.
        past: its baseline, oldest first.

    Returns:
        `New baseline: LiteRT changed from 1.4.0 to 2.0.1, so ...`, or "".
    """
    changes = {}
    for row in now.latencies:
        versions = [old.engine_version for old in same_rows(past, row)]
        if versions.count(row.engine_version) >= MIN_RUNS:
            continue
        if others := [version for version in versions if version != row.engine_version]:
            name = ENGINES.get(row.engine, row.engine)
            changes[name] = (name, others[-1], row.engine_version)
    if not changes:
        return ""
    owner = "its" if len(changes) == 1 else "their"
    return (
        f"New baseline: {_changed(list(changes.values()))}, so {owner} latencies before the change "
        "are not compared"
    )


def _changed(changes: Sequence[tuple[str, str, str]]) -> str:
    """List name, old and new version: `Keras changed from 3 to 4, NumPy from 2.1 to 2.4`."""
    words = ", ".join(f"{name} from {old} to {new}" for name, old, new in changes)
    return words.replace(" from ", " changed from ", 1)


def _package_changes(then: Entry, now: Entry) -> list[tuple[str, str, str]]:
    """Return name, old and new version of each changed package that is part of the key."""
    versions = then.provenance.versions, now.provenance.versions
    changed = fingerprint.differences(*versions, "missing")
    return [(KEY_PACKAGES[name], old, new) for name, old, new in changed if name in KEY_PACKAGES]
