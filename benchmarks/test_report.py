"""The report of a small finished run: figures, Markdown, JSON."""

import records

from gfr import publish

NUM_WARMUPS, NUM_CALLS = 1, 8


def test_report(measure, tmp_path):
    """Rendered anew from its records, as `gfr report` does."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    records.write(run)
    measure(lambda: publish.write_report(str(run.directory)), NUM_WARMUPS, NUM_CALLS)
