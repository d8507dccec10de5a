"""Run the pytest-benchmark tests and compare them with what this machine saved earlier.

    .venv/bin/python -m benchmarks.tools.compare [--save] [--storage .benchmarks] [TEST...]

Runs the tests named, or all of benchmarks/micro, and reads earlier runs from
STORAGE/<fingerprint>/. A benchmark of another runtime engine than TensorFlow is compared only with
runs of the same version of that engine. Prints a line for each benchmark; saves the run with
--save, or where this machine has no baseline yet. Exit code 0 if nothing is slower, 3 if something
is, 1 if a benchmark fails, 2 for bad input. gfr/regression/latency_rule.py decides; what looks
slower or is inconclusive is measured again, alone.
"""

import json
import sys
import tempfile
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import harness
from gfr import text
from gfr.errors import StepFailed
from gfr.regression import fingerprint
from gfr.regression import latency_rule as rule
from gfr.regression.fingerprint import SavedRun
from gfr.regression.latency_rule import Measured, Verdict
from gfr.storage import atomic
from gfr.storage.paths import ROOT


def main(
    tests: harness.Tests = harness.ALL_TESTS,
    save: bool = False,
    storage: Path = ROOT / ".benchmarks",
) -> int:
    """Save a run or compare one; returns the exit code."""
    atomic.require_writable(storage, "--storage")
    if not save:
        return compare(tests, storage)
    keep(*measure(tests), storage)
    return 0


def measure(tests: Collection[str]) -> tuple[dict, SavedRun]:
    """Run tests in a process of their own; returns pytest-benchmark's JSON and the run in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--benchmark-quiet"]
        words += [f"--benchmark-json={path}", *tests]
        done = harness.call("pytest", words, ROOT)
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
            raise StepFailed(f"a benchmark failed, pytest ended with {done.returncode}")
        return json.loads(path.read_text("utf-8")), fingerprint.read(path)


def keep(document: dict, run: SavedRun, storage: Path, names: Collection[str] = ()) -> None:
    """Save a run, or only the benchmarks with these names, for later comparisons."""
    names = names or run.measured
    rows = [row for row in document["benchmarks"] if row["fullname"] in names]
    dirty = "-dirty" if document["commit_info"].get("dirty") else ""
    commit = str(document["commit_info"].get("id", "unknown"))
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{commit[:8]}{dirty}.json"
    path = storage / run.fingerprint / name
    atomic.write_json(path, document | {"benchmarks": rows})
    for name in names:
        row = run.measured[name]
        busy = "" if row.is_clean else ": NO BASELINE, measured while others were busy"
        print(f"{_line(name, row, run)}{busy}")
    print(f"saved: {path}")


def compare(tests: Collection[str], storage: Path) -> int:
    """Measure, repeat what is inconclusive, print the table and save new baselines."""
    document, run = measure(tests)
    saved, problems = fingerprint.load(storage / run.fingerprint, run.fingerprint)
    print(*problems, sep="\n", end="\n" * bool(problems))
    rows = {name: [row] for name, row in run.measured.items()}
    earlier = {
        name: {old.name: row for old in saved if (row := old.comparable(name, run))}
        for name in rows
    }

    def judge(name: str) -> list[Verdict]:
        return [rule.judge(row, list(earlier[name].values())) for row in rows[name]]

    while unsettled := [name for name in rows if not rule.is_settled(judge(name))]:
        print(f"measured again, alone: {', '.join(map(_short, unsettled))}", flush=True)
        for name, row in measure(unsettled)[1].measured.items():
            rows[name].append(row)
    names: dict[str, list[str]] = {status: [] for status in (rule.OK, rule.SLOWER, rule.BUSY)}
    for name in rows:
        verdicts = judge(name)
        verdict = rule.final(verdicts)
        names.setdefault(verdict.status, []).append(name)
        row = rows[name][verdicts.index(verdict)]
        files = [file for file, old in earlier[name].items() if old.is_clean]
        explanation = _explain(verdict, files, len(verdicts))
        print(f"{verdict.status:12} {_line(name, row, run)}; {explanation}")
    if new := names.get(rule.NO_BASELINE):
        print(f"\nno baseline on this machine ({run.fingerprint}) for {len(new)} benchmarks:")
        keep(document, run, storage, new)
    print("; ".join(f"{len(of_status)} {status}" for status, of_status in names.items()))
    return harness.REGRESSION if names[rule.SLOWER] else 0


def _explain(verdict: Verdict, files: Sequence[str], num_measurements: int) -> str:
    """Return the ratios to the baseline, if there is one, and its files unless the result is ok."""
    if verdict.status == rule.NO_BASELINE:
        return verdict.reason
    ratios = (
        f"wall x{verdict.wall_ratio:.2f} (limit x{verdict.wall_margin:.2f}), in rounds of the "
        f"reference x{verdict.relative_ratio:.2f} (limit x{verdict.relative_margin:.2f}), "
        f"CPU x{verdict.cpu_ratio:.2f}"
    )
    if verdict.status == rule.OK:
        return ratios
    return (
        f"{ratios}; {verdict.reason}; against the median of {text.counted(len(files), 'saved run')}"
        f" ({files[0]} to {files[-1]}); measured {num_measurements} times"
    )


def _line(name: str, row: Measured, run: SavedRun) -> str:
    engine = run.engines.get(name, "")
    return (
        f"{_short(name):38}{engine}{', ' if engine else ''}"
        f"min {1000 * row.min_s:.1f} p10 {1000 * row.p10_s:.1f} p50 {1000 * row.p50_s:.1f} "
        f"CPU {1000 * row.cpu_p10_s:.1f} reference {1000 * row.witness_s:.1f} ms, "
        f"others {row.others_share:.0%}"
    )


def _short(name: str) -> str:
    return name.partition("::")[2]


if __name__ == "__main__":
    harness.execute(main)
