"""Where runs live, and which one is meant.

In: a project root, run ids as typed, the environment variables of `VARIABLES`. Out: paths. Reads of
a run only when it began; never creates anything.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from gfr.errors import BadInput

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")


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
