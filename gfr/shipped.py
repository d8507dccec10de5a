"""Tables in TOML that gfr brings along: what was published, where data comes from.

In: a path and a frozen dataclass. Out: the table as one of it. Never a benchmark file: gfr/spec.py
reads those, with more to say.
"""

import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from gfr.errors import BadInput, reason

Table = TypeVar("Table")


def read(path: Path, kind: type[Table]) -> Table:
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
