"""The report on disk: figures, pages, facts and tables beside the records they come from.

In: a run directory. Out: `runs/<run_id>/summary.md`, `.html`, `.json`, `results.csv`, `.parquet`
and `figures/`, and, for the newest finished run of the benchmark named `full`,
`reports/summary.md` and `.html`. A pure function of the run directory, and of the test images for
the thumbnails of summary.html, so that it can be rendered again at any time. Never measures,
imports no TensorFlow.
"""

import base64
import logging
from pathlib import Path

from matplotlib.figure import Figure

from gfr import (
    figures,
    published,
    report,
    report_html,
    report_pictures,
    results_table,
    summary,
    thumbnails,
    trends,
)
from gfr.analysis import Analysis, analyse
from gfr.data import records
from gfr.data.dataset import Faces
from gfr.errors import BadInput
from gfr.results import records as results_records
from gfr.results import store
from gfr.storage import atomic, paths, run_directory, serialization

FULL = "full"  # the benchmark whose newest finished run is reports/summary.md
_DPI = 150

LOG = logging.getLogger("gfr")


def write_report(run_dir: str) -> str:
    """Render everything that a run's records say; returns the path of summary.md."""
    directory = Path(run_dir)
    run = store.read_run(directory)
    faces, splits = records.read_table(directory / "faces.csv", run.record.data, run.record.split)
    analysis = analyse(run, faces, splits)
    known = published.load(paths.ROOT / "benchmarks" / "published.toml")
    if run.latencies:
        _save(directory, "accuracy-latency", figures.accuracy_against_latency(run))
    if run.verdict and len(run.verdict.runs) > 1:
        _save(directory, "trend", trends.over_the_runs(run.verdict))
    for result in run.trials:
        _save(directory, f"{result.trial.id}-curves", figures.learning_curves(result))
        _save(directory, f"{result.trial.id}-confusion", figures.confusion_matrix(result))
    results_table.write(directory, results_table.frame(run, analysis))
    text = report.render(run, analysis, known, "figures")
    _write_html(run, analysis, faces, text)
    # A newer summary.md says that all is there (gfr/results/status.py).
    atomic.write_text(directory / "summary.md", text)
    atomic.write_json(directory / "summary.json", summary.facts(run, analysis, known))
    path = page(run)
    if path.parent != directory:
        atomic.write_text(
            path, report.render(run, analysis, known, f"runs/{directory.name}/figures")
        )
    return str(path)


def _write_html(run: results_records.Run, analysis: Analysis, faces: Faces, text: str) -> None:
    """summary.html wherever summary.md is."""
    small = thumbnails.of(faces, report_pictures.shown(analysis))
    drawn = {
        name: "data:image/png;base64,"
        + base64.b64encode((run.directory / "figures" / name).read_bytes()).decode()
        for name in report_html.pictures(run, text)
    }
    for place in dict.fromkeys((run.directory, page(run).parent)):
        folder = "" if place == run.directory else f"runs/{run.directory.name}/"
        html = report_html.render(run, analysis, text, small, drawn, folder)
        atomic.write_text(place / "summary.html", html)


def page(run: results_records.Run) -> Path:
    """The page to read: `reports/summary.md` for the newest finished `full`, else the run's."""
    reports = run.directory.parents[1]
    return (reports if _is_newest_full(reports, run) else run.directory) / "summary.md"


def _save(directory: Path, name: str, figure: Figure) -> None:
    path = directory / "figures" / f"{name}.png"
    # Without metadata: the same records give the same bytes.
    atomic.write(path, lambda file: figure.savefig(file, dpi=_DPI, metadata={"Software": None}))


def _is_newest_full(reports: Path, run: results_records.Run) -> bool:
    if run.record.benchmark.name != FULL or run.selection is None:
        return False
    finished = [
        path for path in run_directory.existing(reports) if (path / "selection.json").exists()
    ]
    return all(
        run.record.created_utc >= other.created_utc
        for other in filter(None, map(_record, finished))
        if other.benchmark.name == FULL
    )


def _record(directory: Path) -> results_records.RunRecord | None:
    """The record of another run; None if it is damaged, which must not cost this one its page."""
    try:
        return serialization.read(directory / "run.json", results_records.RunRecord)
    except BadInput as error:
        LOG.warning("left out: %s", error)
        return None
