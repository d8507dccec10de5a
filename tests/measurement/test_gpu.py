"""The way to a GPU, on a machine that has none: locks, environment, choices, the doctor."""

import re
from dataclasses import replace

import pytest
import records
from fake_nvml import Gpu

from gfr import environment as gfr_environment
from gfr.measurement import hardware, software
from gfr.models.precision import may_accelerate_bfloat16
from gfr.pipeline import doctor, isolation
from gfr.pipeline.isolation import Limits
from gfr.pipeline.run_options import RunOptions
from gfr.storage.paths import ROOT

GPU = hardware.Gpu("RTX 3050", "575.1", 8 << 30, 1 << 30, 7 << 30, None, (8, 6))


def pinned(lock):
    """Versions by package, and the text."""
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE)), text


def test_the_gpu_lock_is_the_lock_and_cuda():
    """The same versions of all else, NVIDIA's libraries on top, every one by its digest."""
    (plain, _), (found, text) = pinned("requirements.lock"), pinned("requirements-gpu.lock")
    assert plain.items() <= found.items()
    more = found.keys() - plain.keys()
    assert {True} == {name.startswith("nvidia-") for name in more}
    assert doctor.CUDA_LIBRARY in more
    blocks = re.split(r"\n(?=[a-z])", text)
    assert [] == [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not re.search(r"^-|://", text, re.MULTILINE)


def test_the_document_lists_nvidias_packages_as_the_lock_has_them():
    """docs/gpu.md, name and version; `make lock` can change both."""
    text = (ROOT / "docs" / "gpu.md").read_text()
    listed = dict(re.findall(r"^\| `(nvidia-[\w-]+)` \| (\S+) \|$", text, re.MULTILINE))
    locked, _ = pinned("requirements-gpu.lock")
    assert {name: locked[name] for name in locked if name.endswith("-cu12")} == listed


def test_every_step_begins_with_memory_that_grows_and_with_true_float32(monkeypatch):
    """Before TensorFlow is imported; what the user has set stays."""
    for name in gfr_environment.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    isolation.end_idle()
    values = {
        name: isolation.call("os:getenv", name, limits=Limits())
        for name in gfr_environment.ENVIRONMENT
    }
    isolation.end_idle()
    assert gfr_environment.ENVIRONMENT | {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"} == values
    assert "true" == values["TF_FORCE_GPU_ALLOW_GROWTH"]


def test_bfloat16_is_for_ampere_and_newer():
    """Older GPUs, and machines with one of them, compute float32."""
    older = replace(GPU, compute_capability=(7, 5))
    rows = ((GPU,), (older,), (GPU, older), (replace(GPU, compute_capability=None),))
    found = [may_accelerate_bfloat16(replace(records.HARDWARE, gpus=row)) for row in rows]
    assert ["GPU", "", "", ""] == found


def test_a_gate_that_a_cpu_has_passed_is_not_claimed_of_a_gpu():
    """Gates are known by what computed them."""
    assert f"{software.engine()} on RTX 3050" == software.engine(["RTX 3050", "RTX 3050"])


@pytest.mark.parametrize(
    ("num_usable", "installed", "environment", "expected"),
    [
        (0, "missing", {}, ("note", "CUDA is not installed. Install it: make gpu")),
        (0, "9.3", {}, ("note", "TensorFlow finds no GPU: is the driver older")),
        (1, "9.3", {}, ("ok", "TensorFlow uses 1 GPU")),
        (
            1,
            "9.3",
            {gfr_environment.GROWTH: "false"},
            ("note", "TensorFlow allocates all of it. Unset it"),
        ),
        (1, "9.3", {"CUDA_VISIBLE_DEVICES": "-1"}, ("note", "hides every GPU. Unset it")),
    ],
)
def test_the_doctor_says_what_keeps_a_gpu_idle(
    num_usable, installed, environment, expected, monkeypatch
):
    """Driver, extra, memory growth, visibility: each with its cure."""
    Gpu().install(monkeypatch)
    monkeypatch.delenv(gfr_environment.GROWTH, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    version = software.version
    monkeypatch.setattr(
        doctor, "version", lambda name: installed if name == doctor.CUDA_LIBRARY else version(name)
    )
    monkeypatch.setattr(doctor, "_num_tensorflow_gpus", lambda: num_usable)
    found = doctor.examine(RunOptions("tiny", "synthetic", "random"))
    (gpu,) = [row.finding for row in found if row.subject == "GPU"]
    assert gpu.startswith("NVIDIA GeForce RTX 3050, 8.6 GB, driver 575.1, compute capability 8.6")
    status, words = expected
    assert [status] == [row.status for row in found if words in row.finding]
    assert "energy" in {row.subject for row in found}
