"""Records of what was repeated because it looked worse than the history allows.

They lie beside the records of the run, which stay as they are. A repetition that is older than the
record it confirms belongs to an earlier attempt and is ignored. Does not import TensorFlow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gfr.config.schema import FeatureSet, Precision
from gfr.measurement.latency import Samples
from gfr.results.records import Run, TrialResult
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory
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


@dataclass(frozen=True)
class Retimed:
    """Another latency measurement of one feature set's fused model on single images."""

    schema: Literal[1]
    feature_set: FeatureSet
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]


def timings(run: Run, feature_set: FeatureSet) -> list[Retimed]:
    """Return the repeated latency measurements of a model, in the order made."""
    files = RunDirectory(run.directory)
    first = files.latency(feature_set.id)
    records: list[Retimed] = []
    while is_newer(path := files.repeated_latency(feature_set.id, len(records) + 1), first):
        records.append(serialization.read(path, Retimed))
    return records


def trial(run: Run, trial_id: str) -> TrialResult | None:
    """Return the repeated training of a head, if there is one."""
    files = RunDirectory(run.directory)
    path = files.repeated_trial(trial_id)
    is_there = is_newer(path, files.trial(trial_id))
    return serialization.read(path, TrialResult) if is_there else None


def is_newer(path: Path, first: Path) -> bool:
    """Whether both exist and `path` is not older."""
    both_exist = path.exists() and first.exists()
    return both_exist and path.stat().st_mtime_ns >= first.stat().st_mtime_ns
