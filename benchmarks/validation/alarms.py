"""Validate `make bench-compare`: does it report slow-downs, and nothing else?

    .venv/bin/python -m benchmarks.validation.alarms [--trials 10] [--repeats 20] [TEST...]

Baselines are saved in a temporary folder. A trial compares one benchmark, each in its turn, with
every call made 1.3 times as long. A repeat compares the unchanged set, every second time beside a
busy core. Prints each comparison and a last line of counts. Exit code 1 if fewer than nine of ten
trials were caught or if a repeat was an alarm.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import harness
from gfr.errors import InputError
from gfr.regression import fingerprint
from gfr.storage.paths import ROOT

FACTOR = 1.3
MIN_CAUGHT = 0.9


def main() -> int:
    """Save baselines, slow benchmarks down, repeat, count."""
    parser = harness.parser(__doc__)
    parser.add_argument("tests", nargs="*", default=["benchmarks/micro"], metavar="TEST")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--saved", type=int, default=3, help="baselines to begin with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.saved):
            compare(f"saved, {number + 1}", folder, options.tests, "--save")
        names = clean_names(Path(folder))
        if not names:
            raise InputError("no baseline: other processes keep this machine busy. Try again later")
        trials = []
        for number in range(options.trials):
            name = names[number % len(names)]
            short = name.partition("::")[2]
            title = f"slowed {short}, {number + 1}"
            trials.append(compare(title, folder, [name], slowed=f"{short}={FACTOR}"))
        repeats = []
        for number in range(options.repeats):
            is_loaded = number % 2 == 1
            title = f"clean{', beside a load' if is_loaded else ''}, {number + 1}"
            with harness.background_load(is_loaded):
                repeats.append(compare(title, folder, options.tests))
    codes = [done.returncode for done in trials + repeats]
    num_caught = codes[: len(trials)].count(harness.REGRESSION)
    num_alarms = codes[len(trials) :].count(harness.REGRESSION)
    num_failed = sum(code not in (0, harness.REGRESSION) for code in codes)
    num_unclear = sum("\ninconclusive" in f"\n{done.stdout}" for done in repeats)
    print(
        f"caught {num_caught} of {len(trials)} slow-downs of {FACTOR}x; {num_alarms} alarms in "
        f"{len(repeats)} clean repeats, {len(repeats) // 2} of them beside a load "
        f"({num_unclear} with something inconclusive); {num_failed} failed"
    )
    return int(num_caught < MIN_CAUGHT * len(trials) or num_alarms > 0 or num_failed > 0)


def compare(
    title: str, storage: str, tests: Sequence[str], *words: str, slowed: str = ""
) -> subprocess.CompletedProcess:
    """Compare as `make` does, print the output; `slowed` is read by micro/conftest.py."""
    command = [sys.executable, "-m", "benchmarks.tools.compare", "--storage", storage]
    done = subprocess.run(
        [*command, *words, *tests],
        cwd=ROOT,
        env=harness.environment(GFR_SLOWED=slowed),
        capture_output=True,
        text=True,
        timeout=harness.TIMEOUT_S,
    )
    print(f"{time.strftime('%H:%M:%S')} {title}: exit {done.returncode}")
    for line in (done.stdout + done.stderr).splitlines():
        print(f"    {line}")
    sys.stdout.flush()
    return done


def clean_names(storage: Path) -> list[str]:
    """Full names of the benchmarks that have a baseline."""
    saved = [fingerprint.read(path) for path in sorted(storage.glob("*/*.json"))]
    names = [name for run in saved for name, row in run.measured.items() if row.is_clean]
    return list(dict.fromkeys(names))


if __name__ == "__main__":
    harness.execute(main)
