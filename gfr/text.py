"""Escape control characters in text from outside, for terminals, logs and records.

What a terminal interprets (escape sequences, line breaks, reversed writing direction) is written
as `\\x1b`. For HTML and Markdown see gfr/report/markdown.py.
"""

import unicodedata

# Control, format (writing direction, joiners), surrogate, private use, unassigned; line breaks.
_INTERPRETED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def line(text: str) -> str:
    """Escape every character that a terminal interprets; printable text stays as it is."""
    return "".join(map(_sign, text))


def lines(text: str) -> str:
    """Escape several lines; line breaks stay."""
    return "\n".join(map(line, text.split("\n")))


def counted(number: int, noun: str) -> str:
    """`1 trial`, `9 trials`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _sign(character: str) -> str:
    if unicodedata.category(character) not in _INTERPRETED:
        return character
    return character.encode("unicode_escape").decode("ascii")
