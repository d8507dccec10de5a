"""Examples: test images that trials misclassify or are uncertain about."""

from collections.abc import Sequence
from functools import partial

from gfr.data.layouts import SOURCES
from gfr.evaluation.metrics import THRESHOLD
from gfr.report import markdown
from gfr.report.analysis import NUM_HARD, Face
from gfr.report.formatting import title
from gfr.report.section import Block, Html, Report, Section, Table


def section(report: Report) -> Section | None:
    """Return names and probabilities in summary.md, pictures of every trial on the page."""
    run, analysis = report.run, report.analysis
    if not analysis.studies:
        return None
    blocks: list[Block] = []
    num_trials = len(analysis.voters)
    which = "trials" if num_trials == len(analysis.studies) else "trials without random weights"
    hard = f"Misclassified by most of the {num_trials} {which}, worst first, at most {NUM_HARD}"
    if not analysis.hard:
        hard = f"No image was misclassified by most of the {num_trials} {which}."
    if run.selection:
        study, name = analysis.studies[run.selection.trial_id], title(run, run.selection.trial_id)
        blocks = [
            f"{hard}. Their labels are worth checking." if analysis.hard else hard,
            _table(analysis.hard, num_trials, "Mean p_male"),
            f"Most confident errors of {name}:" if study.mistakes else f"{name} makes no errors.",
            _table(study.mistakes, num_trials, "p_male"),
            f"Images that {name} is least certain about (p_male closest to 0.5):",
            _table(study.doubtful, num_trials, "p_male"),
        ]
    blocks.append(
        "summary.html also shows these images, for every trial. `gfr serve` and `gfr export "
        "--site` do not publish that file."
    )
    gallery = {
        "report": report,
        "note": SOURCES[run.record.data.source].label_note,
        "threshold": THRESHOLD,
        "num_missing": len(set(analysis.shown) - set(report.thumbnails)),
        "hard": hard,
        "title": partial(title, run),
        "selected": run.selection.trial_id if run.selection else None,
    }
    return Section("examples", "Examples", blocks, [Html("gallery", gallery)])


def _table(faces: Sequence[Face], num_trials: int, header: str) -> Table | str:
    if not faces:
        return ""
    rows = [
        {
            "Image": markdown.text(face.name),
            "Label": face.label,
            header: f"{face.p_male:.3f}",
            "Trials that misclassify it": f"{face.num_wrong} of {num_trials}",
        }
        for face in faces
    ]
    return Table.of(rows)
