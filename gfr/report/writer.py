"""The report on disk: charts, pages and tables beside the records that they come from.

A report depends on the run directory alone, and on the test images for the thumbnails of
summary.html, so it can be rendered again at any time. Does not import TensorFlow.
"""

import logging
from pathlib import Path

from gfr.data import records
from gfr.errors import InputError
from gfr.report import contents, html, markdown, metric_columns, published, summary_json, thumbnails
from gfr.report.analysis import analyse
from gfr.report.figures import standalone
from gfr.report.section import Chart, Report
from gfr.results import records as results_records
from gfr.results import store
from gfr.storage import atomic, run_directory, serialization
from gfr.storage.run_directory import RunDirectory

FULL = "full"  # the benchmark whose newest finished run is reports/summary.md

LOG = logging.getLogger("gfr")


def write_report(run_dir: Path) -> Path:
    """Render a run's report from its records; return the path of summary.md.

    Writes `summary.md`, `.html` and `.json`, `results.csv` and `.parquet` and `figures/` into the
    run's directory and, for the newest finished run of the benchmark `full`, `reports/summary.md`
    and `.html`.
    """
    files = RunDirectory(run_dir)
    run = store.read_run(run_dir)
    faces, splits = records.read_table(files.faces, run.record.data, run.record.split)
    analysis = analyse(run, faces, splits)
    small = thumbnails.of(faces, analysis.shown)
    report = Report(run, analysis, published.matching(run.record.data), small)
    parts = contents.of(report)
    for block in (block for section in parts for block in section.blocks):
        if isinstance(block, Chart) and block.name and block.figures:
            path = files.figures / f"{block.name}.svg"
            atomic.write_text(path, standalone(block.figures))
    metric_columns.write(run_dir, metric_columns.frame(run, report.analysis))
    atomic.write_json(files.summary_json, summary_json.summary(report))
    for old in files.figures.glob("*.png"):  # of versions that drew PNG files
        old.unlink()
    page = page_of(run)
    # The run's own summary.md comes last: a newer one says that all is there
    # (gfr/results/status.py).
    for place in dict.fromkeys((page.parent, run_dir)):
        folder = "" if place == run_dir else f"runs/{run_dir.name}/"
        text = html.document(report.title, parts, small, folder)
        atomic.write_text(place / "summary.html", text)
        text = markdown.document(report.title, parts, f"{folder}figures")
        atomic.write_text(place / "summary.md", text)
        store.mark_as_newer(place / "summary.md", files.selection)
    return page


def page_of(run: results_records.Run) -> Path:
    """Return `reports/summary.md` for the newest finished run of `full`, else the run's own."""
    reports = run.directory.parents[1]
    return (reports if _is_newest_full(reports, run) else run.directory) / "summary.md"


def _is_newest_full(reports: Path, run: results_records.Run) -> bool:
    if run.record.benchmark.name != FULL or run.selection is None:
        return False
    for directory in run_directory.finished(reports):
        try:
            other = serialization.read(directory / "run.json", results_records.RunRecord)
        except InputError as error:  # a damaged record of another run does not affect this one
            LOG.warning("left out: %s", error)
            continue
        if other.benchmark.name == FULL and other.created_utc > run.record.created_utc:
            return False
    return True
