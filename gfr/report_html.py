"""The page as one HTML file, to be opened by double-click: `summary.html`.

In: a Run, its Analysis, the Markdown page of the same run (gfr/report.py), thumbnails, figures that
are pictures. Out: HTML that asks nobody for anything: style, script, charts and pictures are in it,
and a Content-Security-Policy forbids all else. Prose and tables are those of the Markdown; beyond
it: charts, every subgroup, every trial's images. Pure but for the style and the script beside this
file; imports no TensorFlow.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from pathlib import Path

from gfr import markup, report_charts, report_curves, report_evidence, report_pictures
from gfr.analysis import Analysis
from gfr.results.records import Run

_HERE = Path(__file__).parent

_LEARNING, _IMAGES = "Over- and underfitting", "Images"

# What follows the text of a section, by how its heading begins.
_CHARTS: dict[str, Callable[[Run, Analysis], str]] = {
    "As good as ": report_charts.against,
    "Kinds of errors": report_curves.errors,
    "Subgroups of ": report_charts.gaps,
    "Seeds, splits": report_charts.repetitions,
    _LEARNING: report_curves.learning,
}
_SCATTER = "accuracy-latency.png"
_FILES = ("results.csv", "results.parquet", "summary.md", "summary.json")


def render(
    run: Run,
    analysis: Analysis,
    page: str,
    thumbnails: Mapping[str, str],
    figures: Mapping[str, str],
    folder: str,
) -> str:
    """The whole file.

    `page`: the Markdown; `thumbnails`: data URIs by image name; `figures`: data URIs of those
    pictures of the Markdown page that are not drawn here, by file name; `folder`: of the run's
    files, as the page refers to it, empty or ending in `/`.
    """
    (title, verdict), *sections = markup.sections(page)
    image = partial(_image, run, figures)
    parts = [
        (heading, html)
        for section in sections
        for heading, html in _section(run, analysis, *section, image, thumbnails)
    ]
    contents = "".join(
        f'<li><a href="#{markup.slug(name)}">{markup.inline(name)}</a></li>' for name, _ in parts
    )
    body = "".join(
        f'<section id="{markup.slug(name)}"><h2>{markup.inline(name)}</h2>\n{html}</section>\n'
        for name, html in parts
    )
    files = ", ".join(f'<a href="{escape(folder + name)}">{name}</a>' for name in _FILES)
    return (
        _head(title, report_pictures.style(thumbnails))
        + f'<header id="verdict"><h1>{markup.inline(title)}</h1>\n'
        f"{markup.blocks(verdict, image)}</header>\n"
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>{body}</main>\n'
        f"<footer><p>The same for scripts: {files}.</p></footer>\n"
        f'<div id="tip" role="status" hidden></div>\n<script>{_asset("report.js")}</script>\n'
        "</body>\n</html>\n"
    )


def pictures(run: Run, page: str) -> list[str]:
    """File names of those figures of the Markdown page that are not drawn here as charts."""
    own = {f"{row.trial.id}-{kind}.png" for row in run.trials for kind in ("curves", "confusion")}
    found = [Path(address).name for address in markup.images(page)]
    return [name for name in dict.fromkeys(found) if name not in own | {_SCATTER}]


def _section(
    run: Run,
    analysis: Analysis,
    heading: str,
    body: str,
    image: markup.Image,
    thumbnails: Mapping[str, str],
) -> list[tuple[str, str]]:
    """A section of the Markdown as one, none or two of the page."""
    if heading == _IMAGES or heading in {row.trial.title for row in run.trials}:
        return []  # the cards and the galleries tell it
    if heading.startswith("Subgroups of "):
        every = report_evidence.subgroups(run, analysis, num_gaps=None)
        body = every.partition("\n\n")[2]
    drawn = next((draw for name, draw in _CHARTS.items() if heading.startswith(name)), None)
    parts = [(heading, markup.blocks(body, image) + (drawn(run, analysis) if drawn else ""))]
    if heading == _LEARNING:  # of every run that has a trial
        parts += [
            ("Confusion matrices", report_pictures.confusion(run, analysis)),
            (_IMAGES, report_pictures.gallery(run, analysis, thumbnails)),
        ]
    return parts


def _image(run: Run, figures: Mapping[str, str], description: str, address: str) -> str:
    """The chart in place of a picture of the Markdown page, or that picture."""
    name = Path(address).name
    if name == _SCATTER:
        return report_charts.scatter(run)
    if name not in figures:
        return ""
    picture = f'<img src="{escape(figures[name])}" alt="{escape(description)}">'
    return f"<figure><figcaption>{escape(description)}</figcaption>{picture}</figure>"


def _head(title: str, pictures: str) -> str:
    style, script = _asset("report.css") + pictures, _asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" '
        f'content="no-referrer">\n<link rel="icon" href="data:,">\n<title>{escape(title)}</title>'
        f"\n<style>{style}</style>\n</head>\n<body>\n"
    )


def _digest(text: str) -> str:
    """Of an inline style or script, as the policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return (_HERE / name).read_text("utf-8")
