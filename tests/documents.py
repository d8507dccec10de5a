"""What the documents show as code: blocks, and the words in backquotes of their sentences."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from gfr.storage.paths import ROOT

_FENCED = re.compile(r"^ *(```+)(\w*)[^\n]*\n(.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)((?: {4,}\S[^\n]*\n(?:\n(?= {4,}\S))?)+)")
_BACKQUOTED = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Code:
    """`text` without common indentation; `kind` is what a fence says, or "indented", "inline"."""

    document: str
    number: int  # of its first line
    kind: str
    text: str

    @property
    def place(self) -> str:
        """Where to look."""
        return f"{self.document}:{self.number}"


def paths() -> list[Path]:
    """Every document; the logs tell what was typed once, the example is a report."""
    found = [*ROOT.glob("*.md"), ROOT / "reports" / "README.md", *(ROOT / "docs").glob("*.md")]
    return sorted(path for path in found if path.name not in ("LOG.md", "CHANGELOG.md"))


def codes(path: Path) -> list[Code]:
    """All code of a document, in no particular order."""
    found: list[Code] = []

    def take(kind: str, match: re.Match[str], text: str) -> str:
        number = match.string.count("\n", 0, match.start()) + 1
        found.append(Code(str(path.relative_to(ROOT)), number, kind, textwrap.dedent(text)))
        return "\n" * match[0].count("\n")

    text = path.read_text("utf-8") + "\n"
    text = _FENCED.sub(lambda match: take(match[2], match, match[3]), text)
    text = _INDENTED.sub(lambda match: take("indented", match, match[1]), text)
    _BACKQUOTED.sub(lambda match: take("inline", match, " ".join(match[1].split())), text)
    return found
