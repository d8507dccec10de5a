"""summary.md, and text from outside as Markdown that shows it and nothing else.

Names, reasons and everything else that a file, a machine or a library supplies enter Markdown
through `text`, or in backticks through `code`.
"""

import re
from collections.abc import Sequence

from tabulate import tabulate

from gfr import text as gfr_text
from gfr.report.section import Block, Chart, Section, Table

# Characters that start markup, as entities: every Markdown reader decodes them.
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", **{sign: f"&#{ord(sign)};" for sign in "|`*\\"}}
)
# A heading, quotation, list or definition; `1.` is a list before a space alone, `1.jpg` is not.
_BLOCK = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[#>+=~:\[-]))(.)")
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word is none


def text(words: object) -> str:
    """Return words from outside as one line of Markdown without markup."""
    safe = gfr_text.line(str(words)).strip().translate(_ENTITIES).replace("](", "]&#40;")
    safe = _EMPHASIS.sub("&#95;", safe)
    return _BLOCK.sub(lambda match: f"{match[1]}&#{ord(match[2])};", safe)


def code(words: object) -> str:
    """Return words from outside in backticks, with similar signs for ` and |."""
    return f"`{gfr_text.line(str(words)).replace('`', chr(0x2BB)).replace('|', chr(0xA6))}`"


def table(content: Table) -> str:
    """Return a table whose cells are Markdown already."""
    aligned = ["right" if is_number else "left" for is_number in content.is_numeric]
    return tabulate(
        *(content.rows, content.header), tablefmt="pipe", disable_numparse=True, colalign=aligned
    )


def bullets(lines: Sequence[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def document(title: str, sections: Sequence[Section], figures: str) -> str:
    """Return summary.md; `figures` is the folder of the charts as the file refers to it."""
    parts = [f"# {title}"]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [_block(block, figures) for block in section.blocks]
    return "\n\n".join(filter(None, parts)) + "\n"


def _block(block: Block, figures: str) -> str:
    match block:
        case Table():
            return (f"**{block.title}**\n\n" if block.title else "") + table(block)
        case Chart(drawn, name, title) if drawn and name:
            return f"![{title}]({figures}/{name}.svg)"
        case str():
            return block
    return ""
