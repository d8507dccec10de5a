"""Fingerprint of a machine, and saved runs of the pytest-benchmark tests with that fingerprint.

A file that cannot be read is reported and left out. Does not import TensorFlow.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from gfr.errors import InputError
from gfr.measurement.hardware import Hardware
from gfr.measurement.software import Provenance
from gfr.regression.latency_rule import Measured
from gfr.storage.serialization import first_problem

PACKAGES = ("tensorflow", "keras", "numpy", "matplotlib")

MAX_RUNS = 20  # the newest; older runs no longer represent the spread of today


@dataclass(frozen=True)
class SavedRun:
    """One file: its benchmarks by full name, `benchmarks/micro/test_report.py::test_report`.

    `engines`: name and version of the runtime of each benchmark; "" is TensorFlow, or none, whose
    version the fingerprint has.
    """

    name: str
    fingerprint: str
    measured: Mapping[str, Measured]
    engines: Mapping[str, str] = field(default_factory=dict)

    def comparable(self, name: str, other: "SavedRun") -> Measured | None:
        """Return a benchmark of this run if the other one measured it with the same engine."""
        is_same = self.engines.get(name, "") == other.engines.get(name, "")
        return self.measured.get(name) if is_same else None


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


def fingerprint(facts: object) -> str:
    """Return a digest of the facts of a machine, or of other JSON, 12 hex digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def software(provenance: Provenance) -> dict[str, str]:
    """Return the versions of the code, of Python and of the packages, by name."""
    return {
        "commit": provenance.git_commit[:12],
        "lock": provenance.lock_sha256[:12],
        "Python": provenance.python,
        "platform": provenance.platform,
        **dict(sorted(provenance.versions.items())),
    }


def differences(
    before: Mapping[str, str], after: Mapping[str, str], absent: str
) -> list[tuple[str, str, str]]:
    """Return name, earlier and later value of everything that differs."""
    names = dict.fromkeys([*before, *after])
    rows = [(name, before.get(name, absent), after.get(name, absent)) for name in names]
    return [row for row in rows if row[1] != row[2]]


def read(path: Path) -> SavedRun:
    """Read a file of pytest-benchmark with the figures of benchmarks/micro/conftest.py."""
    try:
        document = json.loads(path.read_text("utf-8"))
        fingerprint = str(document["machine_info"]["gfr"]["fingerprint"])
        figures = {_name(row["fullname"]): row["extra_info"] for row in document["benchmarks"]}
        measured = TypeAdapter(dict[str, Measured]).validate_python(figures)
        engines = {name: str(row.get("engine", "")) for name, row in figures.items()}
        return SavedRun(path.name, fingerprint, measured, engines)
    except OSError as error:
        reason = error.strerror or "cannot be read"
    except ValidationError as error:
        reason = first_problem(error)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        reason = "not written by `make bench`"
    raise InputError(f"{path}: left out ({reason}); delete it")


def load(directory: Path, fingerprint: str) -> tuple[list[SavedRun], list[str]]:
    """Return the newest runs of one fingerprint, oldest first, and a line per file left out."""
    saved, problems = [], []
    for path in sorted(directory.glob("*.json")):
        try:
            run = read(path)
            if run.fingerprint != fingerprint:
                raise InputError(f"{path}: left out (from another machine, {run.fingerprint})")
            saved.append(run)
        except InputError as error:
            problems.append(str(error))
    return saved[-MAX_RUNS:], problems


def _name(full_name: str) -> str:
    """Full name of a benchmark; files saved before it moved have it in another folder."""
    return full_name.replace("benchmarks/test_", "benchmarks/micro/test_")
