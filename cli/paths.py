"""Paths as typed in the user's directory, and commands that can be pasted into the user's shell."""

import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from gfr.storage import paths


def command(*words: str, **directories: Path) -> str:
    """`gfr words...`, by its path if the shell would not find it.

    `reports` and `cache` are added as options where `words` lack them and the command needs them.
    """
    options = [
        (f"--{name}", relative(path))
        for name, path in paths.directories_to_name(**directories).items()
        if not any(word.partition("=")[0] == f"--{name}" for word in words)
    ]
    return shlex.join([_executable(), *words, *itertools.chain(*options)])


def relative(path: Path) -> str:
    """The path relative to the current directory if it is below, else as it is."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def absolute(path: str, keywords: Collection[str] = ()) -> str:
    """The absolute path, unless it is a keyword; InputError if the path cannot be read."""
    return path if path in keywords else str(paths.absolute(path))


def benchmark(word: str) -> str:
    """The name of a benchmark, or the absolute path of a benchmark file."""
    return absolute(word) if "/" in word or word.endswith(".toml") else word


def directory(path: Path | None, name: str) -> Path:
    """The directory that was typed, or the default of `reports` or `cache`."""
    return paths.default_directory(name) if path is None else paths.absolute(str(path))


def _executable() -> str:
    program = Path(sys.argv[0])
    if program.name != "gfr" or not program.exists():
        return "gfr"  # started by other means, such as python -c
    in_path = shutil.which("gfr")
    return "gfr" if in_path and program.samefile(in_path) else relative(program.absolute())
