"""Processor energy: the RAPL counters in /sys/class/powercap.

Joules are those of whole processor packages, whichever process used them; memory modules and the
rest of the machine are not included.

Source: Documentation/power/powercap/powercap.rst of Linux.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gfr.types import Amount

POWERCAP = Path("/sys/class/powercap")

# `intel-rapl:0` is a package, on AMD too; `intel-rapl:0:0` is a part of it and counted in it.
_PACKAGE = re.compile(r"[\w-]+:\d+")


@dataclass(frozen=True)
class CpuEnergy:
    """`joules` of the packages named in `note`; None if unavailable, for the reason in `note`."""

    joules: Amount | None
    note: str


def meter(root: Path) -> Callable[[], CpuEnergy]:
    """Return a function that returns the energy used since now.

    Call it every few minutes at least: the counters wrap around at `max_energy_range_uj`, which a
    busy server reaches in 20 minutes.
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

    def read() -> CpuEnergy:
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

    return read


def _packages(root: Path) -> dict[str, Path]:
    """Return every package by name, once: some processors list it twice (`-mmio`)."""
    packages: dict[str, Path] = {}
    for zone in sorted(root.glob("*:*"), key=lambda path: ("mmio" in path.name, path.name)):
        if _PACKAGE.fullmatch(zone.name):
            name = (zone / "name").read_text("utf-8").strip()
            if name.startswith("package"):  # `psys` is the whole board, packages included
                packages.setdefault(name, zone)
    return packages


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
    return f"RAPL: not a number ({error})"
