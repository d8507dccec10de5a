"""The machine of a measurement: CPU, memory, load, GPUs.

A value that cannot be read is None or "unknown"; a missing list of GPUs comes with the reason.
"""

import contextlib
import itertools
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil
import pynvml

from gfr import environment
from gfr.measurement import allowance, gpu
from gfr.types import Amount, Count, Positive, Share

# Flags in /proc/cpuinfo that determine the speed of float32 and bfloat16 convolutions.
NOTABLE_CPU_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8",
)  # fmt: skip

# Environment variables that change speed, by their beginnings; those that change numbers do too.
_SETTINGS = ("TF_NUM_", "OMP_", "CUDA_VISIBLE_DEVICES", "LD_PRELOAD", "MALLOC_")


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU as reported by NVML; `utilization` 0..1."""

    name: str
    driver: str
    memory_total_bytes: Count
    memory_used_bytes: Count
    memory_free_bytes: Count
    utilization: Share | None
    compute_capability: tuple[int, int] | None


@dataclass(frozen=True)
class Hardware:
    """CPU, memory, load and GPUs at one moment; `cpu_load` is the 1-minute load average.

    Memory is what this process may use; CPUs and load are those of the machine.
    """

    cpu_architecture: str
    cpu_model: str
    cpu_physical_cores: Positive | None
    cpu_threads: Positive
    cpu_flags: tuple[str, ...]
    cpu_load: Amount
    memory_total_bytes: Count
    memory_available_bytes: Count
    gpus: tuple[Gpu, ...]
    gpu_note: str


def collect() -> Hardware:
    """Read the machine's present state."""
    memory = allowance.memory()
    model, flags = _cpu()
    gpus, gpu_note = _gpus()
    return Hardware(
        cpu_architecture=platform.machine(),
        cpu_model=model,
        cpu_physical_cores=psutil.cpu_count(logical=False),
        cpu_threads=psutil.cpu_count() or 1,
        cpu_flags=tuple(flag for flag in NOTABLE_CPU_FLAGS if flag in flags),
        cpu_load=psutil.getloadavg()[0],
        memory_total_bytes=memory.total_bytes,
        memory_available_bytes=memory.available_bytes,
        gpus=gpus,
        gpu_note=gpu_note,
    )


def settings() -> dict[str, str]:
    """Return the environment variables that change speed; TensorFlow later sets some itself."""
    speed = {key: value for key, value in os.environ.items() if key.startswith(_SETTINGS)}
    return environment.numeric_settings() | speed


def visible_gpus() -> tuple[str, ...] | None:
    """Return the GPUs that CUDA_VISIBLE_DEVICES allows to this process; None: all of them."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return None
    rows = [row.strip() for row in allowed.split(",")]
    # CUDA stops at the first invalid entry; -1 is the usual way to hide all GPUs.
    return tuple(itertools.takewhile(lambda row: row not in ("", "-1"), rows))


def gpu_ids() -> tuple[str, ...]:
    """Return the GPUs that this process may use, named as in CUDA_VISIBLE_DEVICES."""
    visible = visible_gpus()
    return tuple(map(str, range(len(_gpus()[0])))) if visible is None else visible


def _cpu() -> tuple[str, set[str]]:
    """Return model and flags of the first processor in /proc/cpuinfo."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or "unknown", set()
    lines = path.read_text().partition("\n\n")[0].splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (row.partition(":") for row in lines)}
    return fields.get("model name", "unknown"), set(fields.get("flags", "").split())


def _gpus() -> tuple[tuple[Gpu, ...], str]:
    try:
        with gpu.opened():
            driver = pynvml.nvmlSystemGetDriverVersion()
            gpus = tuple(_gpu(index, driver) for index in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError as error:
        return (), f"none (NVML: {error})"
    return gpus, f"{len(gpus)} through NVML" if gpus else "none (NVML counts 0)"


def _gpu(index: int, driver: str) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    utilization = capability = None
    with contextlib.suppress(pynvml.NVMLError):  # not supported by every GPU
        utilization = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    with contextlib.suppress(pynvml.NVMLError):
        capability = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return Gpu(name, driver, memory.total, memory.used, memory.free, utilization, capability)
