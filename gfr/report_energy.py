"""The sections of the page on energy, emissions and GPUs.

In: a Run. Out: Markdown. Pure: nothing is measured, nothing is written, no TensorFlow is imported.
"""

from collections.abc import Iterator

from gfr.measurement import energy
from gfr.measurement.gpu import GpuUse, Level
from gfr.report_details import table
from gfr.results.costs import Row, rows, uses
from gfr.results.records import Run


def section(run: Run) -> str:
    """Energy with its labels, then the GPUs if there are any."""
    return "\n\n".join(filter(None, [_energy(run), _gpus(run)]))


def _energy(run: Run) -> str:
    stated, found = run.record.benchmark.hardware, rows(run)
    reasons = {row.energy.how for row in found}
    if {"unavailable"} == {row.energy.label for row in found} and len(reasons) == 1:
        return f"## Energy\n\nUnavailable: {reasons.pop()}. Nothing is estimated unasked."
    has_carbon = stated.carbon_g_per_kwh is not None
    header = ["Stage", "Device", "Energy (J)", *(["CO2e (g)"] if has_carbon else []), "", "By"]
    cells = [_cells(row, has_carbon) for row in [*found, *_totals(run, found)]]
    lines = [f"## Energy\n\n{table(header, cells)}", *_notes(found)]
    if has_carbon:
        lines.append(
            f"CO2e: energy x {stated.carbon_g_per_kwh:g} g/kWh, the user's figure for this "
            "machine's electricity: never more than an estimate."
        )
    return "\n\n".join(lines)


def _totals(run: Run, found: list[Row]) -> Iterator[Row]:
    """A sum over the stages of each device."""
    for device in dict.fromkeys(row.device for row in found):
        summed = energy.total([row.energy for row in found if row.device == device])
        yield Row("Together", device, summed, summed.carbon_g(run.record.benchmark.hardware))


def _cells(row: Row, has_carbon: bool) -> list[str]:
    joules = "-" if row.energy.joules is None else f"{row.energy.joules:,.0f}"
    carbon = "-" if row.carbon_g is None else f"{row.carbon_g:.3f}"
    return [
        *(row.stage, row.device, joules),
        *([carbon] if has_carbon else []),
        *(row.energy.label, row.energy.how),
    ]


def _notes(found: list[Row]) -> Iterator[str]:
    labels = {(row.device, row.energy.label) for row in found}
    if ("CPU", "measured") in labels:
        yield (
            "CPU, measured: the processor's packages whole, whatever else ran on them; without "
            "memory modules, disks and power supply. Stages that ran at the same time on one "
            "machine count its packages each."
        )
    if ("CPU", "estimated") in labels:
        yield (
            "CPU, estimated: from the watts that the benchmark states, for the threads that the "
            "stage's process kept busy; idle power is not in it."
        )
    if ("GPU", "measured") in labels:
        yield "GPU, measured: the board whole, whoever used it."


def _gpus(run: Run) -> str:
    found = uses(run)
    if not found:
        return ""
    header = ["Stage", "GPU", "At work", "Memory (GB)", "Power (W)", "n", "Not said"]
    return (
        f"## GPUs\n\n{table(header, [_gpu_cells(row.stage, row.gpu) for row in found])}\n\n"
        "Mean / maximum of n samples by NVML, of the whole GPU. At work: share of the time with a "
        "kernel running, which says nothing of how much of the GPU it fills. Memory: what "
        "processes hold of it."
    )


def _gpu_cells(stage: str, gpu: GpuUse) -> list[str]:
    levels = [row for row in (gpu.utilization, gpu.memory_bytes, gpu.power_w) if row]
    return [
        *(stage, f"{gpu.id}: {gpu.name}"),
        _level(gpu.utilization, 0.01, "{:.0f} %"),
        _level(gpu.memory_bytes, 1e9, "{:.2f}"),
        _level(gpu.power_w, 1, "{:.0f}"),
        str(max((row.num_samples for row in levels), default=0)),
        "; ".join(f"{what}: {why}" for what, why in gpu.missing.items()),
    ]


def _level(level: Level | None, unit: float, form: str) -> str:
    if level is None:
        return "-"
    return f"{form.format(level.mean / unit)} / {form.format(level.max / unit)}"
