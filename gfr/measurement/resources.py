"""Resources used by a stage: wall time, CPU time, peak memory, energy, GPUs.

Memory is that of this process and its children, sampled; CPU time that of all threads of this
process; energy and GPU values are those of the whole machine, from its counters.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psutil

from gfr.measurement import cpu_energy, gpu, hardware
from gfr.measurement.cpu_energy import CpuEnergy
from gfr.types import Count, Seconds

T = TypeVar("T")

SAMPLE_EVERY_S = 0.2


@dataclass(frozen=True)
class Cost:
    """`peak_memory_bytes`: largest resident size of the process tree in regular samples.

    `cpu_energy` None: recorded before it was measured. `gpu_note`: why `gpus` is empty.
    """

    wall_s: Seconds
    cpu_s: Seconds
    peak_memory_bytes: Count
    cpu_energy: CpuEnergy | None = None
    gpus: tuple[gpu.GpuUse, ...] = ()
    gpu_note: str = ""


def metered(stage: Callable[[], T], sample_every_s: float = SAMPLE_EVERY_S) -> tuple[T, Cost]:
    """Run `stage`; return its value and its cost."""
    stop = threading.Event()
    peak_bytes = resident_bytes()
    finish_gpus = gpu.watch(hardware.visible_gpus(), sample_every_s)
    read_cpu_energy = cpu_energy.meter(cpu_energy.POWERCAP)

    def watch() -> None:
        nonlocal peak_bytes
        while not stop.wait(sample_every_s):
            peak_bytes = max(peak_bytes, resident_bytes())
            read_cpu_energy()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    try:
        value = stage()
    finally:
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        stop.set()
        watcher.join()
        energy, (gpus, note) = read_cpu_energy(), finish_gpus()
    return value, Cost(wall_s, cpu_s, max(peak_bytes, resident_bytes()), energy, gpus, note)


def resident_bytes() -> int:
    """Return the resident memory of this process and its children in bytes."""
    total = 0
    process = psutil.Process()
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # it ended between the listing and the reading
            total += member.memory_info().rss
    return total
