"""Regression verdict of a run, stored in its verdict.json, and its lines for the reports.

The record contains everything that the report shows, so that a report can be rendered again after
its history was removed. Does not import TensorFlow.
"""

from dataclasses import dataclass
from typing import Literal

from gfr.types import Amount, Count, NonEmpty

SCHEMA: Literal[1] = 1

Status = Literal["ok", "regression", "inconclusive", "no history"]

Found = Literal["ok", "changed", "no history", "suspect", "inconclusive", "regression"]

Kind = Literal["accuracy", "latency", "agreement", "failure"]

Figure = Literal["accuracy", "p10_ms", "p50_ms", "duration_s"]


@dataclass(frozen=True)
class Finding:
    """Result of the check of one trial or one timed model; `id` is the name of its file.

    `engines/<feature set>` is the id of a model that several engines timed in turn.

    "changed": different answers that are not worse. "suspect": worse, needs a rerun; never in a
    finished verdict.
    """

    kind: Kind
    id: str
    subject: str
    status: Found
    text: str


@dataclass(frozen=True)
class Series:
    """One figure over the runs of a verdict; None for runs without it.

    `alarms` marks the runs in which it was a regression; `low` and `high` are the tolerance.
    """

    figure: Figure
    subject: str
    backbone: str
    values: NonEmpty[Amount | None]
    alarms: tuple[bool, ...]
    low: Amount | None
    high: Amount | None


@dataclass(frozen=True)
class Past:
    """A run of the history, or the run itself."""

    run_id: str
    created_utc: str


@dataclass(frozen=True)
class Verdict:
    """Result of the regression check of one run.

    `runs` are those of the series, oldest first, this one last. `num_compared` is the number of
    runs in the baseline. `changes` are differences from the newest of them that may be the cause.
    `new_baseline` is a sentence if a new version of TensorFlow, Keras or NumPy makes earlier runs
    not comparable, or one of another engine its latencies, else "".
    """

    schema: Literal[1]
    run_id: str
    key: str  # of the history
    status: Status
    reason: str
    num_compared: Count
    changes: tuple[str, ...]
    findings: tuple[Finding, ...]
    runs: NonEmpty[Past]
    series: tuple[Series, ...]
    new_baseline: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError unless all series have one value and one mark per run."""
        lengths = {len(column) for row in self.series for column in (row.values, row.alarms)}
        if not lengths <= {len(self.runs)}:
            raise ValueError(f"a series without {len(self.runs)} values and marks")

    def of(self, *statuses: Found) -> list[Finding]:
        """Return the findings with one of the statuses, in the order of the statuses."""
        return [row for status in statuses for row in self.findings if row.status == status]

    @property
    def is_regression(self) -> bool:
        """Whether the run is a regression."""
        return self.status == "regression"

    @property
    def lost(self) -> list[str]:
        """One sentence per regression."""
        return [row.text for row in self.of("regression")]


def headlines(verdict: Verdict | None) -> list[tuple[str, bool]]:
    """Return the lines for the top of a report, and whether each one is serious."""
    if verdict is None:
        return []
    lines = [(f"Regression: {text}", True) for text in verdict.lost]
    if verdict.is_regression and verdict.changes:
        lines.append((f"Changed since the newest good run: {', '.join(verdict.changes)}", True))
    if not verdict.is_regression:
        lines.append((f"Regression check: {verdict.status} ({verdict.reason})", False))
    if verdict.new_baseline:
        lines.append((verdict.new_baseline, False))
    lines += [(f"Inconclusive: {row.text}", True) for row in verdict.of("inconclusive")]
    return lines + [(f"Results changed: {row.text}", False) for row in verdict.of("changed")]
