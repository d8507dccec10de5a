"""The report of a small finished run: figures, Markdown, JSON."""

import io

import numpy as np
import records
from matplotlib.figure import Figure

from gfr.report import writer


def test_report(measure, tmp_path):
    """Render a report from its records again, as `gfr report` does."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    records.write(run)
    measure(lambda: writer.write_report(run.directory), draw, num_warmups=1, num_rounds=8)


def draw() -> None:
    """A few curves by matplotlib alone, as a report has them."""
    x = np.linspace(0.0, 1.0, 50)
    for number in range(4):
        figure = Figure(figsize=(6, 4))
        axes = figure.subplots(1, 2)
        for row in axes:
            row.plot(x, x**number, label=f"curve {number}")
            row.legend()
        figure.savefig(io.BytesIO(), dpi=100)
