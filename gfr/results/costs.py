"""The stages of a run and what they cost: time, memory, energy, and use of the GPUs.

Computed from the records alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gfr.measurement.energy import Energy, of_cpu, of_gpus, total
from gfr.measurement.gpu import GpuUse
from gfr.measurement.resources import Cost
from gfr.results.records import Run
from gfr.text import counted

REFITS = "Refits (seeds, splits, fractions)"


@dataclass(frozen=True)
class Stage:
    """One stage, what it did and what it cost; `parts`: costs by process if there are several."""

    kind: str
    name: str
    did: str
    cost: Cost
    parts: dict[str, Cost] | None = None


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


def stages(run: Run) -> list[Stage]:
    """Return every stage of a run in order."""
    check = run.record.cost
    found = [Stage("Checking images", "Image check", "", check, {"Checking images": check})]
    for features in run.features:
        name = f"Features: {features.feature_set.title}"
        did = f"{features.num_computed:,} computed, {features.num_reused:,} reused"
        parts = {f"{name}{part.part}": part.cost for part in features.parts}
        found.append(Stage("Features", name, did, features.cost, parts))
    for row in run.trials:
        epochs = f"{row.trial.iteration.epochs} epochs"
        found.append(Stage("Heads", f"Head: {row.trial.title}", epochs, row.train_cost))
        if row.refits:
            name, heads = f"Refits: {row.trial.title}", f"{len(row.refits)} heads"
            found.append(Stage(REFITS, name, heads, row.refit_cost))
    for latency in run.latencies.values():
        found.append(Stage("Latency", f"Latency: {latency.feature_set.title}", "", latency.cost))
    for engines in run.engine_latencies.values():
        name = f"Engines: {engines.feature_set.title}"
        found.append(Stage("Latency", name, counted(len(engines.rows), "row"), engines.cost))
    if formats := run.format_latency:
        name = f"Formats: {run.result_of(formats.trial_id).trial.title}"
        found.append(Stage("Latency", name, counted(len(formats.rows), "row"), formats.cost))
    return [*found, *_references(run)]


def _references(run: Run) -> Iterator[Stage]:
    """Yield what each reference cost, without those that failed."""
    for label, row in run.references.items():
        costed = {"": row.cost, ", latency": row.latency and row.latency.cost}
        for suffix, cost in costed.items():
            if cost:
                yield Stage("References", f"Reference: {label}{suffix}", "", cost)


def refits_note(run: Run) -> str:
    """Explain refits, if the run has any."""
    note = "Refits: the head retrained with different seeds, different splits or fewer images."
    return note if any(row.refits for row in run.trials) else ""


def costs(run: Run) -> dict[str, dict[str, Cost]]:
    """Return every recorded cost by kind of stage and by name."""
    by_kind: dict[str, dict[str, Cost]] = {}
    for stage in stages(run):
        by_kind.setdefault(stage.kind, {}).update(stage.parts or {stage.name: stage.cost})
    return by_kind


def rows(run: Run) -> list[Row]:
    """Return the energy by kind of stage; with rows for GPUs if the machine has any."""
    stated, hardware = run.record.benchmark.hardware, run.record.hardware
    has_gpus = bool(hardware.gpus or uses(run))
    rows = []
    for kind, costed in costs(run).items():
        parts = costed.values()
        energies = {"CPU": total([of_cpu(cost, stated, hardware.cpu_threads) for cost in parts])}
        if has_gpus:
            energies["GPU"] = total([of_gpus(cost, stated) for cost in parts])
        for device, energy in energies.items():
            rows.append(Row(kind, device, energy, energy.carbon_g(stated)))
    return rows


def uses(run: Run) -> list[Use]:
    """Return what the GPUs did in each stage."""
    return [
        Use(name, gpu)
        for costed in costs(run).values()
        for name, cost in costed.items()
        for gpu in cost.gpus
    ]
