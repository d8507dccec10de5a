"""`gfr report`."""

import sys

from cli import options
from gfr import text
from gfr.storage import run_directory


def report(run_id: options.Run = None, reports: options.Reports = None) -> None:
    """Render the report of a run again from its records. Takes seconds, needs no TensorFlow."""
    from gfr.report import writer
    from gfr.results import status, store

    run_dir = run_directory.find(reports, run_id)
    page = writer.write_report(run_dir)
    if advice := status.advice(store.read_run(run_dir)):
        print(f"gfr: {text.line(f'{run_dir.name}: {advice}')}", file=sys.stderr)
    print(page.with_suffix(".html"), page, sep="\n")
