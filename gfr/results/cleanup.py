"""Find and remove old runs and unused cached features.

Links are never followed. The newest finished run of a benchmark, accepted runs, runs in progress
and whatever cannot be read are never removed. A run is renamed before it is deleted, so that a
kill leaves no half run, and the next cleanup removes the rest. Lines of histories stay.
"""

import contextlib
import math
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from gfr import errors, progress
from gfr.results import records
from gfr.storage import atomic, locks, run_directory, serialization

REMOVED = ".removed"  # runs and features are moved there before they are deleted

_DAY_S = 86_400.0

Kind = Literal["run", "features", "leftover"]


@dataclass(frozen=True)
class Rule:
    """A run is old if it is not among the `keep` newest finished ones of its benchmark, and began
    more than `older_than_days` ago. None leaves a condition out; without both no run is old.

    `benchmark`: only its runs. `unused_features`: also remove features that no kept run uses.
    """

    keep: int | None = None
    older_than_days: float | None = None
    benchmark: str | None = None
    unused_features: bool = False

    def __post_init__(self) -> None:
        """Raise InputError for a number out of range."""
        if self.keep is not None and self.keep < 1:
            raise errors.InputError(f"keep {self.keep}: at least 1 run of each benchmark must stay")
        if self.older_than_days is not None and not 0 <= self.older_than_days < math.inf:
            raise errors.InputError(f"older than {self.older_than_days:g} days: must be 0 or more")


@dataclass(frozen=True)
class Item:
    """Something on disk, and why it is removed or why it stays although it is old."""

    kind: Kind
    path: str
    num_bytes: int
    why: str


@dataclass(frozen=True)
class _Candidate:
    """A directory of reports/runs; `objection` says why it must not be removed, else it is ""."""

    path: Path
    objection: str
    benchmark: str = ""  # its name, "" if the run cannot be read
    created_utc: str = ""
    is_finished: bool = False


def plan(
    reports: Path, cache: Path, rule: Rule, now_s: float | None = None
) -> tuple[list[Item], list[Item]]:
    """Return what a rule removes, and what it keeps although it is old. Changes nothing."""
    now_s = time.time() if now_s is None else now_s
    paths = sorted((reports / "runs").glob("*"))
    candidates = [_look(path) for path in paths if path.name != REMOVED]
    remove, keep = list[Item](), list[Item]()
    for row in candidates:
        finished = _finished(candidates, row.benchmark)
        if why := _old(row, finished, rule, now_s):
            objection = row.objection or _protection(row, finished, reports)
            (keep if objection else remove).append(_item("run", row.path, objection or why))
    if rule.unused_features:
        removed = {item.path for item in remove}
        kept = [row.path for row in candidates if str(row.path) not in removed]
        remove += _features(cache, kept, now_s)
    places = {Path(item.path) for item in remove}
    leftovers = _leftovers(reports, cache, now_s)
    remove += [item for item in leftovers if places.isdisjoint(Path(item.path).parents)]
    return remove, keep


def carry_out(remove: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Remove what a plan names; return what is gone, and what is not, with the reason."""
    gone, failed = [], []
    for item in remove:
        try:
            _remove(item)
            gone.append(item)
        except errors.InputError as error:
            failed.append(replace(item, why=str(error)))
        except OSError as error:
            why = f"cannot be removed ({error.strerror}: {error.filename})"
            failed.append(replace(item, why=why))
    return gone, failed


def _look(path: Path) -> _Candidate:
    if path.is_symlink():
        return _Candidate(path, "a link; remove it by hand")
    files = run_directory.RunDirectory(path)
    try:
        is_finished = files.selection.exists()
        record = serialization.read(files.record, records.RunRecord)
        holder = locks.holder(path)
    except (errors.InputError, OSError):
        return _Candidate(path, "not a readable run; remove it by hand")
    objection = ""
    if holder and holder.is_alive:
        objection = "in progress"
    elif holder and not is_finished and holder.host not in ("", socket.gethostname()):
        # The lock of another machine may not be visible here.
        objection = f"unfinished, last used on {holder.host}; clean there"
    name = record.benchmark.name
    return _Candidate(path, objection, name, record.created_utc, is_finished)


def _finished(candidates: Sequence[_Candidate], benchmark: str) -> list[_Candidate]:
    """The finished runs of a benchmark, newest first."""
    rows = [row for row in candidates if row.is_finished and row.benchmark == benchmark]
    return sorted(rows, key=lambda row: (row.created_utc, row.path), reverse=True)


def _old(row: _Candidate, finished: Sequence[_Candidate], rule: Rule, now_s: float) -> str:
    """Return why a run is old by the rule; "" if it is not."""
    if rule.keep is None and rule.older_than_days is None:
        return ""
    if rule.benchmark not in (None, row.benchmark):
        return ""
    if not row.benchmark:
        return "unknown"
    reasons = []
    if rule.keep is not None:
        newest = finished[: rule.keep]
        if len(newest) < rule.keep or row.created_utc >= newest[-1].created_utc:
            return ""
        reasons.append(f"older than the {rule.keep} newest of {row.benchmark}")
    if rule.older_than_days is not None:
        start_s = datetime.fromisoformat(row.created_utc).timestamp()
        age_days = (now_s - start_s) / _DAY_S
        if age_days <= rule.older_than_days:
            return ""
        reasons.append(f"started {age_days:.0f} days ago")
    return ", ".join(reasons)


def _protection(row: _Candidate, finished: Sequence[_Candidate], reports: Path) -> str:
    """Return why an old run must stay; "" if it need not."""
    if row in finished[:1]:
        return f"the newest finished run of {row.benchmark}"
    if run_directory.RunDirectory(row.path).accepted.exists():
        return "accepted (`gfr verdict --accept`)"
    with contextlib.suppress(OSError):
        summary = (reports / "summary.md").read_text("utf-8", "replace")
        if re.search(rf"runs/{re.escape(row.path.name)}(?![\w.+-])", summary):
            return "shown in reports/summary.md"
    return ""


def _features(cache: Path, kept: Sequence[Path], now_s: float) -> list[Item]:
    """Feature sets that no kept run uses and that were not opened for a day."""
    used = set()
    for run in kept:
        for record in run_directory.RunDirectory(run).features.glob("*.json"):
            with contextlib.suppress(errors.InputError):
                used.add(serialization.read(record, records.FeatureResult).directory.name)
    # Every run that opens a feature set writes its key again.
    keys = sorted((cache / "features").glob("*/key.json"))
    unused = [key.parent for key in keys if now_s - _changed_s(key) > _DAY_S]
    unused = [path for path in unused if path.name not in used and not path.is_symlink()]
    return [_item("features", path, "no kept run uses them") for path in unused]


def _leftovers(reports: Path, cache: Path, now_s: float) -> Iterator[Item]:
    """What killed writers and killed cleanups have left."""
    for hidden in (reports / "runs" / REMOVED, cache / REMOVED):
        if hidden.is_dir() and not hidden.is_symlink():
            for path in sorted(hidden.iterdir()):
                yield _item("leftover", path, "its removal was interrupted")
    for top in (reports, cache):
        for folder, directories, files in os.walk(top):
            for name in sorted(atomic.temporary(directories + files)):
                path = Path(folder) / name
                if now_s - _changed_s(path) > _DAY_S:
                    yield _item("leftover", path, "its writer was killed")
            directories[:] = set(directories) - set(atomic.temporary(directories)) - {REMOVED}


def _remove(item: Item) -> None:
    """Rename, then delete; InputError if it is used after all."""
    path = gone = Path(item.path)
    if item.kind == "run":
        with locks.claimed(path):  # so that no process starts to work in it meanwhile
            gone = _move_away(path, path.parent)
    elif item.kind == "features":
        if time.time() - _changed_s(path / "key.json") <= _DAY_S:
            raise errors.InputError("has just been used")
        gone = _move_away(path, path.parents[1])
    if gone.is_dir() and not gone.is_symlink():
        shutil.rmtree(gone)
    else:
        gone.unlink()


def _move_away(path: Path, place: Path) -> Path:
    folder = place / REMOVED
    folder.mkdir(exist_ok=True)
    return path.replace(folder / f"{secrets.token_hex(6)}-{path.name}")


def _item(kind: Kind, path: Path, why: str) -> Item:
    """An item with its size: of a file, or of all files in a directory; links are not followed."""
    paths = [path]
    if path.is_dir() and not path.is_symlink():
        paths = [Path(folder) / name for folder, _, files in os.walk(path) for name in files]
    num_bytes = 0
    for file in paths:
        with contextlib.suppress(OSError):  # a run in progress renames its files
            num_bytes += file.lstat().st_size
    return Item(kind, str(path), num_bytes, why)


def _changed_s(path: Path) -> float:
    """The time of its last change; infinitely late if it is gone."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return math.inf


def remove_old_runs(run_dir: Path, keep: int) -> str:
    """Keep the `keep` newest runs of this run's benchmark; return a line that says what is gone.

    A run that cannot be removed is logged as a warning.
    """
    files = run_directory.RunDirectory(run_dir)
    record = serialization.read(files.record, records.RunRecord)
    rule = Rule(keep=keep, benchmark=record.benchmark.name)
    remove, _ = plan(files.reports, Path(record.cache), rule)
    gone, failed = carry_out(remove)
    for item in gone:
        progress.LOG.info("removed %s: %s", item.path, item.why)
    for item in failed:
        progress.LOG.warning("NOT removed: %s: %s", item.path, item.why)
    return f"{len(gone)} removed, {_megabytes(gone)}"


_LABELS = {"would_remove": "would remove", "removed": "removed", "failed": "NOT removed"}


def text(items: Mapping[str, Sequence[Item]]) -> str:
    """Format the items of `gfr clean`, one a line, by what became of them.

    `would_remove` or `removed` comes first, then `failed` and `kept`.
    """
    lines = [
        f"{_LABELS.get(fate, fate):12}  {item.kind:8}  {item.num_bytes / 1e6:8.1f} MB  "
        f"{item.path}  ({item.why})"
        for fate, rows in items.items()
        for item in rows
    ]
    fate, done = next(iter(items.items()))
    end = "removed" if fate == "removed" else "to remove"
    return "\n".join([*lines, f"{len(done)} {end}, {_megabytes(done)}"])


def _megabytes(items: Sequence[Item]) -> str:
    return f"{sum(item.num_bytes for item in items) / 1e6:.1f} MB"
