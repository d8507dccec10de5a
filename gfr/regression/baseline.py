"""What a history allows, and its figures as series.

In: entries of one key, oldest first. Out: which of them are a measure, margins, Series. Pure: never
decides what a run is, reads no file.
"""

import statistics
from collections.abc import Callable, Sequence

from gfr.regression import latency_rule
from gfr.regression.fingerprint import MAX_RUNS
from gfr.regression.history import Entry, LatencyEntry, TrialEntry
from gfr.results.regression_records import Figure, Finding, Kind, Series

MIN_RUNS = 3  # fewer say nothing about their spread

MIN_ACCURACY_MARGIN = 0.01  # about what another head seed moves 1,000 test images by

MIN_LOSS_MARGIN = 1.05

_GOOD = ("", "ok", "no history")

_MOST_DRAWN = 1e12  # ms or s; more can only be a damaged line

Value = Callable[[Entry], float | None]


def baseline(earlier: Sequence[Entry]) -> list[Entry]:
    """The newest runs that are a measure: no regression, none before an accepted one."""
    since = max((at for at, row in enumerate(earlier) if row.is_accepted), default=0)
    good = [row for row in earlier[since:] if row.is_accepted or row.status in _GOOD]
    return good[-MAX_RUNS:]


def accuracy_margin(rows: Sequence[TrialEntry]) -> float:
    """Right answers that may be lost: one point, one image, or what the history's spread asks."""
    spread = statistics.stdev([row.num_right for row in rows]) if len(rows) > 1 else 0.0
    return max(MIN_ACCURACY_MARGIN * rows[-1].num_test, 1.0, latency_rule.NUM_SPREADS * spread)


def loss_limit(rows: Sequence[TrialEntry]) -> float:
    """The highest test loss that is no worse."""
    losses = [max(row.test_loss, 1e-9) for row in rows]
    return statistics.median(losses) * latency_rule.margin(losses, MIN_LOSS_MARGIN)


def series(
    shown: Sequence[Entry], past: Sequence[Entry], findings: Sequence[Finding]
) -> tuple[Series, ...]:
    """Accuracy of every trial, latency of every timed model, seconds of the stages.

    `shown`: entries in order, the newest being the one that the findings are of.
    """
    now = shown[-1]
    alarms = {(row.kind, row.subject) for row in findings if row.status == "regression"}

    def one(figure: Figure, kind: Kind, row: TrialEntry | LatencyEntry, value: Value) -> Series:
        subject = row.title if isinstance(row, TrialEntry) else row.subject
        marks = [(kind, subject) in entry.alarms for entry in shown[:-1]]
        low, high = _band(figure, row, past)
        values = tuple(_drawn(value(entry)) for entry in shown)
        marks.append((kind, subject) in alarms)
        return Series(figure, subject, row.backbone, values, tuple(marks), low, high)

    return (
        *(one("accuracy", "accuracy", row, _accuracy_of(row)) for row in now.trials),
        *(one("p10_ms", "latency", row, _latency_of(row, 10)) for row in now.latencies),
        *(one("p50_ms", "latency", row, _latency_of(row, 50)) for row in now.latencies),
        *(_durations(shown, stage.name) for stage in now.stages),
    )


def _band(
    figure: str, row: TrialEntry | LatencyEntry, past: Sequence[Entry]
) -> tuple[float | None, float | None]:
    """What is allowed of a figure; none for p50, which has no say, or on too short a history."""
    if isinstance(row, TrialEntry):
        rows = [old for entry in past for old in entry.trials if old.id == row.id]
        if len(rows) < MIN_RUNS:
            return None, None
        usual, margin = statistics.median(old.num_right for old in rows), accuracy_margin(rows)
        return max(0.0, usual - margin) / row.num_test, min(1.0, (usual + margin) / row.num_test)
    found = [old for entry in past for old in entry.latencies if _is_same(old, row)]
    clean = [old.measured for old in found if old.measured.is_clean]
    if figure != "p10_ms" or len(clean) < MIN_RUNS:
        return None, None
    limit = latency_rule.margin([old.min_s for old in clean], latency_rule.MIN_MARGIN)
    p10_ms = 1000 * statistics.median(old.p10_s for old in clean)
    return _drawn(p10_ms / limit), _drawn(p10_ms * limit)


def _drawn(value: float | None) -> float | None:
    return None if value is None or value > _MOST_DRAWN else value


def _accuracy_of(row: TrialEntry) -> Value:
    def value(entry: Entry) -> float | None:
        found = next((old for old in entry.trials if old.id == row.id), None)
        return found.num_right / found.num_test if found else None

    return value


def _latency_of(row: LatencyEntry, percent: int) -> Value:
    def value(entry: Entry) -> float | None:
        found = next((old for old in entry.latencies if _is_same(old, row)), None)
        return 1000 * getattr(found.measured, f"p{percent}_s") if found else None

    return value


def _is_same(old: LatencyEntry, row: LatencyEntry) -> bool:
    return (old.id, old.precision) == (row.id, row.precision)


def _durations(shown: Sequence[Entry], name: str) -> Series:
    """Seconds of a stage: for looking, never judged."""
    rows = [{str(row.name): row.wall_s for row in entry.stages} for entry in shown]
    values = tuple(_drawn(row.get(name)) for row in rows)
    return Series("duration_s", name, "", values, (False,) * len(shown), None, None)
