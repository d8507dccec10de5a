"""The energy counters of the processor: RAPL through Linux's powercap.

In: /sys/class/powercap. Out: joules of all processor packages since a moment, or why there are
none. Of the whole package, whatever ran on it; memory modules and the rest of the machine are not
in it. Never estimates.

Source: Documentation/power/powercap/powercap.rst of Linux.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gfr.types import Amount

POWERCAP = Path("/sys/class/powercap")

# `intel-rapl:0` is a package, on AMD too; `intel-rapl:0:0` is a part of it, already counted there.
_PACKAGE = re.compile(r"[\w-]+:\d+")


@dataclass(frozen=True)
class CpuEnergy:
    """`joules` of the packages that `note` names; None: `note` says why."""

    joules: Amount | None
    note: str


def meter(root: Path) -> Callable[[], CpuEnergy]:
    """A function that says what was used since now.

    To be called every few minutes at least: counters start over at `max_energy_range_uj`, which a
    busy server reaches in twenty.
    """
    reason = f"no processor package under {root}: a virtual machine, or no driver for RAPL"
    zones, last_uj, range_uj = dict[str, Path](), dict[Path, int](), dict[Path, int]()
    try:
        zones = _packages(root)
        last_uj = {zone: _read(zone / "energy_uj") for zone in zones.values()}
        range_uj = {zone: _read(zone / "max_energy_range_uj") for zone in zones.values()}
    except (OSError, ValueError) as error:
        zones, reason = {}, _reason(error)
    if not zones:
        return lambda: CpuEnergy(None, reason)
    used_uj, failures = [0], list[str]()

    def look() -> CpuEnergy:
        try:
            for zone, before_uj in last_uj.items():
                last_uj[zone] = _read(zone / "energy_uj")
                step_uj = last_uj[zone] - before_uj
                used_uj[0] += step_uj if step_uj >= 0 else step_uj + range_uj[zone]
        except (OSError, ValueError) as error:
            failures.append(_reason(error))
        if failures:
            return CpuEnergy(None, failures[0])
        return CpuEnergy(used_uj[0] / 1e6, f"RAPL {', '.join(zones)}")

    return look


def _packages(root: Path) -> dict[str, Path]:
    """Every package by its name, once: some processors show it in two ways (`-mmio`)."""
    found: dict[str, Path] = {}
    for zone in sorted(root.glob("*:*"), key=lambda path: ("mmio" in path.name, path.name)):
        if _PACKAGE.fullmatch(zone.name):
            name = (zone / "name").read_text("utf-8").strip()
            if name.startswith("package"):  # `psys` is the whole board, packages included
                found.setdefault(name, zone)
    return found


def _read(path: Path) -> int:
    return int(path.read_text("utf-8"))


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, PermissionError):
        return (
            f"{error.filename}: permission denied; since 2020 Linux lets only root read it "
            "(docs/gpu.md says how to open it)"
        )
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return f"RAPL: no number ({error})"
