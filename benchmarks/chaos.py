"""Kills a small run again and again, resumes it, and compares with one that nobody disturbed.

    .venv/bin/python benchmarks/chaos.py [--random 20] [--points 13] [--by kill] [--seed 0]

In: nothing; faces are synthetic, everything lives in a temporary folder. Out: a line a kill and
a last line of counts; exit code 1 if anything differs from the undisturbed run, was computed twice
although it had been finished, or if a process outlived its run. Named points are reached twice,
once with kill -9 of the whole process group, once with SIGTERM to the run (tests/faults), or once
with what `--by` names.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from gfr.results import store
from gfr.storage.paths import ROOT

SPEC = """
schema = 1
name = "chaos"
seed = 1024
[data]
images = 700
test_fraction = 0.2
validation_fraction = 0.2
[training]
batch_size = 64
[export]
precisions = []
[latency]
calls = 5
seconds = 0
accelerated = false
[[backbone]]
name = "MobileNet"
[[iteration]]
number = 1
size = [32, 32]
epochs = 3
[[iteration]]
number = 2
size = [40, 48]
epochs = 3
input = "any"
"""
# Two a stage at least: in the middle, and between writing a file and naming it.
POINTS = (
    "rename:*/faces.csv",
    "rename:*/run.json",
    "progress:MobileNet at 32x32",
    "rename:MobileNet-32x32-*/00001-*.npy",
    "rename:features/MobileNet-40x48-any.json",
    "progress:MobileNet / iteration 1",
    "rename:heads/MobileNet-iteration-1.keras",
    "rename:trials/MobileNet-iteration-2.json",
    "progress:MobileNet at 32x32, latency",
    "rename:latency/MobileNet-40x48-any.json",
    "rename:*/selection.json",
    "rename:figures/MobileNet-iteration-1-confusion.svg",
    "rename:*/summary.md",
)
NEVER_TWICE = (
    "parts/*/*.json",
    "features/*.json",
    "trials/*.json",
    "latency/*.json",
)
ENDS = {"kill": "kill group", "terminate": "terminate"}  # as tests/faults names them
MARK = "GFR_CHAOS"


class Chaos:
    """A folder in which runs are begun and killed."""

    def __init__(self, folder: Path) -> None:
        """Write the benchmark there."""
        self.folder = folder
        self.wrong: list[str] = []
        self.kills: Counter[str] = Counter()
        (folder / "chaos.toml").write_text(SPEC)

    def begin(self, run_id: str, faults: list[dict[str, str]]) -> subprocess.Popen:
        """`gfr run` in a process group of its own."""
        words = [sys.executable, "-c", "from cli.main import main; main()", "run", "chaos.toml"]
        words += ["--data", "synthetic", "--weights", "random", "--offline", "--run-id", run_id]
        words += ["--cache", f"cache-{run_id}", "--reports", "reports"]
        environment = {
            **os.environ,
            MARK: str(self.folder),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "faults"), str(ROOT)]),
            "GFR_FAULTS": json.dumps(faults),
        }
        with (self.folder / f"{run_id}.log").open("ab") as log:
            return subprocess.Popen(
                words,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def after(self, run_id: str, code: int, where: str, known: dict[Path, int]) -> None:
        """Look at what a kill has left; `known` are the finished files so far, by inode."""
        self.kills[where.split(":")[0]] += 1
        print(f"{run_id}: exit {code:4} at {where}", flush=True)
        end_s = time.monotonic() + 10
        while (left := self.survivors()) and time.monotonic() < end_s:
            time.sleep(0.1)
        if left:
            self.wrong.append(f"{run_id}: {where}: outlived by {left}")
        self.compare_files(run_id, known)

    def compare_files(self, run_id: str, known: dict[Path, int]) -> None:
        """What was finished must not have been written again."""
        directory = self.folder / "reports" / "runs" / run_id
        finished = [path for kind in NEVER_TWICE for path in directory.glob(kind)]
        finished += (self.folder / f"cache-{run_id}").glob("features/*/0*.npy")
        found = {path: path.stat().st_ino for path in finished if path.name[:4] != "tmp-"}
        again = [str(path) for path, inode in known.items() if found.get(path) != inode]
        if again:
            self.wrong.append(f"{run_id}: written again: {again}")
        known.update(found)

    def survivors(self) -> list[str]:
        """Processes that some run here started and that are still there."""
        left = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(MARK) == str(self.folder)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    left.append(" ".join(process.cmdline())[:100])
            except psutil.Error:
                continue
        return left

    def at_points(self, run_id: str, points: tuple[str, ...], action: str) -> None:
        """One run, killed at each point in turn until it ends."""
        faults = [
            {"at": point, "do": action, "once": str(self.folder / f"{run_id}-{number}")}
            for number, point in enumerate(points)
        ]
        known: dict[Path, int] = {}
        reached: set[str] = set()
        while True:
            code = self.begin(run_id, faults).wait()
            now = {fault["at"] for fault in faults if Path(fault["once"]).exists()}
            if code == 0 or now == reached:
                break
            (where,) = now - reached
            reached = now
            self.after(run_id, code, where, known)
        self.compare_files(run_id, known)
        if missing := set(points) - reached:
            self.wrong.append(f"{run_id}: never reached: {sorted(missing)}")

    def at_random(self, run_id: str, kills: int, undisturbed_s: float, rng: random.Random) -> None:
        """One run, killed after random times; every third time by SIGTERM."""
        known: dict[Path, int] = {}
        for number in range(kills):
            process = self.begin(run_id, [])
            begun_s, wait_s = time.monotonic(), rng.uniform(0, undisturbed_s)
            try:
                process.wait(wait_s)
                break  # it has come to its end between kills
            except subprocess.TimeoutExpired:
                if number % 3 == 2:
                    process.terminate()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
            code = process.wait(timeout=60)
            self.after(run_id, code, f"random: {time.monotonic() - begun_s:.1f} s", known)
        self.begin(run_id, []).wait()
        self.compare_files(run_id, known)

    def check(self, run_id: str) -> None:
        """Complete, and in nothing but time different from the undisturbed run."""
        runs = self.folder / "reports" / "runs"
        wanted, found = store.read_run(runs / "undisturbed"), store.read_run(runs / run_id)
        if len(found.trials) != len(wanted.trials) or found.failures:
            self.wrong.append(f"{run_id}: {len(found.trials)} trials, {found.failures}")
        for one, other in zip(wanted.trials, found.trials, strict=False):
            same = (
                one.test_probabilities == other.test_probabilities
                and one.history == other.history
                and one.metrics == other.metrics
                and one.refits == other.refits
            )
            if not same:
                self.wrong.append(f"{run_id}: {one.trial.id} differs")
        if (runs / run_id / "faces.csv").read_bytes() != (
            runs / "undisturbed" / "faces.csv"
        ).read_bytes():
            self.wrong.append(f"{run_id}: another split")
        if not (runs / run_id / "summary.md").exists():
            self.wrong.append(f"{run_id}: no report")


def main() -> int:
    """Undisturbed, at the named points, at random; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=20, help="kills at random moments")
    parser.add_argument("--points", type=int, default=len(POINTS), help="named points, spread")
    parser.add_argument("--by", nargs="*", choices=ENDS, default=list(ENDS), help="at named points")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    points = tuple(POINTS[int((i + 0.5) * len(POINTS) / asked.points)] for i in range(asked.points))
    with tempfile.TemporaryDirectory() as name:
        chaos = Chaos(Path(name))
        begun_s = time.monotonic()
        chaos.begin("undisturbed", []).wait()
        undisturbed_s = time.monotonic() - begun_s
        ids = []
        for end in asked.by:
            ids.append(f"by-{end}")
            chaos.at_points(ids[-1], points, ENDS[end])
        while (missing := asked.random - chaos.kills["random"]) > 0:
            ids.append(f"random-{len(ids)}")
            chaos.at_random(ids[-1], min(5, missing), undisturbed_s, rng)
        for run_id in ids:
            chaos.check(run_id)
    print("\n".join(chaos.wrong))
    print(
        f"{chaos.kills.total()} kills ({dict(chaos.kills)}) of {len(ids)} runs; "
        f"undisturbed {undisturbed_s:.0f} s; {len(chaos.wrong)} things wrong"
    )
    return 1 if chaos.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
