"""Validate `make bench-compare`: does it report slow-downs, and nothing else?

    .venv/bin/python -m benchmarks.validation.alarms [--trials 10] [--repeats 20] [TEST...]

Baselines are saved in a temporary folder. A trial compares one benchmark, each in its turn, with
every call made 1.3 times as long. A repeat compares the unchanged set, every second time beside a
busy core. Prints each comparison and a last line of counts. Exit code 1 if fewer than nine of ten
trials were caught or if a repeat was an alarm.
"""

import re
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

from benchmarks import harness
from gfr.errors import StepFailed
from gfr.regression import fingerprint
from gfr.storage.paths import ROOT

FACTOR = 1.3
MIN_CAUGHT = 0.9


def main(
    tests: harness.Tests = harness.ALL_TESTS, trials: int = 10, repeats: int = 20, saved: int = 3
) -> int:
    """Save baselines, slow benchmarks down, repeat, count."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(saved):
            compare(f"saved, {number + 1}", folder, tests, "--save")
        names = clean_names(Path(folder))
        if not names:
            raise StepFailed("no baseline: other processes keep this machine busy. Try again later")
        slowed, clean = [], []
        for number in range(trials):
            name = names[number % len(names)]
            short = name.partition("::")[2]
            title = f"slowed {short}, {number + 1}"
            slowed.append(compare(title, folder, [name], slowed=f"{short}={FACTOR}"))
        for number in range(repeats):
            with harness.load_on_odd(number) as note:
                clean.append(compare(f"clean{note}, {number + 1}", folder, tests))
    unclear = [done for done in clean if re.search("^inconclusive", done.stdout, re.MULTILINE)]
    print(f"{len(unclear)} clean repeats with something inconclusive")
    return harness.conclude(f"slow-downs of {FACTOR}x", slowed, clean, MIN_CAUGHT)


def compare(
    title: str, storage: str, tests: Sequence[str], *words: str, slowed: str = ""
) -> harness.Ended:
    """Compare as `make` does, print the output; `slowed` is read by micro/conftest.py."""
    command = [sys.executable, "-m", "benchmarks.tools.compare", "--storage", storage]
    done = harness.call(title, [*command, *words, *tests], ROOT, GFR_SLOWED=slowed)
    print(textwrap.indent(done.stdout + done.stderr, "    "), end="", flush=True)
    return done


def clean_names(storage: Path) -> list[str]:
    """Full names of the benchmarks that have a baseline."""
    saved = [fingerprint.read(path) for path in sorted(storage.glob("*/*.json"))]
    names = [name for run in saved for name, row in run.measured.items() if row.is_clean]
    return list(dict.fromkeys(names))


if __name__ == "__main__":
    harness.execute(main)
