"""GPU utilisation, memory, power and energy during a stage, through NVIDIA's NVML.

The values are those of the whole GPU, whichever process uses it. A failing GPU or driver never
fails a stage: a value that NVML does not give is None, and `missing` holds the reason.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from gfr.types import Amount, Positive

PATIENCE_S = 5.0  # calls into a failing driver may never return

# Units: share of time with a kernel running, bytes, watts, joules since the driver was loaded.
_QUANTITIES: dict[str, Callable[[ModuleType, Any], float]] = {
    "utilization": lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    "memory": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    "power": lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
    "energy": lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000,
}


class Unavailable(Exception):
    """NVML cannot be used; the message says why."""


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


@dataclass(frozen=True)
class Watched:
    """All GPUs during a stage; `note` says why `gpus` is empty."""

    gpus: tuple[GpuUse, ...]
    note: str


@contextlib.contextmanager
def opened() -> Iterator[ModuleType]:
    """Initialise NVML and yield the module pynvml; Unavailable if that fails."""
    try:
        import pynvml  # not at the top: `gfr doctor` reports it as missing
    except ImportError:
        raise Unavailable("the module pynvml is missing") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise Unavailable(f"NVML: {error}") from None
    try:
        yield pynvml
    except pynvml.NVMLError as error:
        raise Unavailable(f"NVML failed: {error}") from None
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def watch(ids: Sequence[str] | None, every_s: float) -> Callable[[], Watched]:
    """Start to sample these GPUs (None: all) in a thread; the returned function stops it.

    Neither waits longer than PATIENCE_S for the driver.
    """
    stop, ready = threading.Event(), threading.Event()
    results: list[Watched] = []

    def sample() -> None:
        try:
            results.append(_sample(ids, every_s, stop, ready))
        except Unavailable as error:
            results.append(Watched((), f"none ({error})"))
        finally:
            ready.set()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    ready.wait(PATIENCE_S)

    def finish() -> Watched:
        stop.set()
        thread.join(PATIENCE_S)
        return results[0] if results else Watched((), f"NVML has not answered for {PATIENCE_S:g} s")

    return finish


def _sample(
    ids: Sequence[str] | None, every_s: float, stop: threading.Event, ready: threading.Event
) -> Watched:
    with opened() as nvml:
        gpu_ids = range(nvml.nvmlDeviceGetCount()) if ids is None else ids
        gpus = [_Gpu.find(nvml, str(gpu_id)) for gpu_id in gpu_ids]
        for gpu in gpus:
            gpu.sample(nvml, "energy")
        ready.set()
        is_over = False
        while not is_over:
            is_over = stop.wait(every_s)
            for gpu in gpus:
                for quantity in _QUANTITIES:
                    gpu.sample(nvml, quantity)
        return Watched(tuple(gpu.use() for gpu in gpus), "" if gpus else "none (NVML counts 0)")


@dataclass
class _Gpu:
    """A GPU and its samples so far."""

    id: str
    name: str = "unknown"
    handle: Any = None
    values: dict[str, list[float]] = field(default_factory=lambda: {row: [] for row in _QUANTITIES})
    missing: dict[str, str] = field(default_factory=dict)

    @classmethod
    def find(cls, nvml: ModuleType, gpu_id: str) -> "_Gpu":
        try:
            handle = (
                nvml.nvmlDeviceGetHandleByIndex(int(gpu_id))
                if gpu_id.isdecimal()
                else nvml.nvmlDeviceGetHandleByUUID(gpu_id)
            )
            return cls(gpu_id, nvml.nvmlDeviceGetName(handle), handle)
        except nvml.NVMLError as error:
            return cls(gpu_id, missing={row: str(error) for row in _QUANTITIES})

    def sample(self, nvml: ModuleType, quantity: str) -> None:
        """Sample a quantity, unless it has failed: its mean would cover part of the stage only."""
        if quantity in self.missing:
            return
        try:
            self.values[quantity].append(_QUANTITIES[quantity](nvml, self.handle))
        except nvml.NVMLError as error:
            self.missing[quantity] = str(error)

    def use(self) -> GpuUse:
        energy, missing = self.values["energy"], dict(self.missing)
        energy_j = None
        if "energy" not in missing:
            energy_j = energy[-1] - energy[0]
            if energy_j < 0:
                energy_j, missing["energy"] = None, "its counter went backwards"
        return GpuUse(
            id=self.id,
            name=self.name,
            utilization=_level(self.values["utilization"]),
            memory_bytes=_level(self.values["memory"]),
            power_w=_level(self.values["power"]),
            energy_j=energy_j,
            missing=missing,
        )


def _level(values: list[float]) -> Level | None:
    return Level(sum(values) / len(values), max(values), len(values)) if values else None
