"""Energy and emissions of a stage, each with what it rests on.

In: Costs (gfr/measurement/resources.py), what the benchmark states of the machine. Out: rows that
are
`measured` by a counter of the machine, `estimated` from figures that the user gave, or
`unavailable` with the reason. Pure. Never estimates unasked: a typical processor or an average
power grid is nobody's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gfr.config.schema import Stated
from gfr.measurement.resources import Cost

Label = Literal["measured", "estimated", "unavailable"]

_J_PER_KWH = 3.6e6

_NOT_LOOKED = "recorded by a version of gfr that did not look"


@dataclass(frozen=True)
class Energy:
    """Joules, None if unavailable; `how` says by what, or why not."""

    label: Label
    joules: float | None
    how: str

    def carbon_g(self, stated: Stated) -> float | None:
        """Grams of CO2 equivalent; None without joules or without the user's figure."""
        if self.joules is None or stated.carbon_g_per_kwh is None:
            return None
        return self.joules / _J_PER_KWH * stated.carbon_g_per_kwh


def of_cpu(cost: Cost, stated: Stated, num_threads: int) -> Energy:
    """Of the processor; `num_threads` are the machine's, all of which `cpu_watts` is meant for."""
    measured = cost.cpu_energy
    if measured and measured.joules is not None:
        return Energy("measured", measured.joules, measured.note)
    if stated.cpu_watts is not None:
        joules = stated.cpu_watts * cost.cpu_s / num_threads
        how = f"{stated.cpu_watts:g} W x CPU seconds / {num_threads} threads"
        return Energy("estimated", joules, how)
    return Energy("unavailable", None, measured.note if measured else _NOT_LOOKED)


def of_gpus(cost: Cost, stated: Stated) -> Energy:
    """Of all GPUs that the stage could use."""
    if not cost.gpus:
        return Energy("unavailable", None, cost.gpu_note or _NOT_LOOKED)
    found = []
    for gpu in cost.gpus:
        if gpu.energy_j is not None:
            found.append(Energy("measured", gpu.energy_j, "NVML's counter"))
        elif stated.gpu_power_samples and gpu.power_w and "power" not in gpu.missing:
            joules = gpu.power_w.mean * cost.wall_s
            found.append(Energy("estimated", joules, "mean sampled power x seconds"))
        else:
            found.append(Energy("unavailable", None, f"{gpu.name}: {gpu.missing['energy']}"))
    return total(found)


def total(parts: Sequence[Energy]) -> Energy:
    """The sum, no better labelled than its weakest part; unavailable if a part is: never less
    than the whole."""
    for label in ("unavailable", "estimated", "measured"):
        how = list(dict.fromkeys(row.how for row in parts if row.label == label))
        if how:
            known = [row.joules for row in parts if row.joules is not None]
            return Energy(label, sum(known) if len(known) == len(parts) else None, "; ".join(how))
    return Energy("unavailable", None, "no such stage")
