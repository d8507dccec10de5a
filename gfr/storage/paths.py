"""The clone, and directories as users and environment variables name them."""

import os
from pathlib import Path

from gfr.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]  # the clone: gfr is installed from it, editable

# Environment variables for directories that no option or parameter names.
VARIABLES = {"reports": "GFR_REPORTS", "cache": "GFR_CACHE"}


def at_root(path: str, keywords: tuple[str, ...] = ()) -> str:
    """A path relative to the project root, whatever the working directory; keywords stay."""
    return path if path in keywords else os.path.normpath(ROOT / path)


def require_clone() -> None:
    """BadInput if this package was installed without its clone, whose files every command reads."""
    if not (ROOT / "benchmarks" / "full.toml").is_file():
        raise BadInput(
            f"gfr works only from its clone, and {ROOT} is not one. Clone the repository and run "
            "`make smoke` in it"
        )


def absolute(path: str) -> str:
    """Expand `~` and resolve against the current directory; BadInput if it cannot be looked at."""
    try:
        Path(path).exists()  # a name that is too long, or beyond a closed folder
        return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 (keeps links, drops ..)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path}: {reason}; name another") from None


def default_directory(name: str) -> str:
    """The directory `reports` or `cache`: from its environment variable, else of the project."""
    value = os.environ.get(VARIABLES[name])
    return absolute(value) if value else at_root(name)


def directory_or_default(path: str | None, name: str) -> str:
    """A directory as a flow's parameter names it, relative to the project root, or its default."""
    return at_root(path) if path else default_directory(name)


def directories_to_name(**places: Path) -> dict[str, Path]:
    """Those of `reports` and `cache` that a command to paste must name to find them.

    Where a variable is set, the shell that the command is pasted into may not have it.
    """
    return {
        name: path
        for name, path in places.items()
        if os.environ.get(VARIABLES[name]) or path != Path(at_root(name))
    }
