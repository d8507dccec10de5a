"""What the machine says of itself."""

from types import SimpleNamespace

import pynvml

from gfr.measurement import hardware


def test_no_gpu_is_said_plainly(monkeypatch):
    """NVML that cannot start is no error and no guess."""

    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    found = hardware.collect()
    assert () == found.gpus
    assert found.gpu_note.startswith("none (NVML: ")


def test_a_gpu_that_fails_midway_is_said_too(monkeypatch):
    """Neither a crash nor half a GPU."""

    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: "575.1")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", fail)
    monkeypatch.setattr(pynvml, "nvmlShutdown", fail)
    found = hardware.collect()
    assert () == found.gpus
    assert found.gpu_note.startswith("none (NVML: GPU is lost")


def test_a_gpu_is_read_through_nvml(monkeypatch):
    """A fake NVML in the published machine's likeness: no GPU is here to ask."""
    memory = SimpleNamespace(total=8 << 30, used=1 << 30, free=7 << 30)
    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "575.1",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetName": lambda handle: "NVIDIA GeForce RTX 3050",
        "nvmlDeviceGetMemoryInfo": lambda handle: memory,
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=10),
        "nvmlDeviceGetCudaComputeCapability": lambda handle: (8, 6),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)
    memory_bytes = (8 << 30, 1 << 30, 7 << 30)
    expected = hardware.Gpu("NVIDIA GeForce RTX 3050", "575.1", *memory_bytes, 0.1, (8, 6))
    assert (expected,) == hardware.collect().gpus


def test_cpu_and_memory_are_real():
    """Plausible on any machine that runs this."""
    found = hardware.collect()
    assert found.cpu_threads >= (found.cpu_physical_cores or 1) >= 1
    assert 0 < found.memory_available_bytes <= found.memory_total_bytes
