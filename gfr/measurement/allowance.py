"""What this process may use of its machine: CPUs, CPU time and memory.

CPU affinity and cgroups (of a container or a batch system, version 1 or 2) may allow less than the
machine has. A limit that cannot be read counts as none.
"""

import itertools
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC = Path("/proc")

# Limit, use, and the part of the use in memory.stat that Linux frees on demand; version 2, then 1.
_MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.high", "memory.current", "inactive_file"),  # beyond it a process is slowed down
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)

# Of a row of /proc/stat: user, nice, system, irq, softirq, steal. User time includes guests.
_BUSY_COLUMNS = (1, 2, 3, 6, 7, 8)


@dataclass(frozen=True)
class Memory:
    """Memory that this process may use; `is_limited`: a cgroup allows less than the machine has."""

    total_bytes: int
    available_bytes: int
    is_limited: bool


@dataclass(frozen=True)
class _Quota:
    """A cgroup's limit of CPU time, in CPUs, and the directory that accounts for its use."""

    num_cpus: float
    account: Path

    def used_s(self) -> float:
        """Read the CPU seconds that all processes of the cgroup have used."""
        used_us = _number(self.account / "cpu.stat", "usage_usec")
        used_ns = _number(self.account / "cpuacct.usage")
        return used_us / 1e6 if used_us is not None else (used_ns or 0.0) / 1e9


def memory() -> Memory:
    """Return the memory of the machine, or of the narrowest cgroup around this process."""
    machine = psutil.virtual_memory()
    total, available = float(machine.total), float(machine.available)
    for group, files in itertools.product(_groups("memory"), _MEMORY_FILES):
        limit = _number(group / files[0])
        if limit is not None and limit < machine.total:
            used = _number(group / files[1]) or 0
            freeable = _number(group / "memory.stat", files[2]) or 0
            total, available = min(total, limit), min(available, limit - used + freeable)
    return Memory(int(total), max(0, int(available)), total < machine.total)


def num_cpus() -> float:
    """Return how many CPUs this process may use; a fraction if a cgroup limits its CPU time."""
    quota = _quota()
    return min(len(_cpus()), quota.num_cpus) if quota else len(_cpus())


def num_threads() -> int:
    """Return how many threads of this process can run at the same time."""
    return max(1, math.ceil(num_cpus()))


def meter_others(own_s: Callable[[], float] | None = None) -> Callable[[], float]:
    """Return a function that returns the share, 0..1, that other processes have taken since.

    The share is of the CPU time that this process may use: of its CPUs, or of the quota of its
    cgroup if others took more of that. `own_s` reads the CPU seconds that do not count as others';
    by default those of this process.
    """
    quota, cpus = _quota(), _cpus()

    def read() -> tuple[float, float, float, float]:
        used_s = quota.used_s() if quota else 0.0
        mine_s = own_s() if own_s else time.process_time()
        return time.monotonic(), mine_s, _busy_s(cpus), used_s

    before = read()

    def share() -> float:
        wall_s, mine_s, busy_s, used_s = (
            now - old for now, old in zip(read(), before, strict=True)
        )
        of_cpus = (busy_s - mine_s) / max(wall_s * len(cpus), 1e-9)
        of_quota = (used_s - mine_s) / max(wall_s * quota.num_cpus, 1e-9) if quota else 0.0
        return min(1.0, max(0.0, of_cpus, of_quota))

    return share


def with_children_s() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _cpus() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _busy_s(cpus: frozenset[int]) -> float:
    """CPU seconds of all processes on these CPUs since boot, and time stolen by other guests."""
    rows = [line.split() for line in _lines(PROC / "stat") if line.startswith("cpu")]
    of_cpus = [row for row in rows if row[0] in {f"cpu{number}" for number in cpus}]
    ticks = sum(int(row[column]) for row in of_cpus for column in _BUSY_COLUMNS)
    if of_cpus:
        return ticks / os.sysconf("SC_CLK_TCK")
    times = psutil.cpu_times()  # of a system without /proc/stat
    return sum(times) - times.idle


def _quota() -> _Quota | None:
    """Return the narrowest limit of CPU time on this process, if there is one."""
    groups, accounts = _groups("cpu"), _groups("cpuacct")
    if len(accounts) != len(groups):
        accounts = groups  # without accounts of their own in version 1, which then read as 0
    quotas = [
        _Quota(limit, account)
        for group, account in zip(groups, accounts, strict=True)
        if (limit := _cpu_limit(group)) is not None
    ]
    return min(quotas, key=lambda quota: quota.num_cpus, default=None)


def _cpu_limit(group: Path) -> float | None:
    words = _words(group / "cpu.max")  # "50000 100000": 0.5 CPUs
    words = words or _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us")
    if len(words) != 2 or words[0] in ("max", "-1") or words[1] == "0":
        return None
    return int(words[0]) / int(words[1])


def _groups(controller: str) -> list[Path]:
    """Return the directories of this process's cgroup and of those around it, nearest first.

    A controller of version 1 has a hierarchy of its own; all of version 2 share one.
    """
    entries = [line.split(":", 2) for line in _lines(PROC / "self" / "cgroup")]
    places = {name: Path(entry[2]) for entry in entries for name in entry[1].split(",")}
    for kind, name in (("cgroup", controller), ("cgroup2", "")):
        mounts = [
            mount
            for mount in _mounts()
            if name in places and mount.kind == kind and (name in mount.options or not name)
        ]
        # In a container the mount shows the part of the hierarchy below `mount.root`.
        around = [mount for mount in mounts if places[name].is_relative_to(mount.root)]
        if mounts:
            mount = (around or mounts)[0]
            own = mount.point / (places[name].relative_to(mount.root) if around else "")
            return [own, *(path for path in own.parents if path.is_relative_to(mount.point))]
    return []


@dataclass(frozen=True)
class _Mount:
    root: Path
    point: Path
    kind: str
    options: tuple[str, ...]


def _mounts() -> Iterator[_Mount]:
    """Yield what is mounted; see proc_pid_mountinfo(5), which writes a space as `\\040`."""
    for line in _lines(PROC / "self" / "mountinfo"):
        first, _, last = line.partition(" - ")
        names, types = [_unescape(word) for word in first.split()], last.split()
        if len(names) > 4 and len(types) > 1:  # the source between type and options may be empty
            yield _Mount(Path(names[3]), Path(names[4]), types[0], tuple(types[-1].split(",")))


def _unescape(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def _number(path: Path, field: str = "") -> float | None:
    """Return the number in a file, or in its line `field NUMBER`; None for "max" or no such."""
    lines = [line.split() for line in _lines(path)]
    words = [line[-1] for line in lines if not field or line[0] == field]
    return float(words[0]) if words and words[0] != "max" else None


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
