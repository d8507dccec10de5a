"""Saved runs of the pytest-benchmark tests, and which of them may be compared.

In: facts of a machine; pytest-benchmark's JSON files. Out: a fingerprint; SavedRuns, oldest first.
A file that cannot be read is named and left out. Never measures, never writes, imports no
TensorFlow.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gfr.errors import BadInput
from gfr.measurement.hardware import Hardware
from gfr.regression.latency_rule import Measured

PACKAGES = ("tensorflow", "keras", "numpy", "matplotlib")

MAX_RUNS = 20  # the newest; what is older no longer says how far runs spread today


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
    """What must be equal for two runs to be comparable; `settings` are environment variables."""
    return {
        "cpu": f"{machine.cpu_architecture} {machine.cpu_model}",
        "threads": f"{num_usable_threads} of {machine.cpu_threads}",
        "flags": " ".join(sorted(machine.cpu_flags)),
        "versions": " ".join(f"{name}={versions[name]}" for name in sorted(versions)),
        "settings": " ".join(f"{key}={settings[key]}" for key in sorted(settings)),
    }


def fingerprint(facts: Mapping[str, str]) -> str:
    """Facts -> 12 hex digits, equal exactly if the facts are."""
    return hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()[:12]


def read(path: Path) -> SavedRun:
    """Read a file of pytest-benchmark with the figures of benchmarks/micro/conftest.py."""
    try:
        document = json.loads(path.read_text("utf-8"))
        return SavedRun(
            name=path.name,
            fingerprint=str(document["machine_info"]["gfr"]["fingerprint"]),
            commit=str(document["commit_info"].get("id", "unknown")),
            measured={_name(row["fullname"]): _measured(row) for row in document["benchmarks"]},
        )
    except OSError as error:
        reason = error.strerror or "cannot be read"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, RecursionError):
        reason = "no JSON"
    except (KeyError, TypeError, AttributeError):
        reason = "not written by `make bench`"
    raise BadInput(f"{path}: left out ({reason}); delete it")


def load(directory: Path, fingerprint: str) -> tuple[list[SavedRun], list[str]]:
    """The newest runs of one fingerprint, oldest first, and a line for each file left out."""
    runs, problems = [], []
    for path in sorted(directory.glob("*.json")):
        try:
            run = read(path)
        except BadInput as error:
            problems.append(str(error))
            continue
        if run.fingerprint == fingerprint:
            runs.append(run)
        else:
            problems.append(f"{path}: left out (of another machine, {run.fingerprint})")
    return runs[-MAX_RUNS:], problems


def _name(full_name: str) -> str:
    """Full name of a benchmark; files saved before it moved have it in another folder."""
    return full_name.replace("benchmarks/test_", "benchmarks/micro/test_")


def _measured(row: dict) -> Measured:
    return TypeAdapter(Measured).validate_python(row["extra_info"])
