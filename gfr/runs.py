"""Where runs live, and which one is meant.

In: a project root, run ids as typed, the environment variables of `VARIABLES`. Out: paths. Reads of
a run only when it began; never creates anything.
"""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from gfr.errors import BadInput, did_you_mean

ROOT = Path(__file__).resolve().parents[1]  # the clone: gfr is installed from it, editable

# Environment variables for directories that no option or parameter names.
VARIABLES = {"reports": "GFR_REPORTS", "cache": "GFR_CACHE"}
_NO_BENCHMARKS = {"published", "sources"}  # other tables in benchmarks/
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")


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


def new_id(benchmark: str, begun: datetime | None = None) -> str:
    """Sorts by time, which is now unless given: `20261123T204512Z-full`."""
    return f"{(begun or datetime.now(UTC)).astimezone(UTC):%Y%m%dT%H%M%SZ}-{benchmark}"


def directory(reports: Path, run_id: str) -> Path:
    """The directory of a run; BadInput for an id that is no plain name."""
    if not _RUN_ID.fullmatch(run_id):
        raise BadInput(
            f"run id {run_id!r}: letters, digits and _ . + - only, no slash, at most 100"
        )
    return reports / "runs" / run_id


def existing(reports: Path) -> list[Path]:
    """Directories of all runs that have a record, in the order in which they were begun."""
    found = [path for path in (reports / "runs").glob("*/run.json") if path.is_file()]
    return [path.parent for path in sorted(found, key=lambda path: (_begun_s(path), path))]


def _begun_s(record: Path) -> float:
    """When a run began, as its record says, since a copy has other times; else as the file says.

    So the newest run stays the newest when its record is damaged, and is refused, not passed over.
    """
    try:
        begun = json.loads(record.read_bytes())["created_utc"]
        return datetime.fromisoformat(begun).timestamp()
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return record.stat().st_mtime


def find(reports: Path, run_id: str | None) -> Path:
    """The run that was named, or the newest finished one; BadInput if there is none."""
    if run_id is not None:
        path = directory(reports, run_id)
        if not (path / "run.json").exists():
            raise BadInput(f"{path}: no such run; give an id as `gfr list` names them")
        return path
    finished = [path for path in existing(reports) if (path / "selection.json").exists()]
    if not finished:
        raise BadInput(f"{reports / 'runs'}: no finished run yet; start one with `gfr run`")
    return finished[-1]


def shared_name(file: Path, name: str) -> str:
    """A sentence if a benchmark has the name of another file, one in benchmarks/; else empty."""
    other = ROOT / "benchmarks" / f"{name}.toml"
    if name in _NO_BENCHMARKS or not other.exists() or file.resolve() == other.resolve():
        return ""
    return (
        f"{file}: has the name {name!r} of benchmarks/{name}.toml: their runs count as one "
        "benchmark's (newest report, gfr clean); give it a name of its own"
    )


def benchmark_names() -> list[str]:
    """The benchmarks of the project, sorted."""
    stems = {file.stem for file in (ROOT / "benchmarks").glob("*.toml")}
    return sorted(stems - _NO_BENCHMARKS)


def benchmark_file(name: str) -> Path:
    """`full` -> benchmarks/full.toml of the project; anything with a suffix or slash is a path."""
    if "/" in name or name.endswith(".toml"):
        return Path(at_root(name))
    path = ROOT / "benchmarks" / f"{name}.toml"
    if name in _NO_BENCHMARKS or not path.exists():
        names = benchmark_names()
        raise BadInput(
            f"benchmark {name!r}: unknown; {did_you_mean(name, names)}"
            f"known: {', '.join(names)}, or the path of a .toml file"
        )
    return path
