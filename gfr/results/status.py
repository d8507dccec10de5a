"""List a benchmark's trials, the cached feature sets and the runs.

Does not import TensorFlow and changes nothing.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from gfr import text as gfr_text
from gfr.config.schema import Benchmark
from gfr.data.sources import SOURCES
from gfr.errors import InputError
from gfr.models import feature_store
from gfr.results import records, store
from gfr.results.records import Run, RunRecord
from gfr.storage import paths, run_directory
from gfr.storage.run_directory import RunDirectory


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
    return Inventory(
        benchmark=benchmark.name,
        trials=tuple(trial.title for trial in benchmark.trials),
        feature_sets=tuple(row.title for row in benchmark.feature_sets),
        cached=tuple(
            Cached(
                name=path.name,
                complete=feature_store.is_complete(path),
                num_bytes=sum(file.stat().st_size for file in path.iterdir()),
            )
            for path in sorted((cache / "features").glob("*/"))
        ),
        runs=tuple(_past_run(path) for path in run_directory.existing(reports)),
    )


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


def missing(run: Run) -> list[str]:
    """List what the run still lacks, one phrase each; empty if it is complete."""
    return unfinished(run) + ([] if _is_reported(run) else ["no report of the current results"])


def unfinished(run: Run) -> list[str]:
    """List what the run still lacks except its report, whose age is lost when a run is copied."""
    trials, lacking = run.record.benchmark.trials, []
    if run.failures:
        lacking.append(f"{len(run.failures)} of {len(trials)} trials failed")
    if num_left := len(trials) - len(run.trials) - len(run.failures):
        lacking.append(f"{num_left} of {len(trials)} trials unfinished")
    untimed = {row.trial.feature_set for row in run.trials if not run.latency_of(row.trial)}
    lacking += [f"{title}: no latency" for title in sorted(row.title for row in untimed)]
    if run.record.benchmark.export.precisions and run.selection and not run.export:
        lacking.append("the selected model is not exported")
    if not lacking and not run.selection:
        lacking.append("no model is selected")
    return lacking


def advice(run: Run) -> str:
    """Return what the run lacks and the command to resume it; empty if it is finished."""
    lacking = unfinished(run)
    line = resume_command(run.record, run.directory.parents[1])
    return f"{'; '.join(lacking)}. Resume with: {line}" if lacking else ""


def resume_command(record: RunRecord, reports: Path) -> str:
    """Return the command to resume a run, with directories that the recorded command left out."""
    places = paths.directories_to_name(reports=reports, cache=Path(record.cache))
    if record.command.startswith("gfr."):  # a call of the Python API
        values = {"run_id": record.run_id, **{name: str(path) for name, path in places.items()}}
        added = [f"{name}={value!r}" for name, value in values.items()]
        lacking = [words for words in added if words.split("=")[0] + "=" not in record.command]
        return f"{', '.join([record.command[:-1], *lacking])})"
    if not record.command.startswith("gfr "):  # a deployment takes parameters, not options
        parameters = [f"run_id={record.run_id}", *(["fresh=true"] if record.fresh else [])]
        parameters += [f"{name}={path}" for name, path in places.items()]
        words = [word for parameter in parameters for word in ("-p", parameter)]
        return f"{record.command} {shlex.join(words)}"
    options = {"--run-id": record.run_id, **{f"--{name}": str(places[name]) for name in places}}
    missing = [(name, value) for name, value in options.items() if name not in record.command]
    return " ".join([record.command, *map(shlex.join, missing)])


def _is_reported(run: Run) -> bool:
    files = RunDirectory(run.directory)
    report, selection = files.summary_md, files.selection
    if not (report.exists() and selection.exists()):
        return False
    return report.stat().st_mtime_ns >= selection.stat().st_mtime_ns


ACCEPTED = "accepted.json"  # in the directory of a run whose results are accepted as intended


def is_accepted(run: records.Run) -> bool:
    """Return whether the run's results were accepted as intended."""
    return (run.directory / ACCEPTED).exists()
