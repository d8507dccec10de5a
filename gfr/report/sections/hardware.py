"""Hardware: the machine that ran the benchmark, and its workers."""

from gfr.measurement.hardware import Gpu
from gfr.report import facts, markdown
from gfr.report.section import Block, Report, Section, Table
from gfr.results.records import Run


def section(report: Report) -> Section:
    """Return CPU, memory and GPUs, and the workers if there are several."""
    hardware = report.run.record.hardware
    values = {
        "CPU": markdown.text(hardware.cpu_model),
        "Architecture": markdown.text(hardware.cpu_architecture),
        "Cores / threads": f"{hardware.cpu_physical_cores or 'unknown'} / {hardware.cpu_threads}",
        "CPU features": markdown.text(", ".join(hardware.cpu_flags)) or "no AVX2",
        "Total memory": f"{hardware.memory_total_bytes / 1e9:.2f} GB",
        "Memory available at start": f"{hardware.memory_available_bytes / 1e9:.2f} GB",
        "Load at start": f"{hardware.cpu_load:.2f} (1-minute average)",
        "GPU": "" if hardware.gpus else markdown.text(hardware.gpu_note),
        **{f"GPU {number}": _gpu(gpu) for number, gpu in enumerate(hardware.gpus, 1)},
    }
    rows = [[name, value] for name, value in values.items() if value]
    blocks: list[Block] = [Table(["", ""], rows), *_workers(report.run)]
    return Section("hardware", "Hardware", blocks)


def _gpu(gpu: Gpu) -> str:
    utilization = "unknown" if gpu.utilization is None else f"{gpu.utilization:.0%}"
    return (
        f"{markdown.text(gpu.name)}, driver {markdown.text(gpu.driver)}, memory "
        f"{gpu.memory_total_bytes / 1e9:.2f} GB ({gpu.memory_used_bytes / 1e9:.2f} used, "
        f"{gpu.memory_free_bytes / 1e9:.2f} free), utilization {utilization}"
    )


def _workers(run: Run) -> list[str | Table]:
    """Return nothing where the run's own process did everything."""
    workers = facts.workers(run)
    if len(workers) < 2:
        return []
    rows = [
        {
            "Worker (machine/process)": markdown.text(row.name),
            "CPU": markdown.text(row.cpu_model),
            "Images through backbones": f"{row.num_images:,}",
            "Heads trained": str(row.num_heads),
        }
        for row in workers
    ]
    return [
        "The workers below computed features and trained heads; latency was measured on the "
        "machine above only.",
        Table.of(rows),
    ]
