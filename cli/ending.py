"""The last words of a run: the table, where the report is, what it took, what to do next.

In: a finished Run. Out: text. Writes nothing.
"""

from datetime import UTC, datetime

from cli.places import command, here
from gfr import text as gfr_text
from gfr.report import console, writer
from gfr.results import costs, regression_records
from gfr.results.records import Run


def text(run: Run, benchmark: str) -> str:
    """Everything on standard output after `gfr run benchmark`."""
    page = writer.page_of(run)
    known = [line for line, _ in regression_records.headlines(run.verdict)]
    report = f"report: {here(page.with_suffix('.html'))}, {here(page)}"
    words = [*known, _took(run), report, *_next(run, benchmark)]
    return "\n".join([gfr_text.lines(console.text(run)), *map(gfr_text.line, words)])


def _took(run: Run) -> str:
    """Each kind of stage, and when the run was begun: it may have lain still for days since."""
    since = datetime.now(UTC) - datetime.fromisoformat(run.record.created_utc)
    stages = {kind: sum(cost.wall_s for _, cost in rows) for kind, rows in costs.costs(run).items()}
    if run.export:
        stages["Export"] = run.export.wall_s
    told = ", ".join(
        f"{kind.split(' (')[0].lower()} {_duration(time_s)}" for kind, time_s in stages.items()
    )
    return f"time: {told}; begun {_duration(since.total_seconds())} ago"


def _duration(time_s: float) -> str:
    minutes, seconds = divmod(max(0, round(time_s)), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _next(run: Run, benchmark: str) -> list[str]:
    """Only what would make this very run say more."""
    record, reports = run.record, run.directory.parents[1]
    lines = []
    if run.failures:
        lines.append(f"next: mend the failed trials and go on with --run-id {record.run_id}")
    if record.data.source == "synthetic":
        line = command("run", benchmark, "--data", "DIR")
        lines.append(f"next: real faces: {line}, with CelebA under DIR")
    if any(row.source == "random" for row in record.weights):
        lines.append("next: ImageNet weights: --weights DIR, with Keras' files there, or online")
    if run.selection:
        line = command("predict", "photo.jpg", "--run", record.run_id, reports=reports)
        lines.append(f"next: the selected model on a photograph: {line}")
    if run.export:
        line = command("serve", record.run_id, reports=reports)
        lines.append(f"next: the selected model in your browser: {line}")
    return lines
