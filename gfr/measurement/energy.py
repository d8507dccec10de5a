"""Energy and CO2 emissions of a stage.

Energy is `measured` by a counter of the machine, `estimated` from figures in the benchmark file, or
`unavailable` for a stated reason. Typical processors and average power grids are not assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gfr.config.schema import HardwareConfig
from gfr.measurement.resources import Cost

_J_PER_KWH = 3.6e6

_NOT_RECORDED = "recorded by a version of gfr that did not measure it"


@dataclass(frozen=True)
class Energy:
    """Joules, None if unavailable; `how` names the source, or the reason."""

    label: Literal["measured", "estimated", "unavailable"]
    joules: float | None
    how: str

    def carbon_g(self, stated: HardwareConfig) -> float | None:
        """Return grams of CO2 equivalent; None without joules or without `carbon_g_per_kwh`."""
        if self.joules is None or stated.carbon_g_per_kwh is None:
            return None
        return self.joules / _J_PER_KWH * stated.carbon_g_per_kwh


def of_cpu(cost: Cost, stated: HardwareConfig, num_threads: int) -> Energy:
    """Return the processor's energy; `cpu_watts` is the power of all `num_threads` together."""
    measured = cost.cpu_energy
    if measured and measured.joules is not None:
        return Energy("measured", measured.joules, measured.note)
    if stated.cpu_watts is not None:
        joules = stated.cpu_watts * cost.cpu_s / num_threads
        how = f"{stated.cpu_watts:g} W x CPU seconds / {num_threads} threads"
        return Energy("estimated", joules, how)
    return Energy("unavailable", None, measured.note if measured else _NOT_RECORDED)


def of_gpus(cost: Cost, stated: HardwareConfig) -> Energy:
    """Return the energy of all GPUs that the stage could use."""
    if not cost.gpus:
        return Energy("unavailable", None, cost.gpu_note or _NOT_RECORDED)
    rows = []
    for gpu in cost.gpus:
        if gpu.energy_j is not None:
            rows.append(Energy("measured", gpu.energy_j, "NVML's counter"))
        elif stated.gpu_power_samples and gpu.power_w and "power" not in gpu.missing:
            joules = gpu.power_w.mean * cost.wall_s
            rows.append(Energy("estimated", joules, "mean sampled power x seconds"))
        else:
            rows.append(Energy("unavailable", None, f"{gpu.name}: {gpu.missing['energy']}"))
    return total(rows)


def total(parts: Sequence[Energy]) -> Energy:
    """Add up; the sum has the label of its weakest part and no joules if a part has none."""
    for label in ("unavailable", "estimated", "measured"):
        how = list(dict.fromkeys(row.how for row in parts if row.label == label))
        if how:
            known = [row.joules for row in parts if row.joules is not None]
            return Energy(label, sum(known) if len(known) == len(parts) else None, "; ".join(how))
    return Energy("unavailable", None, "no such stage")
