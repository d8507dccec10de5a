"""Read and write records as JSON, and read the tables in TOML that come with gfr."""

import dataclasses
import functools
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from gfr.errors import InputError, reason
from gfr.storage import atomic
from gfr.storage.run_directory import RunDirectory

Record = TypeVar("Record")


def first_problem(error: ValidationError, whole: str = "the file") -> str:
    """Describe an unknown schema, else the first error: `place: message`.

    `whole` replaces the place of an error that has none.
    """
    problems = error.errors(include_url=False)
    for row in problems:
        if row["loc"] == ("schema",) and row["type"] == "literal_error":
            expected = row["ctx"]["expected"]
            return f"schema is {row['input']!r:.20}, but this version of gfr reads {expected}"
    place = ".".join(map(str, problems[0]["loc"]))
    return f"{place or whole}: {problems[0]['msg']}"


def read_table(path: Path, kind: type[Record]) -> Record:
    """Read a TOML file as a frozen dataclass; InputError names the file and the place."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        # JSON on the way, because there a list may stand for a tuple.
        return TypeAdapter(kind).validate_json(json.dumps(document, default=str))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {reason(error)}") from None


SCHEMA: Literal[3] = 3

_adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)  # each takes 30 ms


def write(path: Path, record: Any) -> None:
    """Write a record as JSON, atomically."""
    atomic.write_json(path, dataclasses.asdict(record))


_START_ANEW = "nothing here can be read without it. Move the directory away and start a new run"

RUN_AGAIN = "delete it and run again with the same --run-id"


def read(path: Path, kind: type[Record], remedy: str = RUN_AGAIN) -> Record:
    """Read a record; InputError with `remedy` if it is damaged, edited or of another schema."""
    try:
        return parse(path.read_bytes(), kind)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        problem = f"not a valid {kind.__name__} ({first_problem(error)})"
        if path == RunDirectory(path.parent).record:
            remedy = _START_ANEW
        raise InputError(f"{path}: {problem}; {remedy}") from None


def parse(content: bytes, kind: type[Record]) -> Record:
    """Read a record from JSON; ValidationError if it is invalid."""
    return _adapter(kind).validate_json(content, strict=True)
