"""What was done once more because it looked worse than the history allows.

In: a run directory. Out: the records beside those of the run, which stay as they are:

    runs/<run_id>/again/<feature set>-<n>.json  Retimed: one more timing of single images
    runs/<run_id>/again/<trial>.json            TrialResult: the head trained once more

A record that is older than the one it confirms is of an earlier attempt and left out. Never
measures, imports no TensorFlow.
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
    """One precision; `max_difference` is over the timed images alone."""

    precision: Precision
    single: Samples
    num_attempts: Positive
    witness_s: Above0
    max_difference: Share

    def __post_init__(self) -> None:
        """ValueError if nothing was timed."""
        if not self.single.values_s:
            raise ValueError("no timed call")


@dataclass(frozen=True)
class Retimed:
    """The fused model of one feature set, timed once more on single images."""

    schema: Literal[1]
    feature_set: FeatureSet
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]


def timing_path(run_dir: Path, feature_set: FeatureSet, number: int) -> Path:
    """Where the record of one more timing is."""
    return run_dir / "again" / f"{feature_set.id}-{number}.json"


def trial_path(run_dir: Path, trial_id: str) -> Path:
    """Where the record of one more training is."""
    return run_dir / "again" / f"{trial_id}.json"


def timings(run: records.Run, feature_set: FeatureSet) -> list[Retimed]:
    """The further timings of a model, in the order made."""
    first = run.directory / "latency" / f"{feature_set.id}.json"
    found: list[Retimed] = []
    while _is_newer(path := timing_path(run.directory, feature_set, len(found) + 1), first):
        found.append(serialization.read(path, Retimed))
    return found


def trial(run: records.Run, trial_id: str) -> records.TrialResult | None:
    """The further training of a head, if there was one."""
    path = trial_path(run.directory, trial_id)
    first = run.directory / "trials" / path.name
    return serialization.read(path, records.TrialResult) if _is_newer(path, first) else None


def _is_newer(path: Path, first: Path) -> bool:
    """Whether both are there and the first is the older one."""
    if not (path.exists() and first.exists()):
        return False
    return path.stat().st_mtime_ns >= first.stat().st_mtime_ns
