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

from gfr import baselines
from gfr.runs import ROOT

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
        caught = [
            row(f"slowed {_short(name)}", number, compare(folder, [name], slowed=name))
            for number, name in enumerate(victims(Path(folder), options.trials))
        ]
        codes = []
        for number in range(options.repeats):
            with load() if number % 2 else contextlib.nullcontext():
                done = compare(folder, options.tests)
            codes.append(row("clean, beside a load" if number % 2 else "clean", number, done))
    num_caught, num_alarms = caught.count(REGRESSION), codes.count(REGRESSION)
    num_failed = sum(code not in (0, REGRESSION) for code in caught + codes)
    print(
        f"caught {num_caught} of {len(caught)} slow-downs of {FACTOR}x; {num_alarms} alarms in "
        f"{len(codes)} clean repeats, {len(codes) // 2} of them beside a load; {num_failed} failed"
    )
    return int(num_caught < MIN_CAUGHT * len(caught) or num_alarms > 0 or num_failed > 0)


def compare(
    storage: str, tests: Sequence[str], *words: str, slowed: str = ""
) -> subprocess.CompletedProcess:
    """One call of compare.py as `make` makes it."""
    command = [sys.executable, "benchmarks/compare.py", "--storage", storage, *words, *tests]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if slowed:
        environment["GFR_SLOWED"] = f"{_short(slowed)}={FACTOR}"
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )


def victims(storage: Path, num_trials: int) -> list[str]:
    """Full names of the saved benchmarks, in turn."""
    path = next(storage.glob("*/*.json"))
    names = list(baselines.read(path).measured)
    return [names[number % len(names)] for number in range(num_trials)]


@contextlib.contextmanager
def load() -> Iterator[None]:
    """Inside the block another process keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", LOAD])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def row(kind: str, number: int, done: subprocess.CompletedProcess) -> int:
    """Print what one comparison said; its exit code."""
    print(f"{time.strftime('%H:%M:%S')} {kind} {number + 1}: exit {done.returncode}", flush=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
    print("".join(f"    {line}\n" for line in lines + done.stderr.splitlines()), end="", flush=True)
    return done.returncode


def _short(name: str) -> str:
    return name.partition("::")[2]


if __name__ == "__main__":
    sys.exit(main())
