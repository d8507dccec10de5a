"""Software versions of a measurement: packages, git commit, digests of lock and source files.

Does not import the packages that it reports.
"""

import functools
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from gfr.storage.hashing import file_sha256

CODE = ("gfr", "tasks", "flows", "cli", "benchmarks", "pyproject.toml", "requirements.lock")

# Where Git's own settings are; every other variable could name another repository.
_KEPT_BY_GIT = ("GIT_CONFIG_", "GIT_EXEC_PATH")  # such as safe.directory of a container

INSTALL = "make engines"  # installs every runtime that is an extra

PACKAGES = ("gfr", "tensorflow", "keras", "tensorflowjs", "prefect", "numpy", "pandas", "pillow")


@dataclass(frozen=True)
class Provenance:
    """Code and packages of a run; `git_commit` is "unknown" outside a repository."""

    git_commit: str
    git_dirty: bool
    lock_sha256: str
    python: str
    platform: str
    versions: dict[str, str]


@functools.cache
def collect(root: Path) -> Provenance:
    """Return what is installed and checked out at `root`, read once per process."""
    lock = root / "requirements.lock"
    changes = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", *CODE)
    return Provenance(
        git_commit=_git(root, "rev-parse", "HEAD") or "unknown",
        git_dirty=bool(changes),
        lock_sha256=file_sha256(lock) if lock.exists() else "none",
        python=platform.python_version(),
        platform=platform.platform(),
        versions={name: version(name) for name in PACKAGES},
    )


def version(package: str) -> str:
    """Return the installed version, or "missing"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def missing(package: str) -> str:
    """Return why a runtime without this package cannot run, with the remedy; "" if it is there."""
    if version(package) != "missing":
        return ""
    return f"{package} is not installed. Install it: {INSTALL}"


def engine(gpus: Sequence[str] = ()) -> str:
    """Return what computes features, e.g. `tensorflow 2.21.0`, with the names of GPUs if any."""
    name = f"tensorflow {version('tensorflow')}"
    return f"{name} on {', '.join(dict.fromkeys(gpus))}" if gpus else name


def git_environment(root: Path) -> dict[str, str]:
    """Return the variables with which Git finds the repository at `root`, or none.

    Without them a shell's GIT_DIR, as hooks export it, or a repository around `root` would count.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT_BY_GIT)
    }
    return kept | {"GIT_CEILING_DIRECTORIES": str(root.parent)}


def _git(root: Path, *words: str) -> str:
    command, variables = ["git", "-C", str(root), *words], git_environment(root)
    try:
        output = subprocess.check_output(
            command, env=variables, stderr=subprocess.PIPE, text=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return output.strip()
