"""Fingerprint of a machine, and saved runs of the pytest-benchmark tests with that fingerprint.

A file that cannot be read is reported and left out. Does not import TensorFlow.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gfr.errors import InputError
from gfr.measurement.hardware import Hardware
from gfr.regression.latency_rule import Measured

PACKAGES = ("tensorflow", "keras", "numpy", "matplotlib")

MAX_RUNS = 20  # the newest; older runs no longer represent the spread of today


@dataclass(frozen=True)
class SavedRun:
    """One file: its benchmarks by full name, `benchmarks/micro/test_report.py::test_report`."""

    name: str
    fingerprint: str
    commit: str
    measured: Mapping[str, Measured]


def facts(
    machine: Hardware,
    num_usable_threads: int,
    versions: Mapping[str, str],
    settings: Mapping[str, str],
) -> dict[str, str]:
    """Return what must be equal for two runs to be comparable; `settings` are from os.environ."""
    return {
        "cpu": f"{machine.cpu_architecture} {machine.cpu_model}",
        "threads": f"{num_usable_threads} of {machine.cpu_threads}",
        "flags": " ".join(sorted(machine.cpu_flags)),
        "versions": " ".join(f"{name}={versions[name]}" for name in sorted(versions)),
        "settings": " ".join(f"{key}={settings[key]}" for key in sorted(settings)),
    }


def fingerprint(facts: Mapping[str, str]) -> str:
    """Return a digest of the facts, 12 hex digits."""
    return hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()[:12]


def read(path: Path) -> SavedRun:
    """Read a file of pytest-benchmark with the figures of benchmarks/micro/conftest.py."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return SavedRun(
            name=path.name,
            fingerprint=str(document["machine_info"]["gfr"]["fingerprint"]),
            commit=str(document["commit_info"].get("id", "unknown")),
            measured={
                _name(row["fullname"]): TypeAdapter(Measured).validate_python(row["extra_info"])
                for row in document["benchmarks"]
            },
        )
    except OSError as error:
        reason = error.strerror or "cannot be read"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, RecursionError):
        reason = "not JSON"
    except (KeyError, TypeError, AttributeError):
        reason = "not written by `make bench`"
    raise InputError(f"{path}: left out ({reason}); delete it")


def load(directory: Path, fingerprint: str) -> tuple[list[SavedRun], list[str]]:
    """Return the newest runs of one fingerprint, oldest first, and a line per file left out."""
    saved, problems = [], []
    for path in sorted(directory.glob("*.json")):
        try:
            run = read(path)
        except InputError as error:
            problems.append(str(error))
            continue
        if run.fingerprint == fingerprint:
            saved.append(run)
        else:
            problems.append(f"{path}: left out (from another machine, {run.fingerprint})")
    return saved[-MAX_RUNS:], problems


def _name(full_name: str) -> str:
    """Full name of a benchmark; files saved before it moved have it in another folder."""
    return full_name.replace("benchmarks/test_", "benchmarks/micro/test_")
