"""What a run took of the machine, by kind of stage: energy, and what its GPUs did.

In: a Run. Out: rows, for the page and for scripts. Pure: nothing is measured, no TensorFlow is
imported.
"""

from dataclasses import dataclass

from gfr.measurement import energy as measurement_energy
from gfr.measurement.energy import Energy
from gfr.measurement.gpu import GpuUse
from gfr.measurement.resources import Cost
from gfr.results.records import Run


@dataclass(frozen=True)
class Row:
    """A kind of stage on a kind of device; `carbon_g` None without the user's figure."""

    stage: str
    device: str
    energy: Energy
    carbon_g: float | None


@dataclass(frozen=True)
class Use:
    """One GPU in one stage of one worker."""

    stage: str
    gpu: GpuUse


def costs(run: Run) -> dict[str, list[tuple[str, Cost]]]:
    """Every recorded cost by kind of stage, with the stage's own name."""
    sets = {row.trial.feature_set: row.features for row in run.trials}
    found = {
        "Checking images": [("Checking images", run.record.cost)],
        "Features": [
            (f"Features: {feature_set.title}{part.part}", part.cost)
            for feature_set, features in sets.items()
            for part in features.parts
        ],
        "Heads": [(f"Head: {row.trial.title}", row.train_cost) for row in run.trials],
        "Refits (seeds, splits, fractions)": [
            (f"Refits: {row.trial.title}", row.refit_cost) for row in run.trials if row.refits
        ],
        "Latency": [
            (f"Latency: {row.feature_set.title}", row.cost) for row in run.latencies.values()
        ],
    }
    return {kind: rows for kind, rows in found.items() if rows}


def rows(run: Run) -> list[Row]:
    """Energy by kind of stage; a row for GPUs where the machine has any."""
    stated = run.record.benchmark.hardware
    num_threads = run.record.hardware.cpu_threads
    has_gpus = bool(run.record.hardware.gpus or uses(run))
    found = []
    for kind, costed in costs(run).items():
        by_device = {
            "CPU": [measurement_energy.of_cpu(cost, stated, num_threads) for _, cost in costed]
        }
        if has_gpus:
            by_device["GPU"] = [measurement_energy.of_gpus(cost, stated) for _, cost in costed]
        for device, parts in by_device.items():
            summed = measurement_energy.total(parts)
            found.append(Row(kind, device, summed, summed.carbon_g(stated)))
    return found


def uses(run: Run) -> list[Use]:
    """What the GPUs did in each stage."""
    return [
        Use(name, gpu)
        for costed in costs(run).values()
        for name, cost in costed
        for gpu in cost.gpus
    ]
