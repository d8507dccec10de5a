"""How far has a run come, by its files alone?

In: a Run. Out: one sentence for each thing that is not there, none if the run is complete; and the
command that resumes a run. For when Prefect, which was to say it, is gone, or never knew. Looks at
nothing else but whether the report exists and the environment variables of
gfr/storage/run_directory.py.
"""

import shlex
from pathlib import Path

from gfr.results import Run, RunRecord
from gfr.storage import paths


def missing(run: Run) -> list[str]:
    """What a complete run would have and this one has not."""
    return unfinished(run) + ([] if _is_reported(run) else ["no report of its present results"])


def unfinished(run: Run) -> list[str]:
    """The same but for the report, whose age is lost when a run is copied."""
    trials, found = run.record.benchmark.trials, []
    if run.failures:
        found.append(f"{len(run.failures)} of {len(trials)} trials failed")
    if num_left := len(trials) - len(run.trials) - len(run.failures):
        found.append(f"{num_left} of {len(trials)} trials unfinished")
    untimed = {row.trial.feature_set for row in run.trials if not run.latency_of(row.trial)}
    found += [f"{row.title}: no latency" for row in sorted(untimed, key=lambda row: row.title)]
    if run.record.benchmark.export.precisions and run.selection and not run.export:
        found.append("the selected model is not exported")
    if not found and not run.selection:
        found.append("nothing is selected")
    return found


def advice(run: Run) -> str:
    """What is missing but for the report, and the command that goes on; empty if nothing is."""
    lacking = unfinished(run)
    line = resume_command(run.record, run.directory.parents[1])
    return f"{'; '.join(lacking)}; go on with it: {line}" if lacking else ""


def resume_command(record: RunRecord, reports: Path) -> str:
    """The command that resumes a run, with the directories that the recorded command left out."""
    places = paths.directories_to_name(reports=reports, cache=Path(record.cache))
    if not record.command.startswith("gfr "):  # a deployment's run: options are parameters
        parameters = [f"run_id={record.run_id}", *(["fresh=true"] if record.fresh else [])]
        parameters += [f"{name}={path}" for name, path in places.items()]
        return f"{record.command} {shlex.join(w for row in parameters for w in ('-p', row))}"
    options = {"--run-id": record.run_id, **{f"--{name}": str(places[name]) for name in places}}
    missing = [(name, value) for name, value in options.items() if name not in record.command]
    return " ".join([record.command, *map(shlex.join, missing)])


def _is_reported(run: Run) -> bool:
    report, selection = run.directory / "summary.md", run.directory / "selection.json"
    if not (report.exists() and selection.exists()):
        return False
    return report.stat().st_mtime_ns >= selection.stat().st_mtime_ns
