"""GPU utilisation, memory, power and energy during a stage, through NVIDIA's NVML.

The values are those of the whole GPU, whichever process uses it. A failing GPU or driver never
fails a stage: a value that NVML does not give is None, and `missing` holds the reason.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pynvml

from gfr.types import Amount, Positive

PATIENCE_S = 5.0  # calls into a failing driver may never return

# Units: share of time with a kernel running, bytes, watts, joules since the driver was loaded.
_QUANTITIES: dict[str, Callable[[Any], float]] = {
    "utilization": lambda gpu: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    "memory": lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).used,
    "power": lambda gpu: pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
    "energy": lambda gpu: pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000,
}


@dataclass(frozen=True)
class Level:
    """Samples of one quantity during a stage."""

    mean: Amount
    max: Amount
    num_samples: Positive


@dataclass(frozen=True)
class GpuUse:
    """One GPU during a stage: `utilization` 0..1, memory in bytes, power in watts.

    `id` as in CUDA_VISIBLE_DEVICES. `missing`: quantities that NVML did not give, or not until the
    end of the stage, with the reasons.
    """

    id: str
    name: str
    utilization: Level | None
    memory_bytes: Level | None
    power_w: Level | None
    energy_j: Amount | None
    missing: dict[str, str]


@contextlib.contextmanager
def opened() -> Iterator[None]:
    """Initialise NVML for the block; NVMLError if that fails."""
    pynvml.nvmlInit()
    try:
        yield
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def watch(
    ids: Sequence[str] | None, every_s: float
) -> Callable[[], tuple[tuple[GpuUse, ...], str]]:
    """Start to sample these GPUs (None: all) in a thread.

    The returned function stops it, and returns what the GPUs did or why it is unknown. Neither
    waits longer than PATIENCE_S for the driver.
    """
    stop, ready = threading.Event(), threading.Event()
    result: tuple[tuple[GpuUse, ...], str] = (), f"NVML has not answered for {PATIENCE_S:g} s"

    def sample() -> None:
        nonlocal result
        try:
            uses = _sample(ids, every_s, stop, ready)
            result = uses, "" if uses else "none (NVML counts 0)"
        except pynvml.NVMLError as error:
            result = (), f"none (NVML: {error})"
        finally:
            ready.set()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    ready.wait(PATIENCE_S)

    def finish() -> tuple[tuple[GpuUse, ...], str]:
        stop.set()
        thread.join(PATIENCE_S)
        return result

    return finish


def _sample(
    ids: Sequence[str] | None, every_s: float, stop: threading.Event, ready: threading.Event
) -> tuple[GpuUse, ...]:
    """Sample until `stop` is set; `ready` is set once the energy counters have been read."""
    with opened():
        gpu_ids = range(pynvml.nvmlDeviceGetCount()) if ids is None else ids
        gpus = [_Gpu(str(gpu_id)) for gpu_id in gpu_ids]
        for gpu in gpus:
            gpu.sample("energy")
        ready.set()
        is_over = False
        while not is_over:
            is_over = stop.wait(every_s)
            for gpu in gpus:
                gpu.sample(*_QUANTITIES)
        return tuple(gpu.use() for gpu in gpus)


class _Gpu:
    """A GPU and its samples so far."""

    def __init__(self, gpu_id: str) -> None:
        self.id, self.name = gpu_id, "unknown"
        self.values: dict[str, list[float]] = {quantity: [] for quantity in _QUANTITIES}
        self.missing: dict[str, str] = {}
        try:
            if gpu_id.isdecimal():
                self.handle = pynvml.nvmlDeviceGetHandleByIndex(int(gpu_id))
            else:
                self.handle = pynvml.nvmlDeviceGetHandleByUUID(gpu_id)
            self.name = pynvml.nvmlDeviceGetName(self.handle)
        except pynvml.NVMLError as error:
            self.missing = dict.fromkeys(_QUANTITIES, str(error))

    def sample(self, *quantities: str) -> None:
        """Sample all that have not failed: a later mean would cover part of the stage only."""
        for quantity in quantities:
            if quantity not in self.missing:
                try:
                    self.values[quantity].append(_QUANTITIES[quantity](self.handle))
                except pynvml.NVMLError as error:
                    self.missing[quantity] = str(error)

    def use(self) -> GpuUse:
        energy_j = self.values["energy"]
        if "energy" not in self.missing and energy_j[-1] < energy_j[0]:
            self.missing["energy"] = "its counter went backwards"
        used_j = None if "energy" in self.missing else energy_j[-1] - energy_j[0]
        levels = {name: _level(values) for name, values in self.values.items()}
        share, memory, power = levels["utilization"], levels["memory"], levels["power"]
        return GpuUse(self.id, self.name, share, memory, power, used_j, self.missing)


def _level(values: list[float]) -> Level | None:
    return Level(sum(values) / len(values), max(values), len(values)) if values else None
