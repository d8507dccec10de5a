"""Paths and commands as the user's shell has them, from the directory the user is in.

In: a path as typed, words of a command. Out: an absolute path, a line to paste.
"""

import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from gfr.storage import paths


def command(*words: str, **places: Path) -> str:
    """`gfr words...`, by its path if the shell would not find it.

    `reports` and `cache` are added as options where the words lack them and the command needs them.
    """
    options = [
        (f"--{name}", here(path))
        for name, path in paths.directories_to_name(**places).items()
        if not any(word.partition("=")[0] == f"--{name}" for word in words)
    ]
    return shlex.join([_executable(), *words, *itertools.chain(*options)])


def here(path: Path) -> str:
    """Relative to where the user is, if it is below."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def typed(path: str, keywords: Collection[str] = ()) -> str:
    """What a user types, relative to where the user is; BadInput if it cannot be looked at."""
    return path if path in keywords else str(paths.absolute(path))


def benchmark(word: str) -> str:
    """A name stays, a path is as typed (gfr/storage/run_directory.py, `benchmark_file`)."""
    return typed(word) if "/" in word or word.endswith(".toml") else word


def or_default(path: Path | None, name: str) -> str:
    """The directory that was typed, or the default of `reports` or `cache`."""
    return str(paths.default_directory(name)) if path is None else typed(str(path))


def _executable() -> str:
    called = Path(sys.argv[0])
    if called.name != "gfr" or not called.exists():
        return "gfr"  # started by other means, such as python -c
    found = shutil.which("gfr")
    return "gfr" if found and called.samefile(found) else here(called.absolute())
