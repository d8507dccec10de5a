"""Run the pytest-benchmark tests and compare them with what this machine saved earlier.

    .venv/bin/python -m benchmarks.tools.compare [--save] [--storage .benchmarks] [TEST...]

Runs the tests named, or all of benchmarks/micro, and reads earlier runs from
STORAGE/<fingerprint>/. Prints a line for each benchmark; saves the run with --save, or where this
machine has no baseline yet. Exit code 0 if nothing is slower, 3 if something is, 1 if a benchmark
fails, 2 for bad input. gfr/regression/latency_rule.py decides; what looks slower or is
inconclusive is measured
again, alone.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import harness
from gfr.regression import fingerprint, latency_rule
from gfr.regression.fingerprint import SavedRun
from gfr.regression.latency_rule import Measured, Verdict
from gfr.storage import atomic
from gfr.storage.paths import ROOT


def main() -> int:
    """Save a run or compare one; returns the exit code."""
    parser = harness.parser(__doc__)
    parser.add_argument("tests", nargs="*", default=["benchmarks/micro"], metavar="TEST")
    parser.add_argument("--save", action="store_true", help="save this run, compare nothing")
    parser.add_argument("--storage", type=Path, default=ROOT / ".benchmarks", metavar="DIR")
    options = parser.parse_args()
    atomic.require_writable(options.storage, "--storage")
    if options.save:
        document, run = measure(options.tests)
        save(document, options.storage / run.fingerprint, run.measured)
        return 0
    return compare(options.tests, options.storage)


def measure(tests: Sequence[str]) -> tuple[dict, SavedRun]:
    """Run tests in a process of their own; returns pytest-benchmark's JSON and the run in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--benchmark-quiet"]
        words += [f"--benchmark-json={path}", *tests]
        done = subprocess.run(
            words, cwd=ROOT, env=harness.environment(), capture_output=True, text=True
        )
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
            raise SystemExit(f"error: a benchmark failed, pytest ended with {done.returncode}")
        return json.loads(path.read_text("utf-8")), fingerprint.read(path)


def save(document: dict, directory: Path, measured: dict[str, Measured]) -> None:
    """Keep the named benchmarks of a run for later comparisons."""
    rows = [row for row in document["benchmarks"] if row["fullname"] in measured]
    commit = document["commit_info"].get("id", "unknown")[:8]
    dirty = "-dirty" if document["commit_info"].get("dirty") else ""
    path = directory / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{commit}{dirty}.json"
    atomic.write_json(path, {**document, "benchmarks": rows})
    for name, row in measured.items():
        busy = "" if row.is_clean else ": NO BASELINE, measured while others were busy"
        print(f"{_short(name):38}{_figures(row)}{busy}")
    print(f"saved: {path}")


def compare(tests: Sequence[str], storage: Path) -> int:
    """Measure, and again what is not settled; print the table, save what is new."""
    document, run = measure(tests)
    directory, measured = storage / run.fingerprint, run.measured
    saved, problems = fingerprint.load(directory, run.fingerprint)
    print("\n".join(problems), end="\n" if problems else "")
    judged: dict[str, list[tuple[Measured, Verdict]]] = {name: [] for name in measured}
    while True:
        for name, row in measured.items():
            earlier = [other.measured[name] for other in saved if name in other.measured]
            judged[name].append((row, latency_rule.judge(row, earlier)))
        verdicts = {name: [verdict for _, verdict in rows] for name, rows in judged.items()}
        unsettled = [name for name, rows in verdicts.items() if not latency_rule.is_settled(rows)]
        if not unsettled:
            break
        print(f"measured again, alone: {', '.join(map(_short, unsettled))}", flush=True)
        measured = measure(unsettled)[1].measured
    final = {name: latency_rule.final(rows) for name, rows in verdicts.items()}
    for name, verdict in final.items():
        row, _ = judged[name][verdicts[name].index(verdict)]
        print(f"{verdict.status:12} {_short(name):38}{_figures(row)}; {_reason(verdict)}", end="")
        print(
            _against(name, saved, len(judged[name]))
            if verdict.status in (latency_rule.SLOWER, latency_rule.BUSY)
            else ""
        )
    statuses = Counter(verdict.status for verdict in final.values())
    new = {
        name: run.measured[name] for name in final if final[name].status == latency_rule.NO_BASELINE
    }
    if new:
        print(f"\nno baseline on this machine ({run.fingerprint}) for {len(new)} benchmarks:")
        save(document, directory, new)
    shown = dict.fromkeys((latency_rule.OK, latency_rule.SLOWER, latency_rule.BUSY, *statuses))
    print("; ".join(f"{statuses[status]} {status}" for status in shown))
    return harness.REGRESSION if statuses[latency_rule.SLOWER] else 0


def _reason(verdict: Verdict) -> str:
    if verdict.status == latency_rule.NO_BASELINE:
        return verdict.reason
    ratios = (
        f"wall x{verdict.wall_ratio:.2f} (limit x{verdict.wall_margin:.2f}), in rounds of the "
        f"witness x{verdict.relative_ratio:.2f} (limit x{verdict.relative_margin:.2f}), "
        f"CPU x{verdict.cpu_ratio:.2f}"
    )
    return ratios if verdict.status == latency_rule.OK else f"{ratios}; {verdict.reason}"


def _against(name: str, saved: Sequence[SavedRun], num_measurements: int) -> str:
    files = [run.name for run in saved if name in run.measured and run.measured[name].is_clean]
    median = f"the median of {len(files)} saved runs ({files[0]} to {files[-1]})"
    baseline = files[0] if len(files) == 1 else median
    return f"; against {baseline}; measured {num_measurements} times"


def _figures(row: Measured) -> str:
    return (
        f"min {1000 * row.min_s:.1f} p10 {1000 * row.p10_s:.1f} p50 {1000 * row.p50_s:.1f} "
        f"CPU {1000 * row.cpu_p10_s:.1f} witness {1000 * row.witness_s:.1f} ms, "
        f"others {row.others_share:.0%}"
    )


def _short(name: str) -> str:
    return name.partition("::")[2]


if __name__ == "__main__":
    harness.execute(main)
