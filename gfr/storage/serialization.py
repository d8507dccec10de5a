"""Tables in TOML that gfr brings along: what was published, where data comes from.

In: a path and a frozen dataclass. Out: the table as one of it. Never a benchmark file:
gfr/config/schema.py
reads those, with more to say.
"""

import dataclasses
import functools
import json
import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from gfr.errors import BadInput, reason
from gfr.storage import atomic

Table = TypeVar("Table")


def read_toml(path: Path, kind: type[Table]) -> Table:
    """The table; BadInput names the file and the place."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        # By way of JSON, in which a list may stand for a tuple.
        return TypeAdapter(kind).validate_json(json.dumps(document, default=str))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadInput(f"{path}: {place}: {first['msg'].lower()}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {reason(error)}") from None


SCHEMA: Literal[3] = 3

Record = TypeVar("Record")


def write(path: Path, record: Any) -> None:
    """Store a record as JSON, whole or not at all."""
    atomic.write_json(path, dataclasses.asdict(record))


def read(path: Path, kind: type[Record]) -> Record:
    """The record back; BadInput if the file is cut, edited or of another schema."""
    try:
        # mypy takes a class with a protocol for its bound for unhashable.
        adapter = _adapter(kind)  # type: ignore[arg-type]
        return adapter.validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise BadInput(
            f"{path}: no {kind.__name__} of schema {SCHEMA} ({place}: {first['msg']}); "
            f"{how_to_fix(path)}"
        ) from None


@functools.cache  # each takes 30 ms to make
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def how_to_fix(path: Path) -> str:
    """What to do about a record that cannot be read."""
    if path.name == "run.json":
        return "without it nothing here can be read; move the directory away and begin a new run"
    return "delete it and run again with the same --run-id"
