"""summary.html: the report as one self-contained HTML file.

Style, script, charts and pictures are in the file, and a Content-Security-Policy forbids everything
else. All text is escaped or comes from Markdown that does not let HTML through.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape

from markdown_it import MarkdownIt

from gfr.report import figures
from gfr.report.figures import asset
from gfr.report.section import Block, Chart, Html, Section, Table

# Without links and images: the page refers to nothing outside.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(
    ["link", "image", "autolink", "reference"]
)
_FILES = ("results.csv", "results.parquet", "summary.md", "summary.json")


def document(
    title: str, sections: Sequence[Section], thumbnails: Mapping[str, str], folder: str
) -> str:
    """Return summary.html; the first section is its header.

    `thumbnails` are data URIs by image name; `folder` is where the page finds the run's files,
    empty or ending in `/`.
    """
    first, *others = sections
    contents = "".join(
        f'<li><a href="#{section.id}">{escape(section.title)}</a></li>' for section in others
    )
    body = "".join(
        f'<section id="{section.id}"><h2>{escape(section.title)}</h2>\n{_blocks(section)}'
        "</section>\n"
        for section in others
    )
    files = ", ".join(f'<a href="{escape(folder + name)}">{name}</a>' for name in _FILES)
    return (
        f"{_head(title, style(thumbnails))}"
        f'<header id="{first.id}"><h1>{escape(title)}</h1>\n{_blocks(first)}</header>\n'
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>{body}</main>\n'
        f"<footer><p>For scripts: {files}.</p></footer>\n"
        f'<div id="tip" role="status" hidden></div>\n<script>{asset("report.js")}</script>\n'
        "</body>\n</html>\n"
    )


def _head(title: str, pictures: str) -> str:
    css, script = asset("charts.css") + asset("report.css") + pictures, asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(css)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" '
        f'content="no-referrer">\n<link rel="icon" href="data:,">\n<title>{escape(title)}</title>'
        f"\n<style>{css}</style>\n</head>\n<body>\n"
    )


def _digest(text: str) -> str:
    """Return the digest of an inline style or script for the policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def style(thumbnails: Mapping[str, str]) -> str:
    """Return the thumbnails as a style sheet, so that each is in the page once."""
    return "".join(
        f'.i{number}{{background-image:url("{uri}")}}'
        for number, uri in enumerate(thumbnails.values())
    )


def _blocks(section: Section) -> str:
    return "\n".join(map(_block, section.blocks if section.page is None else section.page))


def _block(block: Block) -> str:
    match block:
        case Table(title=title):
            drawn = table(block)
            return f"<details><summary>{title}</summary>{drawn}</details>" if title else drawn
        case Chart(drawn, layout=layout):
            parts = "".join(map(figures.html, drawn))
            return f'<div class="charts {layout}">{parts}</div>' if layout and parts else parts
        case Html(text):
            return text
    return rendered(block)


def rendered(markdown: str) -> str:
    """Return Markdown as HTML."""
    return _MARKDOWN.render(markdown)


def inline(markdown: str) -> str:
    """Return a line of Markdown as HTML."""
    return _MARKDOWN.renderInline(markdown)


def table(content: Table) -> str:
    """Return a sortable table with right-aligned numbers."""
    kinds = [' class="number"' if is_number else "" for is_number in content.is_numeric]
    head = ""
    for name, kind in zip(content.header, kinds, strict=True):
        cell, order = inline(name), ""
        if len(content.rows) > 1 and name:
            cell, order = f'<button type="button">{cell}</button>', ' aria-sort="none"'
        head += f'<th scope="col"{kind}{order}>{cell}</th>'
    body = "".join(f"<tr>{_row(row, kinds)}</tr>" for row in content.rows)
    head = f"<thead><tr>{head}</tr></thead>" if any(content.header) else ""
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def _row(row: Sequence[str], kinds: Sequence[str]) -> str:
    cells = [f"<td{kind}>{inline(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)]
    return "".join([f'<th scope="row">{inline(row[0])}</th>', *cells[1:]])
