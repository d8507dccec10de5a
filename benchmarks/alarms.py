"""Does `make bench-compare` raise the alarm when it should, and only then?

    .venv/bin/python benchmarks/alarms.py [--trials 10] [--repeats 20] [--saved 3] [TEST...]

In: nothing; everything is saved in a temporary folder. Out: a line a comparison and a last line of
counts. A trial compares one benchmark, each in its turn, while 0.3 of each call's own time is spent
busy waiting inside the timed call. A repeat compares the whole set as it is, every second one
beside a busy loop on one core. Exit code 1 if fewer than nine of ten trials were caught or any
repeat was an alarm. Never touches the baselines of the machine.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gfr.regression import fingerprint
from gfr.storage.paths import ROOT

FACTOR = 1.3
MIN_CAUGHT = 0.9
REGRESSION = 3  # compare.py's exit code
TIMEOUT_S = 3600  # of one comparison; a load outlives its maker by no more than this
LOAD = f"import time\nend = time.monotonic() + {TIMEOUT_S}\nwhile time.monotonic() < end: pass"


def main() -> int:
    """Save baselines, slow down, repeat, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", nargs="*", default=["benchmarks"], metavar="TEST")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--saved", type=int, default=3, help="baselines to begin with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.saved):
            row("saved", number, compare(folder, options.tests, "--save"))
        names = clean_names(Path(folder))
        if not names:
            print("error: no baseline, others are busy on this machine", file=sys.stderr)
            return 2
        trials = slowed(folder, [names[k % len(names)] for k in range(options.trials)])
        repeats = repeated(folder, options.tests, options.repeats)
    codes = [done.returncode for done in trials + repeats]
    num_caught, num_alarms = (
        sum(done.returncode == REGRESSION for done in rows) for rows in (trials, repeats)
    )
    num_failed = sum(code not in (0, REGRESSION) for code in codes)
    num_unclear = sum("\ninconclusive" in "\n" + done.stdout for done in repeats)
    print(
        f"caught {num_caught} of {len(trials)} slow-downs of {FACTOR}x; {num_alarms} alarms in "
        f"{len(repeats)} clean repeats, {len(repeats) // 2} of them beside a load "
        f"({num_unclear} with something inconclusive); {num_failed} failed"
    )
    return int(num_caught < MIN_CAUGHT * len(trials) or num_alarms > 0 or num_failed > 0)


def slowed(storage: str, names: Sequence[str]) -> list[subprocess.CompletedProcess]:
    """Each of these benchmarks compared alone while it is slowed down."""
    trials = []
    for number, name in enumerate(names):
        trials.append(compare(storage, [name], slowed=_short(name)))
        row(f"slowed {_short(name)}", number, trials[-1])
    return trials


def repeated(storage: str, tests: Sequence[str], num: int) -> list[subprocess.CompletedProcess]:
    """The set as it is, every second time beside a load."""
    repeats = []
    for number in range(num):
        with load() if number % 2 else contextlib.nullcontext():
            repeats.append(compare(storage, tests))
        row("clean, beside a load" if number % 2 else "clean", number, repeats[-1])
    return repeats


def compare(
    storage: str, tests: Sequence[str], *words: str, slowed: str = ""
) -> subprocess.CompletedProcess:
    """One call of compare.py as `make` makes it."""
    command = [sys.executable, "benchmarks/compare.py", "--storage", storage, *words, *tests]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if slowed:
        environment["GFR_SLOWED"] = f"{slowed}={FACTOR}"
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )


def clean_names(storage: Path) -> list[str]:
    """Full names of the benchmarks that have a baseline."""
    runs = [fingerprint.read(path) for path in sorted(storage.glob("*/*.json"))]
    found = [name for run in runs for name, row in run.measured.items() if row.is_clean]
    return list(dict.fromkeys(found))


@contextlib.contextmanager
def load() -> Iterator[None]:
    """Inside the block another process keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", LOAD])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def row(kind: str, number: int, done: subprocess.CompletedProcess) -> None:
    """Print what one comparison said."""
    print(f"{time.strftime('%H:%M:%S')} {kind}, {number + 1}: exit {done.returncode}")
    for line in (done.stdout + done.stderr).splitlines():
        print(f"    {line}")
    sys.stdout.flush()


def _short(name: str) -> str:
    return name.partition("::")[2]


if __name__ == "__main__":
    sys.exit(main())
