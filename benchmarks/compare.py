"""Runs the pytest-benchmark tests and compares them with what this machine saved earlier.

    .venv/bin/python benchmarks/compare.py [--save] [--storage .benchmarks] [TEST...]

In: the tests named, or all of `benchmarks/`; saved runs under `STORAGE/<fingerprint>/`. Out: a line
a benchmark, and with --save, or where this machine has no baseline yet, a saved run. Exit code 0 if
nothing is slower, 3 if something is, 1 if a benchmark fails, 2 for bad input. Decides nothing
itself (gfr/regression/latency_rule.py); what looks slower or cannot be told is measured again,
alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gfr.errors import BadInput
from gfr.regression import fingerprint, latency_rule
from gfr.regression.fingerprint import SavedRun
from gfr.regression.latency_rule import Measured, Verdict
from gfr.storage import atomic
from gfr.storage.paths import ROOT

REGRESSION = 3  # the exit code


def main() -> int:
    """Parse, run, say how it ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", nargs="*", default=["benchmarks"], metavar="TEST")
    parser.add_argument("--save", action="store_true", help="save this run, compare nothing")
    parser.add_argument("--storage", type=Path, default=ROOT / ".benchmarks", metavar="DIR")
    options = parser.parse_args()
    try:
        atomic.require_writable(options.storage, "--storage")
        if options.save:
            document, run = measure(options.tests)
            save(document, options.storage / run.fingerprint, run.measured)
            return 0
        return compare(options.tests, options.storage)
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"error: a benchmark failed, pytest ended with {error.returncode}", file=sys.stderr)
        return 1


def measure(tests: Sequence[str]) -> tuple[dict, SavedRun]:
    """Run some tests in a process of their own; pytest-benchmark's JSON, and what we read of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--benchmark-quiet"]
        done = subprocess.run(
            [*words, f"--benchmark-json={path}", *tests], cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
            done.check_returncode()
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
    """Measure, judge, measure again what is not settled; print the table, save what is new."""
    document, run = measure(tests)
    directory = storage / run.fingerprint
    saved, problems = fingerprint.load(directory, run.fingerprint)
    print("\n".join(problems), end="\n" if problems else "")
    rows = {name: [row] for name, row in run.measured.items()}
    found = {name: [_judge(name, row, saved)] for name, row in run.measured.items()}
    while again := [name for name in found if not latency_rule.is_settled(found[name])]:
        print(f"measured again, alone: {', '.join(map(_short, again))}", flush=True)
        for name, row in measure(again)[1].measured.items():
            rows[name].append(row)
            found[name].append(_judge(name, row, saved))
    verdicts = {name: latency_rule.final(rows) for name, rows in found.items()}
    for name, verdict in verdicts.items():
        decisive = rows[name][found[name].index(verdict)]
        print(_line(name, verdict, decisive, len(rows[name]), saved))
    new = {
        name: run.measured[name]
        for name, verdict in verdicts.items()
        if verdict.status == latency_rule.NO_BASELINE
    }
    if new:
        print(f"\nno baseline on this machine ({run.fingerprint}) for {len(new)} benchmarks:")
        save(document, directory, new)
    return _end(verdicts)


def _judge(name: str, row: Measured, saved: Sequence[SavedRun]) -> Verdict:
    return latency_rule.judge(
        row, [other.measured[name] for other in saved if name in other.measured]
    )


def _line(
    name: str, verdict: Verdict, row: Measured, num_measurements: int, saved: Sequence[SavedRun]
) -> str:
    line = f"{verdict.status:12} {_short(name):38}{_figures(row)}"
    if verdict.status == latency_rule.NO_BASELINE:
        return f"{line}; {verdict.reason}"
    line += f"; wall x{verdict.wall_ratio:.2f} (limit x{verdict.wall_margin:.2f}), in rounds of "
    line += f"the witness x{verdict.relative_ratio:.2f} (limit x{verdict.relative_margin:.2f})"
    line += f", CPU x{verdict.cpu_ratio:.2f}"
    if verdict.status == latency_rule.OK:
        return line
    files = [run.name for run in saved if name in run.measured and run.measured[name].is_clean]
    against = f"the median of {len(files)} saved runs ({files[0]} to {files[-1]})"
    if len(files) == 1:
        against = files[0]
    return f"{line}; {verdict.reason}; against {against}; measured {num_measurements} times"


def _end(verdicts: dict[str, Verdict]) -> int:
    num = {status: 0 for status in (latency_rule.OK, latency_rule.SLOWER, latency_rule.BUSY)}
    for verdict in verdicts.values():
        num[verdict.status] = num.get(verdict.status, 0) + 1
    print("; ".join(f"{count} {status}" for status, count in num.items()))
    return REGRESSION if num[latency_rule.SLOWER] else 0


def _figures(row: Measured) -> str:
    return (
        f"min {1000 * row.min_s:.1f} p10 {1000 * row.p10_s:.1f} p50 {1000 * row.p50_s:.1f} "
        f"CPU {1000 * row.cpu_p10_s:.1f} witness {1000 * row.witness_s:.1f} ms, "
        f"others {row.others_share:.0%}"
    )


def _short(name: str) -> str:
    return name.partition("::")[2]


if __name__ == "__main__":
    sys.exit(main())
