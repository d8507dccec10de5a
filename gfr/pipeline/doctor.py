"""Checks whether this machine can run a benchmark, for `gfr doctor`.

Reads the metadata of packages first, and imports them only if none is missing. Changes nothing.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from gfr import text as gfr_text
from gfr.config import benchmark_files
from gfr.config.keras_applications import APPLICATIONS
from gfr.environment import GROWTH
from gfr.errors import InputError
from gfr.measurement.software import version
from gfr.pipeline.run_options import RunOptions
from gfr.storage import paths, run_directory

if TYPE_CHECKING:
    from gfr.config.references import Reference
    from gfr.config.schema import Backbone
    from gfr.measurement.hardware import Gpu, Hardware


SUPPORTED = ("3.11", "3.12", "3.13")  # Python

TESTED_PLATFORM = "Linux x86_64"

# The overrides are in [tool.uv] of pyproject.toml, which pip does not read.
_REINSTALL = (
    "a plain `pip install -e .` cannot resolve this set, since pip has no overrides; install the "
    "lock: remove .venv and run `make smoke`, or run `pip install --no-deps --require-hashes -r "
    "requirements.lock`, then `pip install --no-deps -e .`"
)

MIN_FREE_BYTES = 5 * 10**9

CUDA_LIBRARY = "nvidia-cudnn-cu12"  # of the extra `gpu`

_OLD_DRIVER = "is the driver older than 525.60?"  # the first for CUDA 12


@dataclass(frozen=True)
class Check:
    """`status`: ok, note (worth knowing) or bad (fix it before a run)."""

    status: str
    subject: str
    finding: str


def examine(options: RunOptions) -> list[Check]:
    """All checks for a run with these options, in the order in which one would fix problems."""
    checks = [_python(), _platform(), *_requirements()]
    if is_incomplete(checks):
        return checks  # the other checks need the packages
    from gfr.config import loader

    benchmark = loader.load(benchmark_files.benchmark_file(options.benchmark))
    return [
        *checks,
        *_engines(),
        *_hardware(),
        _disk(paths.directory_or_default(options.cache, "cache")),
        _data(options.data),
        *(_weights(backbone, options) for backbone in benchmark.backbone),
        *(_reference(row) for row in benchmark.reference),
        *_runs(paths.directory_or_default(options.reports, "reports")),
    ]


def is_incomplete(checks: list[Check]) -> bool:
    """Whether a package is missing, so that the other checks were left out."""
    return any(check.finding.startswith("missing") for check in checks)


def text(checks: list[Check]) -> str:
    """One line a check, as `gfr doctor` prints them."""
    width = max(len(check.subject) for check in checks)
    lines = [f"{row.status:4}  {row.subject:{width}}  {row.finding}" for row in checks]
    return "\n".join(map(gfr_text.line, lines))


def _python() -> Check:
    python = platform.python_version()
    if python.rpartition(".")[0] in SUPPORTED:
        return Check("ok", "Python", python)
    return Check("note", "Python", f"{python}: gfr supports {', '.join(SUPPORTED)}")


def _platform() -> Check:
    here = f"{platform.system()} {platform.machine()}"
    if here == TESTED_PLATFORM:
        return Check("ok", "platform", here)
    return Check("note", "platform", f"{here}: gfr was only tested on {TESTED_PLATFORM}")


def _requirements() -> list[Check]:
    checks = []
    for requirement in map(Requirement, metadata.requires("gfr") or []):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        installed, required = version(requirement.name), requirement.specifier
        fits = installed != "missing" and required.contains(installed, prereleases=True)
        finding = f"{installed} (required: {required})" if required and not fits else installed
        checks.append(Check("ok" if fits else "bad", requirement.name, finding))
    if any(check.status == "bad" for check in checks):
        checks.append(Check("note", "install", _REINSTALL))
    return checks


def _engines() -> Iterator[Check]:
    """Every runtime engine: its version, or the command that installs it."""
    from gfr import engines

    for engine in engines.ENGINES.values():
        why = engine.unavailable()
        finding = f"unavailable: {why}" if why else f"{engine.title} {engine.version()}"
        yield Check("note" if why else "ok", f"engine {engine.name}", finding)


def _hardware() -> list[Check]:
    from gfr.measurement import allowance, hardware

    machine, num_cpus = hardware.collect(), allowance.num_cpus()
    is_busy = machine.cpu_load > 0.5 * machine.cpu_threads
    threads = f"{machine.cpu_physical_cores} cores, {machine.cpu_threads} threads"
    cpu = f"{machine.cpu_model}, {threads}, {' '.join(machine.cpu_flags) or 'no AVX2'}"
    if num_cpus < machine.cpu_threads:
        noun = "CPU" if num_cpus == 1 else "CPUs"
        cpu += f"; gfr may use {num_cpus:g} {noun} (CPU affinity or cgroup)"
    available_gb, total_gb = machine.memory_available_bytes / 1e9, machine.memory_total_bytes / 1e9
    memory = f"{available_gb:.1f} of {total_gb:.1f} GB available; a full run needs up to 7 GB"
    if allowance.memory().is_limited:
        memory += " (limit of its cgroup)"
    return [
        Check("ok", "CPU", cpu),
        Check("note" if is_busy else "ok", "load", f"{machine.cpu_load:.2f} (1 minute)"),
        Check("ok" if available_gb > 8 else "note", "memory", memory),
        *_gpus(machine),
        _energy(),
    ]


def _gpus(machine: "Hardware") -> Iterator[Check]:
    """The GPUs of this machine, and what keeps TensorFlow from using them."""
    from gfr.measurement import hardware

    for gpu in machine.gpus:
        yield Check("ok", "GPU", _gpu(gpu))
    if not machine.gpus:
        yield Check("ok", "GPU", machine.gpu_note)
    elif hardware.visible_gpus() == ():
        yield Check("note", "CUDA", "CUDA_VISIBLE_DEVICES hides every GPU. Unset it")
    elif num_usable := _num_tensorflow_gpus():
        yield Check("ok", "CUDA", f"TensorFlow uses {num_usable} GPU")
        if os.environ.get(GROWTH, "true") != "true":
            finding = f"{GROWTH} is set: TensorFlow allocates all of it. Unset it"
            yield Check("note", "GPU memory", finding)
    else:
        reason = f"CUDA is installed, but TensorFlow finds no GPU: {_OLD_DRIVER}"
        if version(CUDA_LIBRARY) == "missing":
            reason = "CUDA is not installed. Install it: make gpu"
        yield Check("note", "CUDA", f"runs use the CPU: {reason}")


def _gpu(gpu: "Gpu") -> str:
    capability = gpu.compute_capability
    words = "unknown" if capability is None else "{}.{}".format(*capability)
    memory_gb = gpu.memory_total_bytes / 1e9
    return f"{gpu.name}, {memory_gb:.1f} GB, driver {gpu.driver}, compute capability {words}"


def _num_tensorflow_gpus() -> int:
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _energy() -> Check:
    from gfr.measurement import cpu_energy

    reading = cpu_energy.meter(cpu_energy.POWERCAP)()
    status, what = ("ok", "of") if reading.joules is not None else ("note", "unavailable for")
    return Check(status, "energy", f"{what} the CPU: {reading.note}")


def _disk(cache: Path) -> Check:
    parent = next(path for path in (cache, *cache.parents) if path.exists())
    free_bytes = shutil.disk_usage(parent).free
    status = "ok" if free_bytes > MIN_FREE_BYTES else "note"
    return Check(status, "disk", f"{free_bytes / 1e9:.1f} GB free for {cache}")


def _data(request: str) -> Check:
    from gfr.data import loading

    source, directory = loading.locate(request)
    if directory is None:
        missing = "data/celeba does not exist. Download CelebA: gfr data fetch (docs/data.md)"
        reason = "as requested" if request == "synthetic" else missing
        return Check("note", "data", f"synthetic faces: {reason}")
    try:
        labels = source.read(directory)
    except InputError as error:
        return Check("bad", "data", str(error))
    files = (f"{name} in {file}" for name, file in labels.files.items())
    finding = f"{source.name}: images in {labels.image_dir}, {', '.join(files)}"
    return Check("ok", "data", "; ".join([finding, *labels.notes]))


def _weights(backbone: "Backbone", options: RunOptions) -> Check:
    """Where a run would find the weights of a backbone."""
    from gfr.config import loader
    from gfr.models import weights

    subject = f"weights {backbone.label}"
    request = weights.requested(backbone, options.weights)
    if backbone.file and (missing := loader.absence(Path(backbone.file))):
        return Check("bad", subject, missing)
    try:
        source, path, _ = weights.locate(backbone, request)
    except InputError as error:
        return Check("bad", subject, str(error))
    if path:
        return Check("ok", subject, str(path))
    if source == "random":
        return Check("note", subject, "random, as requested")
    status, instead = {
        (False, True): ("note", "will be downloaded, else random weights"),
        (False, False): ("note", "random weights, since offline"),
        (True, True): ("note", "will be downloaded"),
        (True, False): ("bad", "unavailable offline. Name a directory of weights"),
    }[request == "imagenet", options.allow_download]
    return Check(status, subject, f"{APPLICATIONS[backbone.name].weights_file} missing: {instead}")


def _reference(reference: "Reference") -> Check:
    """Whether the files of a reference exist."""
    from gfr.config import loader

    subject = f"reference {reference.label}"
    if missing := loader.absences_of(reference):
        return Check("bad", subject, missing[0])
    return Check("ok", subject, reference.file or ", ".join(reference.prediction_files))


def _runs(reports: Path) -> Iterator[Check]:
    """Unfinished runs that no process works on, with the commands that resume them."""
    from gfr.results import status as results_status
    from gfr.results import store
    from gfr.storage import locks

    for path in run_directory.existing(reports):
        try:
            holder = locks.holder(path)
            if holder and holder.is_alive:
                continue
            if advice := results_status.advice(store.read_run(path)):
                yield Check("note", "run", f"{path.name}: {advice}")
        except InputError as error:
            yield Check("note", "run", str(error))
