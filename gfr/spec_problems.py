"""What is wrong with a benchmark file, in words.

In: pydantic's ValidationError and the document that it is about. Out: one line for people: rows of
tables by the names that their owner gave them, no more than a few problems. Never decides what is
wrong: gfr/spec.py does.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import ValidationError

from gfr import text
from gfr.errors import did_you_mean

MAX_PROBLEMS = 3  # told at once
_LONGEST = 60  # characters of a word of the file's
_NAMED_BY = {"backbone": ("label", "name"), "iteration": ("number",)}


def line(error: ValidationError, document: object, table: type) -> str:
    """The first problems, one a place in the file; how many more there are.

    `table`: the dataclass of the whole, whose keys may have been meant by unknown ones.
    """
    keys = _keys(table)
    # An unknown key explains a missing one: `sede` before `seed`.
    found = error.errors(include_url=False)
    found.sort(key=lambda row: row["type"] != "unexpected_keyword_argument")
    problems: dict[tuple[int | str, ...], str] = {}
    for row in found:  # of a union's branches the first
        place = _known_part(row["loc"], document)
        problems.setdefault(place, _problem(row, place, document, keys))
    told = list(problems.values())
    more = f" (and {len(told) - MAX_PROBLEMS} more)" if told[MAX_PROBLEMS:] else ""
    return "; ".join(told[:MAX_PROBLEMS]) + more


def row_name(table: str, place: int, document: object) -> str:
    """`iteration 4`, `backbone VGG16`: as the row calls itself if no other does, else by place."""
    rows = document.get(table) if isinstance(document, dict) else None
    names = [_own_name(table, row) for row in rows] if isinstance(rows, list) else []
    name = names[place] if place < len(names) else None
    if name is None or names.count(name) > 1:
        return f"[[{table}]] no. {place + 1}"
    return f"{table} {_shown(name)}"


def _own_name(table: str, row: object) -> str | None:
    found = [row.get(key) for key in _NAMED_BY[table]] if isinstance(row, dict) else []
    # True is no number.
    return next((str(name) for name in found if type(name) in (int, str) and name != ""), None)


def _keys(table: type) -> set[str]:
    """Every key that a benchmark file may have, in whichever of its tables."""
    keys = {row.name for row in fields(table)}
    for hint in get_type_hints(table).values():
        for part in (hint, *get_args(hint)):
            if is_dataclass(part) and isinstance(part, type):
                keys |= _keys(part)
    return keys


def _problem(
    row: Mapping[str, Any],
    place: tuple[int | str, ...],
    document: object,
    keys: Collection[str],
) -> str:
    where, parts = "", place
    if len(place) > 2 and place[0] in _NAMED_BY and isinstance(place[1], int):
        where, parts = f"{row_name(str(place[0]), place[1], document)}: ", place[2:]
    key = ".".join(_shown(part + 1 if isinstance(part, int) else part) for part in parts)
    if row["type"] == "unexpected_keyword_argument":
        meant = did_you_mean(str(place[-1]), keys)
        return f"{where}unknown key {key}; {meant or 'remove it or mend its spelling'}".rstrip()
    if row["type"] == "missing":
        return f"{where}missing {'value' if isinstance(place[-1], int) else 'key'} {key}"
    return f"{where}{key}: {row['msg'][0].lower()}{row['msg'][1:]}, got {row['input']!r:.60}"


def _known_part(location: tuple[int | str, ...], document: object) -> tuple[int | str, ...]:
    """The place without what pydantic adds to it: which branch of a union did not fit."""
    known: list[int | str] = []
    value = document
    for part in location:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            break
        known.append(part)
    return tuple(known) or location


def _shown(word: object) -> str:
    return text.line(str(word))[:_LONGEST]
