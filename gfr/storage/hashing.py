"""SHA-256 digests of files and of Python sources."""

import ast
import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_sha256(*paths: Path) -> str:
    """Return the SHA-256 over the syntax trees of source files; comments do not change it."""
    trees = [ast.dump(ast.parse(path.read_text("utf-8"))) for path in paths]
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()
