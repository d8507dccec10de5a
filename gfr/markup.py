"""Our own narrow Markdown as HTML, and words from outside as Markdown.

In: Markdown as gfr/report.py writes it: headings, paragraphs, lists, tables, images on lines of
their own, **bold**, `code`. Out: HTML, in which everything else is text. Names, reasons and all
else that a file, a machine or a library brought come into Markdown through `text`, in backticks
through `code`. Never lets HTML through, knows no links, reads no file.
"""

import re
from collections.abc import Callable
from html import escape
from itertools import groupby

from gfr import text as gfr_text

_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]*)\)")
_NUMBER = re.compile(r"\W{0,3}\d")  # a value, a signed one, one in bold or in brackets
_RULE = re.compile(r"\|[-:| ]+\|")
_ENTITY = re.compile(r"&amp;(amp|lt|#\d+);")
# What begins markup: every reader of Markdown knows entities, and takes none for markup.
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", **{sign: f"&#{ord(sign)};" for sign in "|`*\\"}}
)
# A heading, quotation, list or definition; `1.` is a list before a space alone, `1.jpg` is not.
_BLOCK = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[#>+=~:\[-]))(.)")

# Of an image: its description and its address -> HTML in its place.
Image = Callable[[str, str], str]


def text(words: object) -> str:
    """Words from outside as one line of Markdown that shows them and is no markup."""
    safe = gfr_text.line(str(words)).strip().translate(_ENTITIES).replace("](", "]&#40;")
    return _BLOCK.sub(lambda found: f"{found[1]}&#{ord(found[2])};", safe)


def code(words: object) -> str:
    """Words from outside in backticks, where entities are none: other ticks stand for theirs."""
    return f"`{gfr_text.line(str(words)).replace('`', chr(0x2BB)).replace('|', chr(0xA6))}`"


def sections(text: str) -> list[tuple[str, str]]:
    """The page cut at its headings of the first two levels: heading and what follows, each."""
    parts = re.split(r"^##? (.*)$", text, flags=re.MULTILINE)[1:]
    return [
        (heading.strip(), body.strip())
        for heading, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def images(text: str) -> list[str]:
    """The addresses of all images of a page."""
    return [match[2] for line in text.splitlines() if (match := _IMAGE.fullmatch(line))]


def slug(heading: str) -> str:
    """A heading as an address within the page: `as-good-as-vgg16`."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"


def blocks(text: str, image: Image = lambda description, address: "") -> str:
    """Everything below a heading; an image becomes what `image` makes of it."""
    parts = []
    for kind, lines in groupby(text.splitlines(), _kind):
        found = list(lines)
        if kind == "table":
            parts.append(_table(found))
        elif kind == "list":
            items = "".join(f"<li>{inline(line[2:])}</li>" for line in found)
            parts.append(f"<ul>{items}</ul>")
        elif kind == "image":
            pairs = filter(None, map(_IMAGE.fullmatch, found))
            parts += [image(*match.groups()) for match in pairs]
        elif kind == "heading":
            parts += [f"<h3>{inline(line.lstrip('# '))}</h3>" for line in found]
        elif kind == "text":
            parts.append(f"<p>{inline(' '.join(found))}</p>")
    return "\n".join(parts)


def _kind(line: str) -> str:
    if not line.strip():
        return ""
    if line.startswith("|"):
        return "table"
    if line.startswith("- "):
        return "list"
    if _IMAGE.fullmatch(line):
        return "image"
    return "heading" if re.match("#{3,} ", line) else "text"


def inline(text: str) -> str:
    """Escaped, with **bold** and `code`, entities of `text` kept; nothing is bold within code."""
    parts = re.split("`([^`]+)`", text)
    for i, part in enumerate(parts):
        safe = escape(part)
        if i % 2:
            parts[i] = f"<code>{safe}</code>"
            continue
        safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe)
        parts[i] = _ENTITY.sub(r"&\1;", safe)
    return "".join(parts)


def _table(lines: list[str]) -> str:
    cells = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines]
    if len(lines) < 2 or not _RULE.fullmatch(lines[1].strip()):
        return table([""] * len(cells[0]), cells)
    return table(cells[0], cells[2:])


def table(header: list[str], rows: list[list[str]]) -> str:
    """Cells of Markdown -> a table in a container of its own, to be sorted by its columns.

    Columns of numbers stand to the right. Rows under a heading row of their own (`**VGG16**`) get
    its name in front, since sorting would take them away from it.
    """
    rows = _under_their_names(rows)
    numeric = [
        i > 0 and _is_numeric([row[i] for row in rows if i < len(row)]) for i in range(len(header))
    ]
    can_sort = len(rows) > 1
    head = "".join(
        _head_cell(name, is_number, can_sort)
        for name, is_number in zip(header, numeric, strict=True)
    )
    body = "".join(f"<tr>{_row(row, numeric)}</tr>" for row in rows)
    head = f"<thead><tr>{head}</tr></thead>" if any(header) else ""
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def _under_their_names(rows: list[list[str]]) -> list[list[str]]:
    """Without heading rows; `- Iteration 1` under `**VGG16** †` is `**VGG16** † iteration 1`."""
    found, name = [], ""
    for row in rows:
        if len(row) > 2 and not any(row[1:]):
            name = row[0]
        elif name and row[0].startswith("- "):
            rest = row[0][2:]
            found.append([f"{name} / {rest[0].lower()}{rest[1:]}", *row[1:]])
        else:
            found.append(row)
    return found


def _is_numeric(cells: list[str]) -> bool:
    told = [cell for cell in cells if cell not in ("", "-")]
    return bool(told) and all(_NUMBER.match(cell) for cell in told)


def _head_cell(name: str, is_number: bool, can_sort: bool) -> str:
    kind = ' class="number"' if is_number else ""
    if not (name and can_sort):
        return f'<th scope="col"{kind}>{inline(name)}</th>'
    return (
        f'<th scope="col"{kind} aria-sort="none"><button type="button">{inline(name)}</button></th>'
    )


def _row(row: list[str], numeric: list[bool]) -> str:
    first, *others = row
    cells = [f'<th scope="row">{inline(first)}</th>']
    for i, cell in enumerate(others, 1):
        kind = ' class="number"' if i < len(numeric) and numeric[i] else ""
        cells.append(f"<td{kind}>{inline(cell)}</td>")
    return "".join(cells)
