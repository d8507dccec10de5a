"""Words from outside as one harmless line: for terminals, logs and reasons in records.

In: text that a file, its name or a library brought. Out: the same text with what a terminal obeys
(escape sequences, line breaks, turned writing direction) written out as `\\x1b`. Never for HTML or
Markdown: gfr/report/markdown.py does that.
"""

import unicodedata

# Control, format (writing direction, joiners), surrogate, private use, unassigned; line breaks.
_OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def line(text: str) -> str:
    """Text without any character that is an order and not a sign; printable text stays itself."""
    if text.isprintable():
        return text
    return "".join(map(_sign, text))


def lines(text: str) -> str:
    """The same of several lines, which stay lines."""
    return "\n".join(map(line, text.split("\n")))


def counted(number: int, noun: str) -> str:
    """`1 trial`, `9 trials`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _sign(character: str) -> str:
    if unicodedata.category(character) not in _OBEYED:
        return character
    return character.encode("unicode_escape").decode("ascii")
