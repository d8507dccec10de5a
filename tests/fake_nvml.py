"""GPUs that are not there: the module pynvml with answers of our own."""

import threading
from types import SimpleNamespace

import pynvml

NAME = "NVIDIA GeForce RTX 3050"


def refuse(code):
    """An answer that is an error."""

    def fail(*arguments):
        raise pynvml.NVMLError(code)

    return fail


class Gpu:
    """One GPU that works harder with each sample: 10%, 20%, ...; 100 W and 50 J a sample."""

    def __init__(self, **answers):
        """`answers`: functions of pynvml that are to say something else."""
        self.num_samples, self.joules = 0, 1_000_000.0
        self.seen = threading.Semaphore(0)  # counts up with every whole sample
        self.answers = {
            "nvmlInit": lambda: None,
            "nvmlShutdown": lambda: None,
            "nvmlSystemGetDriverVersion": lambda: "575.1",
            "nvmlDeviceGetCount": lambda: 1,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetName": lambda handle: NAME,
            "nvmlDeviceGetUtilizationRates": self.utilization,
            "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(
                total=8 << 30, used=self.num_samples << 30, free=7 << 30
            ),
            "nvmlDeviceGetCudaComputeCapability": lambda handle: (8, 6),
            "nvmlDeviceGetPowerUsage": lambda handle: 100_000,
            "nvmlDeviceGetTotalEnergyConsumption": self.energy,
            **answers,
        }

    def utilization(self, handle):
        """Percent."""
        self.num_samples += 1
        return SimpleNamespace(gpu=min(100, 10 * self.num_samples))

    def energy(self, handle):
        """Millijoules; the last question of a sample."""
        self.seen.release()
        self.joules += 50
        return int(1000 * self.joules)

    def install(self, monkeypatch):
        """In pynvml's place."""
        for name, answer in self.answers.items():
            monkeypatch.setattr(pynvml, name, answer)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        return self

    def wait(self, num):
        """Until so many readings of the energy have been begun, the first at the start."""
        for _ in range(num):
            assert self.seen.acquire(timeout=10)
