"""summary.html: the report as one self-contained HTML file.

Style, script, charts and pictures are in the file, and a Content-Security-Policy forbids everything
else. The templates in assets/ escape all text; where one says `safe`, it inserts SVG (gfr/report/
svg.py), the style and script of assets/, or HTML of Markdown that does not let HTML through.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence

from markdown_it import MarkdownIt

from gfr import templates
from gfr.report.figures import asset
from gfr.report.section import Block, Chart, Html, Section, Table

# Without links and images: the page refers to nothing outside.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(
    ["link", "image", "autolink", "reference"]
)


def document(
    title: str, sections: Sequence[Section], thumbnails: Mapping[str, str], folder: str
) -> str:
    """Return summary.html; the first section is its header.

    `thumbnails` are data URIs by image name; `folder` is where the page finds the run's files,
    empty or ending in `/`.
    """
    # Each picture is in the page once, as the background of a class.
    pictures = [
        f'.i{number}{{background-image:url("{uri}")}}'
        for number, uri in enumerate(thumbnails.values())
    ]
    return _render(
        "page",
        title=title,
        sections=sections,
        folder=folder,
        style="".join([asset("charts.css"), asset("report.css"), *pictures]),
        script=asset("report.js"),
        digest=_digest,
        block=block,
    )


def _digest(text: str) -> str:
    """Return the digest of an inline style or script for the policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def block(content: Block) -> str:
    """Return a part of a section as HTML."""
    match content:
        case Table():
            return _render("table", table=content, inline=_MARKDOWN.renderInline)
        case Chart():
            return _render("chart", chart=content)
        case Html(template, values):
            return _render(template, **values)
    return _MARKDOWN.render(content)


def _render(name: str, **values: object) -> str:
    return templates.render(f"report/assets/{name}.html.j2", **values)
