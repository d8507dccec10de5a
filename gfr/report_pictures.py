"""What the page shows of single trials: confusion matrices, and the images that are got wrong.

In: a Run, its Analysis, thumbnails by name. Out: HTML. Every number follows from the records, and
every word that comes from data is escaped. Pure: reads no file, imports no TensorFlow.
"""

from collections.abc import Mapping, Sequence
from html import escape

from gfr import report_details, report_evidence
from gfr.analysis import Analysis, Face, Study
from gfr.data.sources import SOURCES
from gfr.evaluation.metrics import THRESHOLD, Metrics
from gfr.markup import blocks
from gfr.results.records import Run, TrialResult

GONE = "image not at hand"


def shown(analysis: Analysis) -> list[str]:
    """Names of all images of the galleries, each once."""
    every = [*analysis.hard]
    for study in analysis.studies.values():
        every += [*study.mistakes, *study.doubtful]
    return list(dict.fromkeys(face.name for face in every))


def classes(names: Sequence[str]) -> dict[str, str]:
    """A class of the style sheet for each image, so that it stands in the page once."""
    return {name: f"i{number}" for number, name in enumerate(names)}


def style(thumbnails: Mapping[str, str]) -> str:
    """The pictures as a style sheet."""
    named = classes(list(thumbnails))
    return "".join(
        f'.{named[name]}{{background-image:url("{uri}")}}' for name, uri in thumbnails.items()
    )


def confusion(run: Run, analysis: Analysis) -> str:
    """A card for each trial: counts and rates on the test set, and the three splits."""
    cards = "".join(_card(row, analysis.studies[row.trial.id]) for row in run.trials)
    return f'<p>Test set; rows are labels, columns answers.</p><div class="charts">{cards}</div>'


def _card(result: TrialResult, study: Study) -> str:
    _, *parts = report_details.trial(result, "").split("\n\n")  # its heading is the card's
    told = blocks("\n\n".join(parts))
    return (
        f'<section class="card"><h3>{escape(result.trial.title)}</h3>'
        f"{matrix(result.metrics['test'])}{told}"
        f"<p>Thresholds: {escape(report_evidence.thresholds(study))}.</p></section>"
    )


def matrix(found: Metrics) -> str:
    """Counts, and each as a share of its true class; the darker, the larger."""
    rows = []
    for label, counts in (
        ("female", (found.female_as_female, found.female_as_male)),
        ("male", (found.male_as_female, found.male_as_male)),
    ):
        cells = "".join(_cell(count, sum(counts)) for count in counts)
        rows.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
    head = '<tr><td></td><th scope="col">answer female</th><th scope="col">answer male</th></tr>'
    return f'<table class="matrix"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'


def _cell(count: int, num_images: int) -> str:
    share = count / max(1, num_images)
    return f'<td class="share{round(10 * share)}"><b>{count:,}</b><br>{share:.1%}</td>'


def gallery(run: Run, analysis: Analysis, thumbnails: Mapping[str, str]) -> str:
    """The hard images, then the surest mistakes and the most doubtful images of each trial."""
    num_trials, named = len(analysis.voters), classes(list(thumbnails))
    chosen = run.selection.trial_id if run.selection else None
    lost = len(set(shown(analysis)) - set(thumbnails))
    note = SOURCES[run.record.data.source].label_note
    parts = [f"<p>{note}. p_male above {THRESHOLD:g} answers male.</p>"]
    if lost:
        parts.append(
            f"<p>{lost} of these images are not at hand: gone, or changed since the run.</p>"
        )
    parts.append(f"<h3>{escape(report_evidence.wrong_by_most(analysis))}</h3>")
    parts.append(_faces(analysis.hard, num_trials, "mean p_male", named))
    for study in sorted(analysis.studies.values(), key=lambda row: row.trial_id != chosen):
        is_open = " open" if study.trial_id == chosen else ""
        title = escape(report_evidence.title(run, study.trial_id))
        parts.append(
            f"<details{is_open}><summary>{title}</summary><h4>Surest mistakes</h4>"
            f"{_faces(study.mistakes, num_trials, 'p_male', named)}<h4>Most doubtful</h4>"
            f"{_faces(study.doubtful, num_trials, 'p_male', named)}</details>"
        )
    return "\n".join(parts)


def _faces(faces: Sequence[Face], num_trials: int, name: str, named: Mapping[str, str]) -> str:
    if not faces:
        return "<p>None.</p>"
    items = "".join(_face(face, num_trials, name, named.get(face.name)) for face in faces)
    return f'<ul class="gallery">{items}</ul>'


def _face(face: Face, num_trials: int, name: str, kind: str | None) -> str:
    label = "male" if face.is_male else "female"
    picture = (
        f'<span class="face {kind}" role="img" aria-label="{escape(face.name)}"></span>'
        if kind
        else f'<span class="face gone">{GONE}</span>'
    )
    return (
        f"<li>{picture}<span>{escape(face.name)}</span><span>label <b>{label}</b></span>"
        f"<span>{name} {face.p_male:.3f}</span>"
        f"<span>{face.num_wrong} of {num_trials} wrong</span></li>"
    )
