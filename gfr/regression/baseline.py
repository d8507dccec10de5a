"""Baseline of a run: which earlier runs it is compared with, tolerances, and series to plot."""

import statistics
from collections.abc import Sequence

from gfr.regression import latency_rule
from gfr.regression.fingerprint import MAX_RUNS
from gfr.regression.history import ENGINE, Entry, LatencyEntry, TrialEntry
from gfr.results.regression_records import Figure, Finding, Series

MIN_RUNS = 3  # fewer say nothing about their spread

MIN_ACCURACY_MARGIN = 0.01  # about what another seed of the head changes on 1,000 test images

MIN_LOSS_MARGIN = 1.05

_GOOD = ("", "ok", "no history")

_MAX_PLOTTED = 1e12  # ms or s; only an invalid line has more

_NAMES = {"tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}


def baseline(earlier: Sequence[Entry]) -> list[Entry]:
    """Return the newest runs without a regression, from the last accepted run on."""
    start = max((i for i, row in enumerate(earlier) if row.is_accepted), default=0)
    good = [row for row in earlier[start:] if row.is_accepted or row.status in _GOOD]
    return good[-MAX_RUNS:]


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
    return [
        (entry.run_id, row)
        for entry in past
        for row in entry.trials
        if (row.id, row.num_test) == (now.id, now.num_test)
    ]


def latencies_of(past: Sequence[Entry], now: LatencyEntry) -> list[LatencyEntry]:
    """Return the earlier measurements of a model in the same precision."""
    rows = [row for entry in past for row in entry.latencies]
    return [row for row in rows if (row.id, row.precision) == (now.id, now.precision)]


def series(
    shown: Sequence[Entry], past: Sequence[Entry], findings: Sequence[Finding]
) -> tuple[Series, ...]:
    """Return accuracies of trials, latencies of models and durations of stages over the runs.

    Args:
        shown: the runs to plot, oldest first; `findings` belong to the last one.
        past: the baseline, which gives the tolerances.
        findings: findings of the regression check.
    """
    now = shown[-1]
    alarms = {(row.kind, row.subject) for row in findings if row.status == "regression"}

    def one(figure: Figure, row: TrialEntry | LatencyEntry) -> Series:
        kind, subject = (
            ("accuracy", row.title) if isinstance(row, TrialEntry) else ("latency", row.subject)
        )
        marks = [(kind, subject) in entry.alarms for entry in shown[:-1]]
        marks.append((kind, subject) in alarms)
        values = tuple(_plotted(_value(figure, entry, row)) for entry in shown)
        low, high = _band(figure, row, past)
        return Series(figure, subject, row.backbone, values, tuple(marks), low, high)

    return (
        *(one("accuracy", row) for row in now.trials),
        *(one("p10_ms", row) for row in now.latencies),
        *(one("p50_ms", row) for row in now.latencies),
        *(_durations(shown, stage.name) for stage in now.stages),
    )


def _band(
    figure: Figure, row: TrialEntry | LatencyEntry, past: Sequence[Entry]
) -> tuple[float | None, float | None]:
    """Return the tolerance of a figure; None for p50, which is not judged, or too few runs."""
    if isinstance(row, TrialEntry):
        rows = [old for entry in past for old in entry.trials if old.id == row.id]
        if len(rows) < MIN_RUNS:
            return None, None
        usual, margin = statistics.median(old.num_right for old in rows), accuracy_margin(rows)
        return max(0.0, usual - margin) / row.num_test, min(1.0, (usual + margin) / row.num_test)
    clean = [old.measured for old in latencies_of(past, row) if old.measured.is_clean]
    if figure != "p10_ms" or len(clean) < MIN_RUNS:
        return None, None
    limit = latency_rule.margin([old.min_s for old in clean], latency_rule.MIN_MARGIN)
    p10_ms = 1000 * statistics.median(old.p10_s for old in clean)
    return _plotted(p10_ms / limit), _plotted(p10_ms * limit)


def _plotted(value: float | None) -> float | None:
    return None if value is None or value > _MAX_PLOTTED else value


def _value(figure: Figure, entry: Entry, now: TrialEntry | LatencyEntry) -> float | None:
    if isinstance(now, TrialEntry):
        trial = next((row for row in entry.trials if row.id == now.id), None)
        return trial.num_right / trial.num_test if trial else None
    rows = latencies_of([entry], now)
    if not rows:
        return None
    return 1000 * (rows[0].measured.p10_s if figure == "p10_ms" else rows[0].measured.p50_s)


def _durations(shown: Sequence[Entry], name: str) -> Series:
    """Return the seconds of a stage, which are plotted but not judged."""
    rows = [{str(stage.name): stage.wall_s for stage in entry.stages} for entry in shown]
    values = tuple(_plotted(row.get(name)) for row in rows)
    return Series("duration_s", name, "", values, (False,) * len(shown), None, None)


def new_baseline(now: Entry, others: Sequence[Entry]) -> str:
    """Return a sentence if a new version of TensorFlow, Keras or NumPy starts a new baseline.

    Args:
        now: entry of the run.
        others: earlier runs of this benchmark with another key, oldest first.

    Returns:
        `New baseline: TensorFlow changed from 2.19.0 to 2.21.0, so ...`, or "".
    """
    # Only the versions differ from the newest of these; else compare with the newest of all.
    same = [row for row in others if _is_same_but_engine(row, now)]
    changes = engine_changes((same or others)[-1], now) if others else []
    if not changes:
        return ""
    words = ", ".join(f"{name} from {old} to {new}" for name, old, new in changes)
    words = words.replace(" from ", " changed from ", 1)
    return f"New baseline: {words}, so runs before the change are not compared"


def engine_changes(then: Entry, now: Entry) -> list[tuple[str, str, str]]:
    """Return name, old and new version of each changed package that is part of the key."""
    before, after = then.provenance.versions, now.provenance.versions
    versions = [(name, before.get(name, "missing"), after.get(name, "missing")) for name in ENGINE]
    return [(_NAMES[name], old, new) for name, old, new in versions if old != new]


def _is_same_but_engine(then: Entry, now: Entry) -> bool:
    """Return whether all facts but the machine, which includes the versions, are equal."""
    names = {*then.facts, *now.facts} - {"machine"}
    is_same = all(then.facts.get(name) == now.facts.get(name) for name in names)
    return is_same and bool(engine_changes(then, now))
