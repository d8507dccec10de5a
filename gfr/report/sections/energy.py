"""Energy: energy and emissions by kind of stage, and what the GPUs did."""

from gfr.measurement import energy
from gfr.measurement.gpu import Level
from gfr.report import markdown
from gfr.report.section import Block, Report, Section, Table
from gfr.results import costs
from gfr.results.costs import Row, Use
from gfr.results.records import Run

_NOTES = {
    ("CPU", "measured"): "CPU, measured: the whole processor packages, including other processes, "
    "without memory modules, disks and power supply. Stages that ran at the same time on one "
    "machine each count its packages.",
    ("CPU", "estimated"): "CPU, estimated: from the watts stated in the benchmark, for the threads "
    "that the stage's process kept busy, without idle power.",
    ("GPU", "measured"): "GPU, measured: the whole board, including other processes.",
}


def section(report: Report) -> Section:
    """Return energy with its sources, then the GPUs if there are any."""
    return Section("energy", "Energy", [*_energy(report.run), *_gpus(report.run)])


def _energy(run: Run) -> list[Block]:
    stated, rows = run.record.benchmark.hardware, costs.rows(run)
    kinds = {(row.device, row.energy.label) for row in rows}
    reasons = {row.energy.how for row in rows}
    if {"unavailable"} == {label for _, label in kinds} and len(reasons) == 1:
        return [
            f"Unavailable: {markdown.text(reasons.pop())}. To estimate it, set `cpu_watts` in "
            "`[hardware]` of the benchmark file."
        ]
    for device in dict.fromkeys(row.device for row in rows):
        total = energy.total([row.energy for row in rows if row.device == device])
        rows.append(Row("Total", device, total, total.carbon_g(stated)))
    has_carbon = stated.carbon_g_per_kwh is not None
    blocks: list[Block] = [Table.of([_cells(row, has_carbon) for row in rows])]
    blocks += [note for kind, note in _NOTES.items() if kind in kinds] + [costs.refits_note(run)]
    if has_carbon:
        blocks.append(
            f"CO2e: energy x {stated.carbon_g_per_kwh:g} g/kWh, the user's figure for this "
            "machine's electricity, so always an estimate."
        )
    return blocks


def _cells(row: Row, has_carbon: bool) -> dict[str, str]:
    joules = "-" if row.energy.joules is None else f"{row.energy.joules:,.0f}"
    carbon = "-" if row.carbon_g is None else f"{row.carbon_g:.3f}"
    return {
        "Stage": row.stage,
        "Device": row.device,
        "Energy (J)": joules,
        **({"CO2e (g)": carbon} if has_carbon else {}),
        "Kind": row.energy.label,
        "Source": markdown.text(row.energy.how),
    }


def _gpus(run: Run) -> list[Block]:
    uses = costs.uses(run)
    if not uses:
        return []
    return [
        "### GPUs",
        Table.of(list(map(_gpu_cells, uses))),
        "Mean / maximum of NVML samples of the whole GPU. Utilization: share of the time with a "
        "kernel running, however little of the GPU it uses. Memory: allocated by processes.",
    ]


def _gpu_cells(use: Use) -> dict[str, str]:
    gpu = use.gpu
    levels = filter(None, (gpu.utilization, gpu.memory_bytes, gpu.power_w))
    reasons = "; ".join(f"{what}: {why}" for what, why in gpu.missing.items())
    return {
        "Stage": use.stage,
        "GPU": markdown.text(f"{gpu.id}: {gpu.name}"),
        "Utilization": _level(gpu.utilization, 0.01, "{:.0f}%"),
        "Memory (GB)": _level(gpu.memory_bytes, 1e9, "{:.2f}"),
        "Power (W)": _level(gpu.power_w, 1, "{:.0f}"),
        "Samples": str(max((row.num_samples for row in levels), default=0)),
        "Unavailable": markdown.text(reasons),
    }


def _level(level: Level | None, unit: float, form: str) -> str:
    if level is None:
        return "-"
    return f"{form.format(level.mean / unit)} / {form.format(level.max / unit)}"
