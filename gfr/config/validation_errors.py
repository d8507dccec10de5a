"""Word pydantic's errors about a benchmark file in one line.

Rows of tables are called by their own names, and only the first problems are listed.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from gfr import text as gfr_text
from gfr.config.references import MIN_SQUARE_PX
from gfr.config.scaling import Normalisation
from gfr.errors import did_you_mean
from gfr.types import MAX_SIDE_PX

MAX_PROBLEMS = 3  # listed at once

_LONGEST = 60  # characters shown of a word from the file

_UNKNOWN_KEY = "unexpected_keyword_argument"

# Values of a row that may have several forms, of which pydantic reports each.
_FORMS = {
    "scaling": 'a name or {mean = [...], std = [...], channels = "rgb"}',
    "crop": f'"none", {MIN_SQUARE_PX} to {MAX_SIDE_PX:,} (px of a centred square) or [left, top, '
    "right, bottom] (fractions 0 to 1)",
    "predictions": "the path of a CSV file",
}


def line(error: ValidationError, document: dict[str, Any], schema: dict[str, Any]) -> str:
    """List the first problems, one for each place in the file, and count the others.

    `schema`: the JSON schema of a benchmark file, which has the names of all keys.
    """
    keys = {key for table in (schema, *schema["$defs"].values()) for key in table["properties"]}
    lines: dict[tuple[int | str, ...], str] = {}  # of a union's branches the first
    # An unknown key explains a missing one: `sede` before `seed`.
    for row in sorted(_errors(error, document), key=lambda row: row["type"] != _UNKNOWN_KEY):
        unknown = row["loc"][-1] if row["type"] == _UNKNOWN_KEY else None
        # Without the branches of a union, which pydantic adds.
        place = tuple(
            part for part in row["loc"] if isinstance(part, int) or part in keys or part == unknown
        )
        lines.setdefault(place, _problem(row, place, document, keys))
    more = f" (and {len(lines) - MAX_PROBLEMS} more)" if len(lines) > MAX_PROBLEMS else ""
    return "; ".join(list(lines.values())[:MAX_PROBLEMS]) + more


def row_name(table: str, place: int, document: dict[str, Any]) -> str:
    """Name a row `iteration 4` or `backbone VGG16`, or by its place if it has no name."""
    row = document[table][place]
    name = row.get("label") or row.get("name") or row.get("number")
    return f"{table} {_shown(name)}" if name else f"[[{table}]] no. {place + 1}"


def _errors(error: ValidationError, document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield pydantic's errors; of a value in _FORMS one, or those in its table of numbers."""
    by_value: dict[tuple[int | str, ...], list[dict[str, Any]]] = {}
    for row in error.errors(include_url=False):
        place = row["loc"]
        has_forms = len(place) > 2 and place[2] in _FORMS
        by_value.setdefault(place[:3] if has_forms else place, []).append({**row})
    for place, rows in by_value.items():
        if len(place) < 3 or place[2] not in _FORMS:
            yield from rows
        elif in_table := [row for row in rows if Normalisation.__name__ in row["loc"][:-1]]:
            yield from in_table
        elif any(row["type"] == _UNKNOWN_KEY for row in rows):  # a table without this key
            yield from rows
        else:
            table, number, key = place
            message = f"Input should be {_FORMS[str(key)]}"
            if table == "reference":
                message += ", or a list of these"
            value = document[str(table)][number][key]
            yield {"type": "form", "loc": place, "msg": message, "input": value}


def _problem(row: Any, place: tuple[int | str, ...], document: Any, keys: set[str]) -> str:
    where, parts = "", place
    if len(place) > 2 and isinstance(place[1], int):
        where, parts = f"{row_name(str(place[0]), place[1], document)}: ", place[2:]
    key = ".".join(_shown(part + 1 if isinstance(part, int) else part) for part in parts)
    if row["type"] == "missing":
        return f"{where}missing {'value' if isinstance(place[-1], int) else 'key'} {key}"
    if row["type"] != _UNKNOWN_KEY:
        return f"{where}{key}: {row['msg'][0].lower()}{row['msg'][1:]}, got {row['input']!r:.60}"
    if key.lower().startswith("augment"):
        return (
            f"{where}{key}: gfr computes each feature once, which is correct only for unaugmented "
            "images; remove it"
        )
    if place[-1] in keys:
        return f"{where}unknown key {key}; it is a key of another table, remove it"
    meant = did_you_mean(str(place[-1]), keys) or "remove it or fix its spelling"
    return f"{where}unknown key {key}; {meant}".rstrip()


def _shown(word: object) -> str:
    return gfr_text.line(str(word))[:_LONGEST]
