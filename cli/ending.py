"""The last words of a run: the table, where the report is, what to do next.

In: a finished Run. Out: text. Writes nothing.
"""

import os
from pathlib import Path

from gfr import plain, publish, table, verdict
from gfr.results import Run


def text(run: Run) -> str:
    """Everything on standard output after `gfr run`."""
    page = publish.page(run)
    known = [line for line, _ in verdict.headlines(run.verdict)]
    words = [*known, f"report: {_here(page.with_suffix('.html'))}, {_here(page)}", *_next(run)]
    return "\n".join([plain.lines(table.text(run)), *map(plain.line, words)])


def _next(run: Run) -> list[str]:
    """Only what would make this very run say more."""
    record = run.record
    lines = []
    if run.failures:
        lines.append(f"next: mend the failed trials and go on with --run-id {record.run_id}")
    if record.data.source == "synthetic":
        lines.append("next: real faces: gfr run full --data DIR, with CelebA under DIR")
    if any(row.source == "random" for row in record.weights):
        lines.append("next: ImageNet weights: --weights DIR, with Keras' files there, or online")
    if run.selection:
        lines.append("next: the selected model on a photograph: gfr predict photo.jpg")
    if run.export:
        lines.append(f"next: the selected model in your browser: gfr serve {record.run_id}")
    return lines


def _here(path: Path) -> str:
    """Relative to where the user is, if it is below."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
