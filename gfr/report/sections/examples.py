"""Examples: test images that trials misclassify or are uncertain about."""

from collections.abc import Sequence
from html import escape

from gfr.data.layouts import SOURCES
from gfr.evaluation.metrics import THRESHOLD
from gfr.report import markdown
from gfr.report.analysis import NUM_HARD, Analysis, Face
from gfr.report.formatting import title
from gfr.report.section import Block, Html, Report, Section, Table

MISSING = "image not available"


def section(report: Report) -> Section | None:
    """Return names and probabilities in summary.md, pictures of every trial on the page."""
    run, analysis = report.run, report.analysis
    if not analysis.studies:
        return None
    blocks: list[Block] = []
    if run.selection:
        study, name = analysis.studies[run.selection.trial_id], title(run, run.selection.trial_id)
        num_trials = len(analysis.voters)
        blocks = [
            f"{_hard(analysis)}. Their labels are worth checking.",
            _table(analysis.hard, num_trials, "Mean p_male"),
            f"Most confident errors of {name}:",
            _table(study.mistakes, num_trials, "p_male"),
            f"Images that {name} is least certain about (p_male closest to 0.5):",
            _table(study.doubtful, num_trials, "p_male"),
        ]
    blocks.append(
        "summary.html also shows the images for every trial; `gfr serve` and `gfr export "
        "--site` do not publish it."
    )
    return Section("examples", "Examples", blocks, [Html(_gallery(report))])


def _hard(analysis: Analysis) -> str:
    is_all = len(analysis.voters) == len(analysis.studies)
    which = "trials" if is_all else "trials without random weights"
    return (
        f"Misclassified by most of the {len(analysis.voters)} {which}, worst first, at most "
        f"{NUM_HARD}"
    )


def _table(faces: Sequence[Face], num_trials: int, header: str) -> Table | str:
    if not faces:
        return "None."
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


def _gallery(report: Report) -> str:
    """Return the hard images, then each trial's most confident errors and least certain images."""
    run, analysis = report.run, report.analysis
    num_missing = len(set(analysis.shown) - set(report.thumbnails))
    missing = f"{num_missing} of these images are not available: missing, or changed since the run."
    parts = [
        f"<p>{SOURCES[run.record.data.source].label_note}. "
        f"p_male above {THRESHOLD:g} means male.</p>",
        f"<p>{missing}</p>" if num_missing else "",
        f"<h3>{escape(_hard(analysis))}</h3>",
        _faces(report, analysis.hard, "mean p_male"),
    ]
    for study in report.selected_first:
        is_selected = run.selection and study.trial_id == run.selection.trial_id
        is_open = " open" if is_selected else ""
        parts.append(
            f"<details{is_open}><summary>{escape(title(run, study.trial_id))}</summary>"
            f"<h4>Most confident errors</h4>{_faces(report, study.mistakes)}"
            f"<h4>Least certain</h4>{_faces(report, study.doubtful)}</details>"
        )
    return "\n".join(parts)


def _faces(report: Report, faces: Sequence[Face], name: str = "p_male") -> str:
    if not faces:
        return "<p>None.</p>"
    items = "".join(_face(report, face, name) for face in faces)
    return f'<ul class="gallery">{items}</ul>'


def _face(report: Report, face: Face, name: str) -> str:
    file, picture = escape(face.name), f'<span class="face gone">{MISSING}</span>'
    if face.name in report.thumbnails:
        number = list(report.thumbnails).index(face.name)  # its class: gfr.report.html.style
        picture = f'<span class="face i{number}" role="img" aria-label="{file}"></span>'
    return (
        f"<li>{picture}<span>{file}</span><span>label <b>{face.label}</b></span>"
        f"<span>{name} {face.p_male:.3f}</span>"
        f"<span>{face.num_wrong} of {len(report.analysis.voters)} wrong</span></li>"
    )
