"""Paths and commands as the user's shell has them, from the directory the user is in.

In: a path as typed, words of a command. Out: an absolute path, a line to paste.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from gfr import runs
from gfr.errors import BadInput


def command(*words: str, reports: Path | None = None) -> str:
    """`gfr words...`, by its path if the shell would not find it; --reports unless default."""
    place = []
    if reports and reports != Path(runs.at_root("reports")):
        place = ["--reports", here(reports)]
    return shlex.join([_executable(), *words, *place])


def here(path: Path) -> str:
    """Relative to where the user is, if it is below."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def typed(path: str, keywords: Collection[str] = ()) -> str:
    """What a user types, relative to where the user is; BadInput if it cannot be looked at."""
    if path in keywords:
        return path
    try:
        Path(path).exists()  # a name that is too long, or beyond a closed folder
        return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 (keeps links, drops ..)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path}: {reason}; name another") from None


def benchmark(word: str) -> str:
    """A name stays, a path is as typed (gfr/runs.py, `benchmark_file`)."""
    return typed(word) if "/" in word or word.endswith(".toml") else word


def or_default(path: Path | None, default: str) -> str:
    """The directory that was typed, or the project's own."""
    return runs.at_root(default) if path is None else typed(str(path))


def _executable() -> str:
    called = Path(sys.argv[0])
    if called.name != "gfr" or not called.exists():
        return "gfr"  # started by other means, such as python -c
    found = shutil.which("gfr")
    return "gfr" if found and called.samefile(found) else here(called.absolute())
