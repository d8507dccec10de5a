"""Which runs and cached features may go, and their removal.

In: the reports, the cache, a Rule. Out: a Plan, with the reason for everything; then what was
removed. Never follows a link, never removes the newest finished run of a benchmark, a run that
someone works in, or what it cannot read. A run goes whole: it is renamed out of sight first, so
that a kill leaves at most rubbish for the next cleaning. Lines of histories stay
(gfr/regression/history.py).
"""

import contextlib
import logging
import math
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from gfr.errors import BadInput
from gfr.results import records, status
from gfr.storage import atomic, locks, serialization
from gfr.storage import paths as storage_paths

REMOVED = ".removed"  # what is renamed into it is on its way out

_DAY_S = 86_400.0

LOG = logging.getLogger("gfr")

Kind = Literal["run", "features", "leftover"]


@dataclass(frozen=True)
class Rule:
    """Which runs are old: neither among the `keep` newest finished ones of their benchmark, nor
    begun within `older_than_days`. What is None does not count; without both no run is old.

    `benchmark`: only its runs. `unused_features`: remove features that no kept run is made of.
    """

    keep: int | None = None
    older_than_days: float | None = None
    benchmark: str | None = None
    unused_features: bool = False

    def __post_init__(self) -> None:
        """BadInput for a number that means nothing."""
        if self.keep is not None and self.keep < 1:
            raise BadInput(f"keep {self.keep}: of each benchmark 1 run at least is kept")
        if self.older_than_days is not None and not 0 <= self.older_than_days < float("inf"):
            raise BadInput(f"older than {self.older_than_days:g} days: must be 0 or more")


@dataclass(frozen=True)
class Item:
    """Something on disk and why it goes, or why it stays although the rule would have it go."""

    kind: Kind
    path: str
    num_bytes: int
    why: str


@dataclass(frozen=True)
class Plan:
    """What a rule removes; what it would, but for the reason given."""

    remove: tuple[Item, ...]
    keep: tuple[Item, ...]

    @property
    def num_bytes(self) -> int:
        """Of everything to be removed."""
        return sum(row.num_bytes for row in self.remove)


@dataclass(frozen=True)
class _Known:
    """A directory of reports/runs; `objection`: why it is never removed, "" if it may be."""

    path: Path
    record: records.RunRecord | None
    is_finished: bool
    objection: str


def plan(reports: Path, cache: Path, rule: Rule, now_s: float | None = None) -> Plan:
    """Look at the disk. Changes nothing."""
    now_s = time.time() if now_s is None else now_s
    known = list(_known(reports))
    pages = (reports / "summary.md", *(storage_paths.ROOT / "docs").glob("*.md"))
    named = "\n".join(map(_text, pages))
    remove: list[Item] = []
    keep: list[Item] = []
    for row in known:
        why = _old(row, known, rule, now_s)
        if not why:
            continue
        objection = row.objection or _protected(row, known, named)
        item = Item("run", str(row.path), _size(row.path), objection or why)
        (keep if objection else remove).append(item)
    kept = {str(row.path) for row in known} - {row.path for row in remove}
    if rule.unused_features:
        remove += _features(cache, [row for row in known if str(row.path) in kept], now_s)
    going = [row.path for row in remove]
    remove += [
        row
        for row in _leftovers(reports, cache, now_s)
        if not any(Path(row.path).is_relative_to(place) for place in going)
    ]
    return Plan(tuple(remove), tuple(keep))


def carry_out(found: Plan) -> tuple[list[Item], list[Item]]:
    """Remove what the plan says; returns what is gone, and what is not, with the reason."""
    gone, failed = [], []
    for item in found.remove:
        try:
            _remove(item)
        except BadInput as error:
            failed.append(replace(item, why=str(error)))
        except OSError as error:
            failed.append(
                replace(item, why=f"cannot be removed ({error.strerror}: {error.filename})")
            )
        else:
            gone.append(item)
    return gone, failed


def _known(reports: Path) -> Iterator[_Known]:
    """Everything in reports/runs, by name."""
    try:
        paths = sorted((reports / "runs").iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"{reports / 'runs'}: cannot be read ({error.strerror})") from None
    for path in paths:
        if path.name != REMOVED:
            yield _look(path)


def _look(path: Path) -> _Known:
    if path.is_symlink():
        return _Known(path, None, False, "a link: remove it by hand")
    try:
        is_finished = (path / "selection.json").exists()
        record = serialization.read(path / "run.json", records.RunRecord)
        holder = locks.holder(path)
    except BadInput:
        return _Known(path, None, False, "no run that can be read: remove it by hand")
    except OSError as error:
        return _Known(path, None, False, f"cannot be read ({error.strerror})")
    objection = ""
    if holder and holder.is_alive:
        objection = "in progress"
    elif holder and not is_finished and holder.host not in ("", socket.gethostname()):
        # A lock of another machine need not be seen here.
        objection = f"unfinished, last worked in on {holder.host}: clean there"
    return _Known(path, record, is_finished, objection)


def _begun_s(record: records.RunRecord) -> float:
    return datetime.fromisoformat(record.created_utc).timestamp()


def _finished(known: Iterable[_Known], benchmark: str) -> list[records.RunRecord]:
    """The finished runs of a benchmark, newest first."""
    rows = [
        row.record
        for row in known
        if row.record and row.is_finished and row.record.benchmark.name == benchmark
    ]
    return sorted(rows, key=lambda row: (row.created_utc, row.run_id), reverse=True)


def _old(row: _Known, known: Sequence[_Known], rule: Rule, now_s: float) -> str:
    """Why the rule has a run go; "" if it does not."""
    if rule.keep is None and rule.older_than_days is None:
        return ""
    if row.record is None:
        return "" if rule.benchmark else "unknown"
    name, reasons = row.record.benchmark.name, []
    if rule.benchmark not in (None, name):
        return ""
    if rule.keep is not None:
        newest = _finished(known, name)[: rule.keep]
        if len(newest) < rule.keep or row.record.created_utc >= newest[-1].created_utc:
            return ""
        reasons.append(f"older than the {rule.keep} newest of {name}")
    if rule.older_than_days is not None:
        age_days = (now_s - _begun_s(row.record)) / _DAY_S
        if age_days <= rule.older_than_days:
            return ""
        reasons.append(f"begun {age_days:.0f} days ago")
    return ", ".join(reasons)


def _protected(row: _Known, known: Sequence[_Known], named: str) -> str:
    """Why a run that is old stays all the same; "" if it does not."""
    if row.record is None:
        return "unknown"
    name = row.record.benchmark.name
    if [newest.run_id for newest in _finished(known, name)[:1]] == [row.record.run_id]:
        return f"the newest finished run of {name}"
    if (row.path / status.ACCEPTED).exists():
        return "accepted (`gfr verdict --accept`)"
    if re.search(rf"runs/{re.escape(row.path.name)}(?![\w.+-])", named):
        return "named in a page that is kept"
    return ""


def _features(cache: Path, kept: Sequence[_Known], now_s: float) -> list[Item]:
    """Feature sets that no kept run is made of and that nobody has opened for a day."""
    used = {
        Path(known.directory).name
        for row in kept
        for path in (row.path / "features").glob("*.json")
        if (known := _feature_result(path))
    }
    try:
        paths = sorted((cache / "features").iterdir())
    except OSError:
        return []
    return [
        Item("features", str(path), _size(path), "no kept run is made of them")
        for path in paths
        if path.name not in used
        and not path.is_symlink()
        and (path / "key.json").is_file()
        # Every run that opens a feature set writes this file anew.
        and now_s - _changed_s(path / "key.json") > _DAY_S
    ]


def _feature_result(path: Path) -> records.FeatureResult | None:
    try:
        return serialization.read(path, records.FeatureResult)
    except BadInput:
        return None


def _leftovers(reports: Path, cache: Path, now_s: float) -> Iterator[Item]:
    """What writers and cleanings that were killed have left."""
    for hidden in (reports / "runs" / REMOVED, cache / REMOVED):
        if hidden.is_dir() and not hidden.is_symlink():
            for path in sorted(hidden.iterdir()):
                yield Item("leftover", str(path), _size(path), "its removal was cut short")
    for top in (reports, cache):
        for folder, directories, files in os.walk(top):
            for name in sorted(atomic.temporary(directories + files)):
                path = Path(folder) / name
                if now_s - _changed_s(path) > _DAY_S:
                    yield Item("leftover", str(path), _size(path), "its writer was killed")
            directories[:] = set(directories) - set(atomic.temporary(directories)) - {REMOVED}


def _remove(item: Item) -> None:
    """Rename out of sight, then delete; BadInput if it is used after all."""
    path = Path(item.path)
    if item.kind == "run":
        with locks.claimed(path):  # nobody begins to work in it meanwhile
            gone = _put_away(path, path.parent)
    elif item.kind == "features":
        if time.time() - _changed_s(path / "key.json") <= _DAY_S:
            raise BadInput("has just been used")
        gone = _put_away(path, path.parents[1])
    else:
        gone = path
    if gone.is_dir() and not gone.is_symlink():
        shutil.rmtree(gone)
    else:
        gone.unlink()


def _put_away(path: Path, place: Path) -> Path:
    folder = place / REMOVED
    folder.mkdir(exist_ok=True)
    return path.replace(folder / f"{secrets.token_hex(6)}-{path.name}")


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a directory; links count as themselves."""
    if path.is_symlink() or not path.is_dir():
        paths = [path]
    else:
        paths = [Path(folder) / name for folder, _, files in os.walk(path) for name in files]
    num_bytes = 0
    for file in paths:
        with contextlib.suppress(OSError):  # a run at work renames its files
            num_bytes += file.lstat().st_size
    return num_bytes


def _changed_s(path: Path) -> float:
    """When it was last written; endlessly late if it is gone."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def remove_old_runs(run_dir: str, keep: int) -> str:
    """At the end of a run: `keep` of its benchmark stay; returns what is gone, in words.

    What cannot be removed is a warning.
    """
    record = serialization.read(Path(run_dir) / "run.json", records.RunRecord)
    rule = Rule(keep=keep, benchmark=record.benchmark.name)
    gone, failed = carry_out(plan(Path(run_dir).parents[1], Path(record.cache), rule))
    for row in gone:
        LOG.info("removed %s: %s", row.path, row.why)
    for row in failed:
        LOG.warning("NOT removed: %s: %s", row.path, row.why)
    return f"{len(gone)} removed, {sum(row.num_bytes for row in gone) / 1e6:.1f} MB"


def text(found: Plan, gone: Sequence[Item], failed: Sequence[Item], is_dry_run: bool) -> str:
    """As people read it."""
    rows = [("would remove", row) for row in found.remove] if is_dry_run else []
    rows += [("removed", row) for row in gone]
    rows += [("NOT removed", row) for row in failed]
    rows += [("kept", row) for row in found.keep]
    lines = [
        f"{what:12}  {row.kind:8}  {row.num_bytes / 1e6:8.1f} MB  {row.path}  ({row.why})"
        for what, row in rows
    ]
    done = found.remove if is_dry_run else gone
    total = f"{sum(row.num_bytes for row in done) / 1e6:.1f} MB"
    lines.append(f"{len(done)} {'to remove' if is_dry_run else 'removed'}, {total}")
    return "\n".join(lines)
