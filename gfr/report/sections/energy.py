"""Energy: energy and emissions by kind of stage, and what the GPUs did."""

from collections.abc import Iterator

from gfr.measurement import energy
from gfr.measurement.gpu import Level
from gfr.report import markdown
from gfr.report.section import Block, Report, Section, Table
from gfr.results import costs
from gfr.results.costs import Row, Use
from gfr.results.records import Run

_GPU_HEADER = ("Stage", "GPU", "Utilization", "Memory (GB)", "Power (W)", "Samples", "Unavailable")


def section(report: Report) -> Section:
    """Return energy with its sources, then the GPUs if there are any."""
    return Section("energy", "Energy", [*_energy(report.run), *_gpus(report.run)])


def _energy(run: Run) -> list[Block]:
    carbon_g_per_kwh, rows = run.record.benchmark.hardware.carbon_g_per_kwh, costs.rows(run)
    reasons = {row.energy.how for row in rows}
    if {"unavailable"} == {row.energy.label for row in rows} and len(reasons) == 1:
        return [
            f"Unavailable: {markdown.text(reasons.pop())}. gfr estimates energy only on request."
        ]
    has_carbon = carbon_g_per_kwh is not None
    header = ["Stage", "Device", "Energy (J)", *(["CO2e (g)"] if has_carbon else [])]
    cells = [_cells(row, has_carbon) for row in [*rows, *_totals(run, rows)]]
    blocks: list[Block] = [Table([*header, "Kind", "Source"], cells), *_notes(rows)]
    if has_carbon:
        blocks.append(
            f"CO2e: energy x {carbon_g_per_kwh:g} g/kWh, the user's figure for this machine's "
            "electricity, so always an estimate."
        )
    return blocks


def _totals(run: Run, rows: list[Row]) -> Iterator[Row]:
    """Yield a sum over the stages of each device."""
    for device in dict.fromkeys(row.device for row in rows):
        total = energy.total([row.energy for row in rows if row.device == device])
        yield Row("Total", device, total, total.carbon_g(run.record.benchmark.hardware))


def _cells(row: Row, has_carbon: bool) -> list[str]:
    joules = "-" if row.energy.joules is None else f"{row.energy.joules:,.0f}"
    carbon = "-" if row.carbon_g is None else f"{row.carbon_g:.3f}"
    cells = [row.stage, row.device, joules, carbon, row.energy.label]
    cells.append(markdown.text(row.energy.how))
    return cells if has_carbon else [*cells[:3], *cells[4:]]


def _notes(rows: list[Row]) -> Iterator[str]:
    labels = {(row.device, row.energy.label) for row in rows}
    if ("CPU", "measured") in labels:
        yield (
            "CPU, measured: the whole processor packages, including other processes, without "
            "memory modules, disks and power supply. Stages that ran at the same time on one "
            "machine each count its packages."
        )
    if ("CPU", "estimated") in labels:
        yield (
            "CPU, estimated: from the watts stated in the benchmark, for the threads that the "
            "stage's process kept busy, without idle power."
        )
    if ("GPU", "measured") in labels:
        yield "GPU, measured: the whole board, including other processes."


def _gpus(run: Run) -> list[Block]:
    uses = costs.uses(run)
    if not uses:
        return []
    return [
        "### GPUs",
        Table(_GPU_HEADER, list(map(_gpu_cells, uses))),
        "Mean / maximum of NVML samples of the whole GPU. Utilization: share of the time with a "
        "kernel running, however little of the GPU it uses. Memory: allocated by processes.",
    ]


def _gpu_cells(use: Use) -> list[str]:
    gpu = use.gpu
    levels = [row for row in (gpu.utilization, gpu.memory_bytes, gpu.power_w) if row]
    return [
        *(use.stage, markdown.text(f"{gpu.id}: {gpu.name}")),
        _level(gpu.utilization, 0.01, "{:.0f} %"),
        _level(gpu.memory_bytes, 1e9, "{:.2f}"),
        _level(gpu.power_w, 1, "{:.0f}"),
        str(max((row.num_samples for row in levels), default=0)),
        markdown.text("; ".join(f"{what}: {why}" for what, why in gpu.missing.items())),
    ]


def _level(level: Level | None, unit: float, form: str) -> str:
    if level is None:
        return "-"
    return f"{form.format(level.mean / unit)} / {form.format(level.max / unit)}"
