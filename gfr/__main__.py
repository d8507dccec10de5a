"""The command `gfr`: its entry point.

Here and not in `cli`, because `cli`, `flows` and `tasks` are names that other directories on
PYTHONPATH may have too.
"""

import importlib
import os
import sys
from pathlib import Path

from gfr.storage.paths import ROOT


def main() -> None:
    """Run `gfr` with the words of the command line and exit with its code."""
    _read_names_as_utf8()
    _import_from_the_clone()
    importlib.import_module("cli.main").main()


def _read_names_as_utf8() -> None:
    """Start Python again in its UTF-8 mode if the locale is ASCII or Latin-1.

    Names of files would be misread otherwise. The terminal still gets what it can show.
    """
    is_asked_for = os.environ.get("PYTHONUTF8") == "1"  # and ignored, e.g. with python -I
    if sys.getfilesystemencoding() != "utf-8" and not is_asked_for:
        encoding = sys.stdout.encoding if sys.stdout else "utf-8"
        os.environ.setdefault("PYTHONIOENCODING", f"{encoding}:backslashreplace")
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _import_from_the_clone() -> None:
    """Import gfr from its clone and nothing from the current directory, in child processes too."""
    named = [name for name in os.environ.get("PYTHONPATH", "").split(os.pathsep) if name]
    here = os.path.abspath("")  # noqa: PTH100 (not resolved)
    kept = [name for name in named if Path(name).is_absolute() and name not in (str(ROOT), here)]
    # Python makes relative names absolute, and an empty one the current directory.
    dropped = {os.path.abspath(name) for name in ("", *named)} - set(kept)  # noqa: PTH100
    clone = [str(ROOT)] if (ROOT / "pyproject.toml").is_file() else []
    others = [name for name in sys.path if name not in ("", str(ROOT))]
    sys.path[:] = [*clone, *(name for name in others if name not in dropped)]
    os.environ["PYTHONPATH"] = os.pathsep.join([*clone, *kept])
    os.environ["PYTHONSAFEPATH"] = "1"


if __name__ == "__main__":
    main()
