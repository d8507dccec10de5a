"""Is a run a regression against its history? The answer as a record, and in words.

In: findings of gfr/regression/rules.py. Out: Verdict, the run's verdict.json, and its lines for
the page,
the terminal and Prefect. All that is drawn or printed of it is in the record: an old report can be
rendered again when its history has gone. Never judges, reads no file, imports no TensorFlow.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from gfr.types import Amount, Count

SCHEMA: Literal[1] = 1

EXIT_CODE = 3  # of a regression

Status = Literal["ok", "regression", "inconclusive", "no history"]

Found = Literal["ok", "changed", "no history", "suspect", "inconclusive", "regression"]

Kind = Literal["accuracy", "latency", "agreement", "failure"]

Figure = Literal["accuracy", "p10_ms", "p50_ms", "duration_s"]


@dataclass(frozen=True)
class Finding:
    """What was found of one trial or one timed model, `id` being its file's name.

    changed: other answers than before, not worse ones. suspect: worse, to be done once more; never
    in a finished verdict.
    """

    kind: Kind
    id: str
    subject: str
    status: Found
    text: str


@dataclass(frozen=True)
class Series:
    """One figure over the runs of a verdict; None where a run lacks it.

    `alarms`: runs that were a regression in it. `low`, `high`: what the history allows this run.
    """

    figure: Figure
    subject: str
    backbone: str
    values: Annotated[tuple[Amount | None, ...], Field(min_length=1)]
    alarms: tuple[bool, ...]
    low: Amount | None
    high: Amount | None

    def __post_init__(self) -> None:
        """ValueError if there is not one mark a value."""
        if len(self.values) != len(self.alarms):
            raise ValueError(f"{len(self.alarms)} marks on {len(self.values)} values")


@dataclass(frozen=True)
class Past:
    """A run of the history, or this one."""

    run_id: str
    created_utc: str


@dataclass(frozen=True)
class Verdict:
    """Of one run. `runs`: those of the series, oldest first, this one last.

    `num_compared`: earlier runs that it was held against. `changes`: what is not as it was in the
    newest of them and may be the cause. `new_baseline`: the sentence that says so, if another
    version of TensorFlow, Keras or numpy keeps earlier runs from being compared; else "".
    """

    schema: Literal[1]
    run_id: str
    key: str  # of the history
    status: Status
    reason: str
    num_compared: Count
    changes: tuple[str, ...]
    findings: tuple[Finding, ...]
    runs: Annotated[tuple[Past, ...], Field(min_length=1)]
    series: tuple[Series, ...]
    new_baseline: str = ""

    def __post_init__(self) -> None:
        """ValueError if a series is not of these runs."""
        if any(len(row.values) != len(self.runs) for row in self.series):
            raise ValueError(f"a series that is not of {len(self.runs)} runs")

    def of(self, *statuses: Found) -> list[Finding]:
        """The findings with one of these, in this order."""
        return [row for status in statuses for row in self.findings if row.status == status]

    @property
    def is_regression(self) -> bool:
        """Whether someone should be told."""
        return self.status == "regression"

    @property
    def lost(self) -> list[str]:
        """What has become worse, one sentence each."""
        return [row.text for row in self.of("regression")]


def headlines(verdict: Verdict | None) -> list[tuple[str, bool]]:
    """What must be known before any number is read, and whether it is serious."""
    if verdict is None:
        return []
    found = [(f"Regression: {text}", True) for text in verdict.lost]
    if verdict.is_regression and verdict.changes:
        found.append((f"Changed since the newest good run: {', '.join(verdict.changes)}", True))
    if not verdict.is_regression:
        found.append((f"Regression check: {verdict.status} ({verdict.reason})", False))
    if verdict.new_baseline:
        found.append((verdict.new_baseline, False))
    found += [(f"Inconclusive: {row.text}", True) for row in verdict.of("inconclusive")]
    return found + [(f"Answers changed: {row.text}", False) for row in verdict.of("changed")]
