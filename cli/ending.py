"""The last words of a run: the table, where the report is, what to do next.

In: a finished Run. Out: text. Writes nothing.
"""

from cli.places import command, here
from gfr import plain, publish, table, verdict
from gfr.results import Run


def text(run: Run) -> str:
    """Everything on standard output after `gfr run`."""
    page = publish.page(run)
    known = [line for line, _ in verdict.headlines(run.verdict)]
    words = [*known, f"report: {here(page.with_suffix('.html'))}, {here(page)}", *_next(run)]
    return "\n".join([plain.lines(table.text(run)), *map(plain.line, words)])


def _next(run: Run) -> list[str]:
    """Only what would make this very run say more."""
    record, reports = run.record, run.directory.parents[1]
    lines = []
    if run.failures:
        lines.append(f"next: mend the failed trials and go on with --run-id {record.run_id}")
    if record.data.source == "synthetic":
        line = command("run", "full", "--data", "DIR")
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
