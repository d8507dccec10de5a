"""List a benchmark's trials, the cached feature sets and the runs.

Does not import TensorFlow and changes nothing.
"""

from dataclasses import dataclass
from pathlib import Path

from gfr import text as gfr_text
from gfr.config.schema import TFJS, Benchmark
from gfr.data.layouts import SOURCES
from gfr.errors import InputError
from gfr.models import feature_store
from gfr.results import records, resume, store
from gfr.storage import run_directory


@dataclass(frozen=True)
class Cached:
    """One feature set on disk."""

    name: str
    complete: bool
    num_bytes: int


@dataclass(frozen=True)
class PastRun:
    """One run directory; `state` is "finished", or says what is missing or unreadable."""

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
    """The trials of one benchmark, and what is on disk."""

    benchmark: str
    trials: tuple[str, ...]
    feature_sets: tuple[str, ...]
    cached: tuple[Cached, ...]
    runs: tuple[PastRun, ...]


def collect(benchmark: Benchmark, cache: Path, reports: Path) -> Inventory:
    """Look at the disk."""
    trials = tuple(trial.title for trial in benchmark.trials)
    feature_sets = tuple(row.title for row in benchmark.feature_sets)
    cached = tuple(map(_cached, sorted((cache / "features").glob("*/"))))
    runs = tuple(map(_past_run, run_directory.existing(reports)))
    return Inventory(benchmark.name, trials, feature_sets, cached, runs)


def _cached(directory: Path) -> Cached:
    num_bytes = sum(file.stat().st_size for file in directory.iterdir())
    is_complete = feature_store.holds(directory, has=feature_store.is_there)
    return Cached(directory.name, is_complete, num_bytes)


def _past_run(directory: Path) -> PastRun:
    try:
        run = store.read_run(directory)
    except InputError as error:
        return PastRun(directory.name, "", "", "", 0, 0, "", f"unreadable: {error}")
    return PastRun(
        run_id=run.record.run_id,
        benchmark=run.record.benchmark.name,
        created_utc=run.record.created_utc,
        data=run.record.data.source,
        num_trials=len(run.trials),
        num_failed=len(run.failures),
        selected=run.selection.trial_id if run.selection else "",
        state="; ".join(unfinished(run)) or "finished",
    )


def text(inventory: Inventory) -> str:
    """Format an inventory for people."""
    lines = [
        f"benchmark {inventory.benchmark}: {gfr_text.counted(len(inventory.trials), 'trial')}",
        *(f"  {title}" for title in inventory.trials),
        f"feature sets: {len(inventory.feature_sets)}",
        *(f"  {title}" for title in inventory.feature_sets),
        f"cached feature sets: {len(inventory.cached)}",
    ]
    for row in inventory.cached:
        state = "complete" if row.complete else "incomplete"
        lines.append(f"  {row.name}  {row.num_bytes / 1e6:.1f} MB  {state}")
    lines.append(f"runs: {len(inventory.runs)}")
    for run in inventory.runs:
        states = [f"selected {run.selected}"] if run.selected else []
        states += [run.state] if run.state != "finished" else []
        data = SOURCES[run.data].title if run.data in SOURCES else ""
        num_trials = gfr_text.counted(run.num_trials, "trial")
        lines.append(f"  {run.run_id}  {data}  {num_trials}  {', '.join(states)}")
    return "\n".join(map(gfr_text.line, lines))


def missing(run: records.Run) -> list[str]:
    """List what the run still lacks, one phrase each; empty if it is complete."""
    files = run_directory.RunDirectory(run.directory)
    is_reported = store.is_newer(files.summary_md, files.selection)
    return unfinished(run) + ([] if is_reported else ["no report of the current results"])


def unfinished(run: records.Run) -> list[str]:
    """List what the run still lacks except its report, whose age is lost when a run is copied."""
    trials, lacking = run.record.benchmark.trials, []
    if run.failures:
        lacking.append(f"{len(run.failures)} of {len(trials)} trials failed")
    if num_left := len(trials) - len(run.trials) - len(run.failures):
        lacking.append(f"{num_left} of {len(trials)} trials unfinished")
    untimed = {row.trial.feature_set for row in run.trials if not run.latency_of(row.trial)}
    lacking += [f"{title}: no latency" for title in sorted(row.title for row in untimed)]
    labels = [row.label for row in run.record.benchmark.reference]
    lacking += [
        f"reference {label}: not evaluated"
        for label in labels
        if run.selection and label not in run.references
    ]
    if TFJS in run.record.benchmark.export.written and run.selection and not run.export:
        lacking.append("the selected model is not exported")
    if not lacking and not run.selection:
        lacking.append("no model is selected")
    return lacking


def advice(run: records.Run) -> str:
    """Return what the run lacks and the command to resume it; empty if it is finished."""
    lacking = unfinished(run)
    line = resume.command(run.record, run.directory.parents[1])
    return f"{'; '.join(lacking)}. Resume with: {line}" if lacking else ""
