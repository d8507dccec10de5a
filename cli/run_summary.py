"""What `gfr run` prints at its end: results, files, time taken and next steps."""

from collections.abc import Iterator
from datetime import UTC, datetime

from cli import paths
from gfr import text as gfr_text
from gfr.report import console, writer
from gfr.results import costs, regression_records, store
from gfr.results.records import Run
from gfr.storage.run_directory import RunDirectory


def text(run: Run, benchmark: str) -> str:
    """Everything on standard output after `gfr run benchmark`."""
    lines = [line for line, _ in regression_records.headlines(run.verdict)]
    lines.append(_time_taken(run))
    lines.append(_report(run))
    lines += [f"next: {step}" for step in _next_steps(run, benchmark)]
    return "\n".join([gfr_text.lines(console.text(run)), *map(gfr_text.line, lines)])


def json_text(run: Run) -> str:
    """Everything on standard output with --json; empty if no report was rendered."""
    path = RunDirectory(run.directory).summary_json
    return path.read_text("utf-8") if path.exists() else ""


def _report(run: Run) -> str:
    """The pages of the report, or how to render them if that has failed."""
    page, selection = writer.page_of(run), RunDirectory(run.directory).selection
    pages = [path for path in (page.with_suffix(".html"), page) if path.exists()]
    if not pages or (selection.exists() and not store.is_newer(pages[-1], selection)):
        line = paths.command("report", run.record.run_id, reports=run.directory.parents[1])
        return f"report: not rendered; try {line}"
    return f"report: {', '.join(map(paths.relative, pages))}"


def _time_taken(run: Run) -> str:
    """The time of each kind of stage, and since the start, which may be days for a resumed run."""
    since = datetime.now(UTC) - datetime.fromisoformat(run.record.created_utc)
    stages = {
        kind.partition(" (")[0].lower(): sum(cost.wall_s for cost in by_name.values())
        for kind, by_name in costs.costs(run).items()
    }
    if run.export:
        stages["export"] = run.export.wall_s
    times = ", ".join(f"{kind} {_duration(time_s)}" for kind, time_s in stages.items())
    return f"time: {times}; started {_duration(since.total_seconds())} ago"


def _duration(time_s: float) -> str:
    minutes, seconds = divmod(max(0, round(time_s)), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _next_steps(run: Run, benchmark: str) -> Iterator[str]:
    record, reports = run.record, run.directory.parents[1]
    if run.failures:
        yield f"fix the failed trials and resume with --run-id {record.run_id}"
    if record.data.source == "synthetic":
        line = paths.command("run", benchmark, "--data", "DIR")
        yield f"real faces: {line}, where DIR has CelebA"
    if any(row.source == "random" for row in record.weights):
        yield "ImageNet weights: --weights DIR, where DIR has Keras' files, or go online"
    if run.selection:
        line = paths.command("predict", "photo.jpg", "--run", record.run_id, reports=reports)
        yield f"classify a photograph with the selected model: {line}"
    if run.export:
        line = paths.command("serve", record.run_id, reports=reports)
        yield f"open the selected model in your browser: {line}"
