"""Files that are whole or absent.

In: a path and its bytes or text. Out: the file, written to a temporary name beside it, flushed
and renamed. Never leaves a half-written file under the final name, never reads.
"""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path


def save(path: Path, by_path: Callable[[Path], object]) -> None:
    """Create `path` with what `by_path(temporary path of the same ending)` writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"tmp-{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        by_path(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Create `path` with `text` in UTF-8."""
    save(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, document: object) -> None:
    """Create `path` with `document` as indented JSON; NaN and infinities are refused."""
    write_text(path, json.dumps(document, indent=1, allow_nan=False) + "\n")
