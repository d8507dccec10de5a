"""SHA-256 digests of files and of Python sources."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_sha256(*paths: Path) -> str:
    """SHA-256 over the syntax trees of source files: blind to comments and layout."""
    return lines_sha256(ast.dump(ast.parse(path.read_text("utf-8"))) for path in paths)


def lines_sha256(lines: Iterable[str]) -> str:
    """SHA-256 of lines of text, in hex."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def rank(seed: int, purpose: str, name: str) -> bytes:
    """Hash a name for sorting: looks random and is the same on every machine."""
    return hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()
