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
    busy server reaches in 20 minutes. After a counter has failed, the energy stays unavailable.
    """
    packages: dict[str, Path] = {}
    last_uj: dict[Path, int] = {}
    used_uj, failure = 0, ""

    def read() -> CpuEnergy:
        nonlocal used_uj, failure
        try:
            for zone in packages.values():
                now_uj = _read(zone / "energy_uj")
                has_wrapped = now_uj < last_uj.get(zone, now_uj)
                range_uj = _read(zone / "max_energy_range_uj") if has_wrapped else 0
                used_uj += now_uj - last_uj.get(zone, now_uj) + range_uj
                last_uj[zone] = now_uj
        except OSError as error:
            failure = failure or _reason(error)
        note = failure or f"RAPL {', '.join(packages)}"
        return CpuEnergy(None if failure else used_uj / 1e6, note)

    try:
        packages = _packages(root)
        if not packages:
            why = "a virtual machine, or the RAPL driver is not loaded"
            failure = f"no RAPL package under {root} ({why})"
    except OSError as error:
        failure = _reason(error)
    read()
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


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return (
            f"{error.filename}: permission denied; since 2020 Linux lets only root read it "
            "(docs/gpu.md says how to open it)"
        )
    return f"{error.filename}: {error.strerror}"
