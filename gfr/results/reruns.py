"""Reruns of results that looked worse than the history, next to the unchanged results of the run:

    runs/<run_id>/again/<feature set>-<n>.json  Retimed: another measurement of single images
    runs/<run_id>/again/<trial>.json            TrialResult: the head trained again

A rerun older than the result that it should confirm is from an earlier attempt and is ignored.
Does not import TensorFlow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gfr.config.schema import FeatureSet, Precision
from gfr.measurement.latency import Samples
from gfr.results import records
from gfr.storage import serialization
from gfr.types import Above0, Positive, Share

SCHEMA: Literal[1] = 1


@dataclass(frozen=True)
class Row:
    """One precision; `max_difference` is over the timed images only."""

    precision: Precision
    single: Samples
    num_attempts: Positive
    witness_s: Above0
    max_difference: Share

    def __post_init__(self) -> None:
        """Raise ValueError without a timed call."""
        if not self.single.values_s:
            raise ValueError("no timed call")


@dataclass(frozen=True)
class Retimed:
    """Another latency measurement of one feature set's fused model on single images."""

    schema: Literal[1]
    feature_set: FeatureSet
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]


def timing_path(run_dir: Path, feature_set: FeatureSet, number: int) -> Path:
    """Return the path of a repeated measurement, counted from 1."""
    return run_dir / "again" / f"{feature_set.id}-{number}.json"


def trial_path(run_dir: Path, trial_id: str) -> Path:
    """Return the path of a repeated trial."""
    return run_dir / "again" / f"{trial_id}.json"


def timings(run: records.Run, feature_set: FeatureSet) -> list[Retimed]:
    """Read the repeated measurements of a model, oldest first."""
    first = run.directory / "latency" / f"{feature_set.id}.json"
    reruns: list[Retimed] = []
    while _is_newer(path := timing_path(run.directory, feature_set, len(reruns) + 1), first):
        reruns.append(serialization.read(path, Retimed))
    return reruns


def trial(run: records.Run, trial_id: str) -> records.TrialResult | None:
    """Read the repeated training of a head, if there is one."""
    path = trial_path(run.directory, trial_id)
    first = run.directory / "trials" / path.name
    return serialization.read(path, records.TrialResult) if _is_newer(path, first) else None


def _is_newer(path: Path, first: Path) -> bool:
    """Return whether both files exist and `first` is the older one."""
    if not (path.exists() and first.exists()):
        return False
    return path.stat().st_mtime_ns >= first.stat().st_mtime_ns
