"""What GPUs do during a stage, by a fake NVML: no GPU is here to ask."""

import threading

import pynvml
import pytest
from fake_nvml import NAME, Gpu, refuse

from gfr.measurement import gpu as measurement_gpu
from gfr.measurement.gpu import Level
from gfr.measurement.resources import metered


def during(gpu, num_samples):
    """The cost of a stage that takes so many samples; a last one is taken at its end."""
    _, cost = metered(lambda: gpu.wait(1 + num_samples), sample_every_s=0.001)
    return cost


def test_a_stage_records_work_memory_power_and_energy(monkeypatch):
    """Means and maxima of regular samples; energy is the difference of the GPU's counter."""
    gpu = Gpu().install(monkeypatch)
    cost = during(gpu, 3)
    (found,) = cost.gpus
    num = gpu.num_samples
    assert num >= 4
    rising = [min(100, 10 * k) / 100 for k in range(1, num + 1)]  # 0.1 * 6 is not 0.6
    assert (NAME, "0", {}, "") == (found.name, found.id, found.missing, cost.gpu_note)
    assert pytest.approx(sum(rising) / num) == found.utilization.mean
    assert (max(rising), num) == (found.utilization.max, found.utilization.num_samples)
    assert num << 30 == found.memory_bytes.max
    assert Level(100.0, 100.0, num) == found.power_w
    assert 50.0 * num == found.energy_j


def test_only_the_gpus_of_this_process_are_watched(monkeypatch):
    """By number or by UUID, as CUDA_VISIBLE_DEVICES has them; -1 hides all."""
    asked = []
    answers = {
        "nvmlDeviceGetHandleByIndex": lambda row: asked.append(row) or row,
        "nvmlDeviceGetHandleByUUID": lambda row: asked.append(row) or row,
    }
    gpu = Gpu(**answers).install(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1, GPU-4d2a,-1,0")
    assert ["1", "GPU-4d2a"] == [row.id for row in during(gpu, 1).gpus]
    assert [1, "GPU-4d2a"] == asked


def test_what_a_gpu_cannot_say_is_missing_with_its_reason(monkeypatch):
    """A GPU without a power sensor is still watched."""
    not_supported = refuse(pynvml.NVML_ERROR_NOT_SUPPORTED)
    gpu = Gpu(nvmlDeviceGetPowerUsage=not_supported).install(monkeypatch)
    (found,) = during(gpu, 2).gpus
    assert ({"power": "Not Supported"}, None) == (found.missing, found.power_w)
    assert found.utilization.num_samples >= 2
    assert found.energy_j > 0


def test_a_driver_lost_in_the_middle_costs_no_stage(monkeypatch):
    """What was seen stays, with the reason why it ends; an energy without an end is none."""
    gpu = Gpu().install(monkeypatch)

    def stage():
        gpu.wait(3)
        lost = threading.Event()

        def fail(handle):
            lost.set()
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

        for question in ("UtilizationRates", "MemoryInfo", "PowerUsage", "TotalEnergyConsumption"):
            monkeypatch.setattr(pynvml, f"nvmlDeviceGet{question}", fail)
        monkeypatch.setattr(pynvml, "nvmlShutdown", refuse(pynvml.NVML_ERROR_UNINITIALIZED))
        assert lost.wait(10)
        return "done"

    value, cost = metered(stage, sample_every_s=0.001)
    (found,) = cost.gpus
    assert "done" == value
    assert dict.fromkeys(["utilization", "memory", "power", "energy"], "GPU is lost") == {
        name: reason.removesuffix(".") for name, reason in found.missing.items()
    }
    assert found.utilization.num_samples >= 1
    assert found.energy_j is None


def test_an_nvml_that_never_answers_costs_no_stage(monkeypatch):
    """A driver can hang: the stage begins, ends, and says so."""
    answer = threading.Event()
    Gpu(nvmlDeviceGetCount=lambda: answer.wait(10)).install(monkeypatch)
    monkeypatch.setattr(measurement_gpu, "PATIENCE_S", 0.01)
    value, cost = metered(lambda: "done")
    answer.set()
    assert ("done", (), "NVML has not answered for 0.01 s") == (value, cost.gpus, cost.gpu_note)


def test_without_a_driver_the_reason_is_recorded(monkeypatch):
    """As on every machine without a GPU."""
    Gpu(nvmlInit=refuse(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)).install(monkeypatch)
    _, cost = metered(lambda: None)
    assert ((), True) == (cost.gpus, cost.gpu_note.startswith("none (NVML: "))
