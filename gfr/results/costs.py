"""What each kind of stage of a run cost: energy, and use of the GPUs.

Computed from the records alone.
"""

from dataclasses import dataclass

from gfr.measurement.energy import Energy, of_cpu, of_gpus, total
from gfr.measurement.gpu import GpuUse
from gfr.measurement.resources import Cost
from gfr.results.records import Run


@dataclass(frozen=True)
class Row:
    """A kind of stage on a kind of device; `carbon_g` is None without the user's figure."""

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
    """Return every recorded cost by kind of stage, with the stage's own name."""
    sets = {row.trial.feature_set: row.features for row in run.trials}
    by_kind = {
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
    return {kind: rows for kind, rows in by_kind.items() if rows}


def rows(run: Run) -> list[Row]:
    """Return the energy by kind of stage; with rows for GPUs if the machine has any."""
    stated, hardware = run.record.benchmark.hardware, run.record.hardware
    has_gpus = bool(hardware.gpus or uses(run))
    rows = []
    for kind, costed in costs(run).items():
        energies = {"CPU": [of_cpu(cost, stated, hardware.cpu_threads) for _, cost in costed]}
        if has_gpus:
            energies["GPU"] = [of_gpus(cost, stated) for _, cost in costed]
        for device, parts in energies.items():
            energy = total(parts)
            rows.append(Row(kind, device, energy, energy.carbon_g(stated)))
    return rows


def uses(run: Run) -> list[Use]:
    """Return what the GPUs did in each stage."""
    return [
        Use(name, gpu)
        for costed in costs(run).values()
        for name, cost in costed
        for gpu in cost.gpus
    ]
