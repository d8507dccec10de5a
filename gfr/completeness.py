"""How far has a run come, by its files alone?

In: a Run. Out: one sentence for each thing that is not there; none if the run is complete. For when
Prefect, which was to say it, is gone, or never knew. Pure but for the existence of the report.
"""

from gfr.results import Run


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
    return f"{'; '.join(lacking)}; go on with it: {run.record.goes_on}" if lacking else ""


def _is_reported(run: Run) -> bool:
    report, selection = run.directory / "summary.md", run.directory / "selection.json"
    if not (report.exists() and selection.exists()):
        return False
    return report.stat().st_mtime_ns >= selection.stat().st_mtime_ns
