"""Is this machine fit to run gfr?

In: the project root, data and weights as the user would give them. Out: one Check a fact. Reads
metadata first: imports the packages it judges only if none is missing. Never mends anything.
"""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from gfr import text as gfr_text
from gfr.config.keras_applications import APPLICATIONS
from gfr.environment import GROWTH
from gfr.errors import BadInput
from gfr.measurement.software import version

if TYPE_CHECKING:
    from gfr.measurement.hardware import Gpu, Hardware


SUPPORTED = ("3.11", "3.12", "3.13")  # Python

TESTED_PLATFORM = "Linux x86_64"

# For these the lock resolves: the names that Python gives them, and those that users know.
_UNTESTED_PLATFORMS = {
    "Linux aarch64": "Linux aarch64",
    "Darwin arm64": "macOS arm64",
    "Windows AMD64": "Windows",
}

# The overrides are in [tool.uv] of pyproject.toml, which pip does not read.
_REINSTALL = (
    "a plain `pip install -e .` cannot resolve this set, since pip has no overrides; install the "
    "lock: remove .venv and run `make smoke`, or run `pip install --no-deps --require-hashes -r "
    "requirements.lock`, then `pip install --no-deps -e .`"
)

MIN_FREE_BYTES = 5 * 10**9

CUDA_LIBRARY = "nvidia-cudnn-cu12"  # of the extra `gpu`

_OLD_DRIVER = "is the driver older than 525.60?"  # the first for CUDA 12

BENCHMARKED = ("VGG16", "InceptionV3", "InceptionResNetV2")


@dataclass(frozen=True)
class Check:
    """`status`: ok, note (worth knowing) or bad (mend it before you run)."""

    status: str
    subject: str
    finding: str


def examine(
    data: str, weights_request: str, cache: Path, reports: Path, is_offline: bool
) -> list[Check]:
    """All checks, in the order in which one would mend what they find."""
    checks = [_python(), _platform(), *_requirements()]
    if is_incomplete(checks):
        return checks  # what follows needs the packages
    weights = _weights(weights_request, is_offline)
    return [*checks, *_hardware(), _disk(cache), _data(data), *weights, *_runs(reports)]


def is_incomplete(checks: list[Check]) -> bool:
    """Whether a package is missing, so that nothing can be said that needs it."""
    return any(check.finding.startswith("missing") for check in checks)


def text(checks: list[Check]) -> str:
    """One line a check, as `gfr doctor` prints them."""
    width = max(len(check.subject) for check in checks)
    return "\n".join(
        f"{check.status:4}  {check.subject:{width}}  {gfr_text.line(check.finding)}"
        for check in checks
    )


def _python() -> Check:
    found = platform.python_version()
    if found.rpartition(".")[0] in SUPPORTED:
        return Check("ok", "Python", found)
    return Check("note", "Python", f"{found}: gfr supports {', '.join(SUPPORTED)}")


def _platform() -> Check:
    found = f"{platform.system()} {platform.machine()}"
    if found == TESTED_PLATFORM:
        return Check("ok", "platform", found)
    name = _UNTESTED_PLATFORMS.get(found)
    known = f"{name}: the lock resolves here, but gfr was never run here" if name else found
    return Check("note", "platform", f"{known}; only {TESTED_PLATFORM} is tested")


def _requirements() -> list[Check]:
    checks = []
    for line in metadata.requires("gfr") or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = version(requirement.name)
        fits = found != "missing" and requirement.specifier.contains(found, prereleases=True)
        wanted = f" (wanted: {requirement.specifier})" if requirement.specifier and not fits else ""
        checks.append(Check("ok" if fits else "bad", requirement.name, found + wanted))
    if any(check.status == "bad" for check in checks):
        checks.append(Check("note", "install", _REINSTALL))
    return checks


def _hardware() -> list[Check]:
    from gfr.measurement import hardware

    found = hardware.collect()
    busy = found.cpu_load > 0.5 * found.cpu_threads
    return [
        Check(
            "ok",
            "CPU",
            f"{found.cpu_model}, {found.cpu_physical_cores} cores, {found.cpu_threads} threads, "
            f"{' '.join(found.cpu_flags) or 'no AVX2'}",
        ),
        Check("note" if busy else "ok", "load", f"{found.cpu_load:.2f} (1 minute)"),
        Check(
            "ok" if found.memory_available_bytes > 8e9 else "note",
            "memory",
            f"{found.memory_available_bytes / 1e9:.1f} of {found.memory_total_bytes / 1e9:.1f} GB "
            "available; a full run needs up to 7",
        ),
        *_gpus(found),
        _energy(),
    ]


def _gpus(found: "Hardware") -> list[Check]:
    """What stands between the GPUs of this machine and a run; TensorFlow is asked if there are."""
    from gfr.measurement import hardware

    if not found.gpus:
        return [Check("ok", "GPU", found.gpu_note)]
    checks = [Check("ok", "GPU", _gpu(gpu)) for gpu in found.gpus]
    if hardware.visible_gpus() == ():
        return [*checks, Check("note", "CUDA", "CUDA_VISIBLE_DEVICES hides every GPU: unset it")]
    if num_usable := _num_tensorflow_gpus():
        return [*checks, Check("ok", "CUDA", f"TensorFlow uses {num_usable} GPU"), _growth()]
    reason = "GPU there, but TensorFlow has no CUDA: make gpu"
    if version(CUDA_LIBRARY) != "missing":
        reason = f"GPU there and CUDA installed, but TensorFlow sees none: {_OLD_DRIVER}"
    return [*checks, Check("note", "CUDA", f"{reason}; runs compute on the CPU")]


def _gpu(gpu: "Gpu") -> str:
    capability = gpu.compute_capability
    words = "unknown" if capability is None else "{}.{}".format(*capability)
    memory_gb = gpu.memory_total_bytes / 1e9
    return f"{gpu.name}, {memory_gb:.1f} GB, driver {gpu.driver}, compute capability {words}"


def _num_tensorflow_gpus() -> int:
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _growth() -> Check:
    """gfr has GPU memory grow unless the user's environment says otherwise (gfr/environment.py)."""
    if os.environ.get(GROWTH, "true") == "true":
        return Check("ok", "GPU memory", "taken as needed")
    return Check("note", "GPU memory", f"{GROWTH} is set: TensorFlow takes all of it; unset it")


def _energy() -> Check:
    from gfr.measurement import cpu_energy

    found = cpu_energy.meter(cpu_energy.POWERCAP)()
    unavailable = found.joules is None
    words = f"of the CPU unavailable: {found.note}" if unavailable else f"of the CPU: {found.note}"
    return Check("note" if unavailable else "ok", "energy", words)


def _disk(cache: Path) -> Check:
    parent = next(path for path in (cache, *cache.parents) if path.exists())
    free_bytes = shutil.disk_usage(parent).free
    status = "ok" if free_bytes > MIN_FREE_BYTES else "note"
    return Check(status, "disk", f"{free_bytes / 1e9:.1f} GB free for {cache}")


def _data(request: str) -> Check:
    from gfr.data import loading

    source, directory = loading.locate(request)
    if directory is None:
        why = "asked for" if request == "synthetic" else "no CelebA under data/celeba"
        cure = "" if request == "synthetic" else "; `gfr data fetch` gets it (docs/data.md)"
        return Check("note", "data", f"synthetic faces: {why}{cure}")
    try:
        found = source.find(directory)
    except BadInput as error:
        return Check("bad", "data", str(error))
    return Check(
        "ok", "data", f"{source.name}: {found.image_dir}, labels in {found.label_file.name}"
    )


def _weights(request: str, is_offline: bool) -> list[Check]:
    from gfr.models import weights as models_weights

    if request == "random":
        return [Check("note", "weights", "random: asked for")]
    must = request == "imagenet"
    status, otherwise = {
        (False, False): ("note", "download, else random weights"),
        (False, True): ("note", "random weights, since offline"),
        (True, False): ("note", "download"),
        (True, True): ("bad", "cannot be had offline; name a directory of them"),
    }[must, is_offline]
    checks = []
    for name in BENCHMARKED:
        path = models_weights.in_keras_cache(name)
        if request not in models_weights.KEYWORDS:
            try:
                path = models_weights.in_directory(name, Path(request)) or path
            except BadInput as error:
                return [Check("bad", "weights", str(error))]
        missing = f"{APPLICATIONS[name].weights_file} not here: {otherwise}"
        checks.append(Check("ok" if path else status, f"weights {name}", str(path or missing)))
    return checks


def _runs(reports: Path) -> list[Check]:
    """Runs that ended before they were complete, and what goes on with each."""
    from gfr.results import status as results_status
    from gfr.results import store
    from gfr.storage import locks, run_directory

    checks = []
    for path in run_directory.existing(reports):
        holder = locks.holder(path)
        if holder and holder.is_alive:
            continue
        try:
            advice = results_status.advice(store.read_run(path))
            finding = advice and f"{path.name}: {advice}"
        except BadInput as error:
            finding = str(error)
        if finding:
            checks.append(Check("note", "run", finding))
    return checks
