"""What there is: a benchmark's trials, the cached feature sets, the runs so far.

In: a Benchmark, the cache, the reports. Out: Inventory, and its text. Never imports TensorFlow,
never changes anything.
"""

from dataclasses import dataclass
from pathlib import Path

from gfr import completeness, results
from gfr import text as gfr_text
from gfr.config.schema import Benchmark
from gfr.data.dataset import SOURCES
from gfr.errors import BadInput
from gfr.models import feature_store
from gfr.storage import run_directory


@dataclass(frozen=True)
class Cached:
    """One feature set on disk."""

    name: str
    complete: bool
    num_bytes: int


@dataclass(frozen=True)
class PastRun:
    """One run directory; `state` is finished, what is missing, or unreadable."""

    run_id: str
    benchmark: str
    created_utc: str
    data: str
    num_trials: int
    num_failed: int
    selected: str
    state: str


@dataclass(frozen=True)
class Inventory:
    """All of it, for one benchmark."""

    benchmark: str
    trials: tuple[str, ...]
    feature_sets: tuple[str, ...]
    cached: tuple[Cached, ...]
    runs: tuple[PastRun, ...]


def collect(benchmark: Benchmark, cache: Path, reports: Path) -> Inventory:
    """Look at the disk."""
    return Inventory(
        benchmark=benchmark.name,
        trials=tuple(trial.title for trial in benchmark.trials),
        feature_sets=tuple(row.title for row in benchmark.feature_sets),
        cached=tuple(map(_cached, sorted((cache / "features").glob("*/")))),
        runs=tuple(_past_run(path) for path in run_directory.existing(reports)),
    )


def _cached(directory: Path) -> Cached:
    return Cached(
        name=directory.name,
        complete=feature_store.is_complete(directory),
        num_bytes=sum(path.stat().st_size for path in directory.iterdir()),
    )


def _past_run(directory: Path) -> PastRun:
    try:
        run = results.read_run(directory)
    except BadInput as error:
        return PastRun(directory.name, "", "", "", 0, 0, "", f"unreadable: {error}")
    return PastRun(
        run_id=run.record.run_id,
        benchmark=run.record.benchmark.name,
        created_utc=run.record.created_utc,
        data=run.record.data.source,
        num_trials=len(run.trials),
        num_failed=len(run.failures),
        selected=run.selection.trial_id if run.selection else "",
        state="; ".join(completeness.unfinished(run)) or "finished",
    )


def text(found: Inventory) -> str:
    """As people read it."""
    lines = [f"benchmark {found.benchmark}: {gfr_text.counted(len(found.trials), 'trial')}"]
    lines += [f"  {title}" for title in found.trials]
    lines += [f"feature sets: {len(found.feature_sets)}", *(f"  {t}" for t in found.feature_sets)]
    lines.append(f"cached feature sets: {len(found.cached)}")
    for row in found.cached:
        state = "complete" if row.complete else "incomplete"
        lines.append(f"  {row.name}  {row.num_bytes / 1e6:.1f} MB  {state}")
    lines.append(f"runs: {len(found.runs)}")
    for run in found.runs:
        selected = f"selected {run.selected}" if run.selected else ""
        state = "" if run.state == "finished" else run.state
        rest = ", ".join(filter(None, [selected, state]))
        data = SOURCES.get(run.data, "")
        num_trials = gfr_text.counted(run.num_trials, "trial")
        lines.append(f"  {run.run_id}  {data}  {num_trials}  {rest}")
    return "\n".join(map(gfr_text.line, lines))
