"""What NVIDIA's management library says of the GPUs while a stage runs.

In: which GPUs, how often. Out: a GpuUse each: means and maxima of samples, energy by the GPU's own
counter. Of the whole GPU, whoever uses it. Never guesses and never stops a stage: what NVML does
not say is None, and `missing` holds its reason.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from gfr.types import Amount, Positive

PATIENCE_S = 5.0  # a driver in trouble can leave a call without an answer for ever

# Units: share of time with a kernel at work, bytes, watts, joules since the driver was loaded.
_QUESTIONS: dict[str, Callable[[ModuleType, Any], float]] = {
    "utilization": lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    "memory": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    "power": lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
    "energy": lambda nvml, gpu: nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000,
}


class Unavailable(Exception):
    """NVML cannot be asked; the message says why."""


@dataclass(frozen=True)
class Level:
    """A quantity over a stage."""

    mean: Amount
    max: Amount
    num_samples: Positive


@dataclass(frozen=True)
class GpuUse:
    """One GPU during a stage: `utilization` 0..1, memory in bytes, power in watts.

    `id` as CUDA_VISIBLE_DEVICES names it. `missing`: what NVML did not say, or not until the end,
    and why.
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
    """All GPUs during a stage; `note` says why there are none."""

    gpus: tuple[GpuUse, ...]
    note: str


@contextlib.contextmanager
def opened() -> Iterator[ModuleType]:
    """The module pynvml, ready to be asked; Unavailable if it cannot be."""
    try:
        import pynvml  # here, so that `gfr doctor` can say that it is missing
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
    """Sample these GPUs (None: all) from now on; the function returned ends that.

    In a thread that is not waited for longer than PATIENCE_S at either end.
    """
    stop, ready = threading.Event(), threading.Event()
    found: list[Watched] = []

    def sample() -> None:
        try:
            found.append(_sample(ids, every_s, stop, ready))
        except Unavailable as error:
            found.append(Watched((), f"none ({error})"))
        finally:
            ready.set()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    ready.wait(PATIENCE_S)

    def finish() -> Watched:
        stop.set()
        thread.join(PATIENCE_S)
        return found[0] if found else Watched((), f"NVML has not answered for {PATIENCE_S:g} s")

    return finish


def _sample(
    ids: Sequence[str] | None, every_s: float, stop: threading.Event, ready: threading.Event
) -> Watched:
    with opened() as nvml:
        wanted = range(nvml.nvmlDeviceGetCount()) if ids is None else ids
        gpus = [_Gpu.find(nvml, str(row)) for row in wanted]
        for gpu in gpus:
            gpu.ask(nvml, "energy")
        ready.set()
        is_over = False
        while not is_over:
            is_over = stop.wait(every_s)
            for gpu in gpus:
                for question in _QUESTIONS:
                    gpu.ask(nvml, question)
        return Watched(tuple(gpu.use() for gpu in gpus), "" if gpus else "none (NVML counts 0)")


@dataclass
class _Gpu:
    """A GPU and what it has said so far."""

    id: str
    name: str = "unknown"
    handle: Any = None
    values: dict[str, list[float]] = field(default_factory=lambda: {row: [] for row in _QUESTIONS})
    missing: dict[str, str] = field(default_factory=dict)

    @classmethod
    def find(cls, nvml: ModuleType, gpu_id: str) -> "_Gpu":
        try:
            handle = (
                nvml.nvmlDeviceGetHandleByIndex(int(gpu_id))
                if gpu_id.isdecimal()
                else nvml.nvmlDeviceGetHandleByUUID(gpu_id)
            )
            return cls(gpu_id, text(nvml.nvmlDeviceGetName(handle)), handle)
        except nvml.NVMLError as error:
            return cls(gpu_id, missing={row: str(error) for row in _QUESTIONS})

    def ask(self, nvml: ModuleType, question: str) -> None:
        """What has failed once is not asked again: its mean would be of another time."""
        if question in self.missing:
            return
        try:
            self.values[question].append(_QUESTIONS[question](nvml, self.handle))
        except nvml.NVMLError as error:
            self.missing[question] = str(error)

    def use(self) -> GpuUse:
        energy, missing = self.values["energy"], dict(self.missing)
        energy_j = None
        if "energy" not in missing:
            energy_j = energy[-1] - energy[0]
            if energy_j < 0:
                energy_j, missing["energy"] = None, "its counter went back"
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


def text(value: str | bytes) -> str:
    """What NVML calls something, which older versions of pynvml give as bytes."""
    return value.decode() if isinstance(value, bytes) else value
