"""The clone, and directories as users and environment variables name them."""

import os
from pathlib import Path

from gfr.errors import InputError

ROOT = Path(__file__).resolve().parents[2]  # the clone: gfr is installed from it, editable

# Environment variables for directories that no option or parameter names.
VARIABLES = {"reports": "GFR_REPORTS", "cache": "GFR_CACHE"}


def at_root(path: str, keywords: tuple[str, ...] = ()) -> str:
    """Resolve a path against the project root; return one of the keywords as it is."""
    return path if path in keywords else os.path.normpath(ROOT / path)


def require_clone() -> None:
    """Raise InputError if the package is installed without its clone, whose files commands read."""
    if not (ROOT / "benchmarks" / "full.toml").is_file():
        raise InputError(
            f"gfr works only from its clone, and {ROOT} is not one. Clone the repository and run "
            "`make smoke` in it"
        )


def absolute(path: str) -> Path:
    """Expand `~` and resolve against the current directory; InputError if it cannot be accessed."""
    try:
        Path(path).exists()  # fails for a name that is too long or in a closed folder
        return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 (keeps links)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: {reason}; name another") from None


def default_directory(name: str) -> Path:
    """Return the directory `reports` or `cache`: its environment variable, else the project's."""
    value = os.environ.get(VARIABLES[name])
    return absolute(value) if value else ROOT / name


def directory_or_default(path: str | None, name: str) -> Path:
    """Resolve a directory against the project root; None is the default of that name."""
    return Path(at_root(path)) if path else default_directory(name)


def directories_to_name(**places: Path) -> dict[str, Path]:
    """Return those of `reports` and `cache` that a command to paste must name.

    If a variable is set here, it may not be set in the shell where the command is pasted.
    """
    return {
        name: path
        for name, path in places.items()
        if os.environ.get(VARIABLES[name]) or path != ROOT / name
    }
