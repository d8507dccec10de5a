"""Kill a small run again and again, resume it, and compare it with an undisturbed run.

    .venv/bin/python -m benchmarks.validation.kill_and_resume [--random 20] [--points 13]

Everything is in a temporary folder. One run is killed at each of the first `--points` named points
(tests/faults) with kill -9 of its process group, another one with SIGTERM to the run itself; more
runs are killed at random moments. Prints each kill and a last line of counts. Exit code 1 if a
result differs from the undisturbed run, if something that was finished is computed again, or if a
process outlives its run.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import psutil

from benchmarks import harness
from gfr.results import store
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory

BENCHMARK = Path(__file__).with_suffix(".toml")
# At least two for each stage: in the middle, and between writing a file and renaming it.
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
    "rename:figures/confusion.svg",
    "rename:*/summary.md",
)
NEVER_TWICE = ("parts/*/*.json", "features/*.json", "trials/*.json", "latency/*.json")
COMPARED = ("test_probabilities", "history", "metrics", "refits")  # of each trial
WAYS = {"by-kill": "kill group", "by-terminate": "terminate"}  # runs, and actions of tests/faults
MARK = "GFR_CHAOS"


class Chaos:
    """A folder in which runs are started and killed."""

    def __init__(self, folder: Path) -> None:
        """Start with no problems and no kills; kills are counted by kind."""
        self.folder = folder
        self.wrong: list[str] = []
        self.kills: Counter[str] = Counter()
        self.inodes = defaultdict[str, dict[Path, int]](dict)  # of each run's finished files

    def start(self, run_id: str, *faults: dict[str, str]) -> subprocess.Popen:
        """Start or resume `gfr run` in a process group of its own."""
        variables = {MARK: str(self.folder), "GFR_FAULTS": json.dumps(faults)}
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT / "tests" / "faults"), str(ROOT)])
        with (self.folder / f"{run_id}.log").open("ab") as log:
            return subprocess.Popen(
                harness.run_command(BENCHMARK, run_id, "--cache", f"cache-{run_id}"),
                cwd=self.folder,
                env=os.environ | variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def after(self, run_id: str, code: int, where: str) -> None:
        """Check what a kill has left."""
        self.kills[where.split(":")[0]] += 1
        print(f"{run_id}: exit {code:4} at {where}", flush=True)
        psutil.wait_procs(harness.processes_with(MARK, str(self.folder)), timeout=10)
        if left := harness.processes_with(MARK, str(self.folder)):
            commands = [" ".join(process.info["cmdline"])[:100] for process in left]
            self.wrong.append(f"{run_id}: {where}: outlived by {commands}")
        self.compare_files(run_id)

    def compare_files(self, run_id: str) -> None:
        """Check that what was finished has not been written again."""
        directory, cache = self.folder / "reports" / "runs" / run_id, f"cache-{run_id}"
        finished = [path for pattern in NEVER_TWICE for path in directory.glob(pattern)]
        finished += (self.folder / cache).glob("features/*/0*.npy")
        now = {path: path.stat().st_ino for path in finished if path.name[:4] != "tmp-"}
        before = self.inodes[run_id]
        if rewritten := [str(path) for path in before if now.get(path) != before[path]]:
            self.wrong.append(f"{run_id}: written again: {rewritten}")
        self.inodes[run_id] = now

    def at_points(self, run_id: str, points: tuple[str, ...], action: str) -> None:
        """Kill one run at each point in turn, then let it finish."""
        for number, point in enumerate(points):
            once = self.folder / f"{run_id}-{number}"
            code = self.start(run_id, {"at": point, "do": action, "once": str(once)}).wait()
            if once.exists():
                self.after(run_id, code, point)
            else:
                self.wrong.append(f"{run_id}: {point} not reached, exit {code}")
        self.finish(run_id)

    def at_random(self, run_id: str, kills: int, undisturbed_s: float, rng: Random) -> None:
        """Kill one run after random times, every third time by SIGTERM, then let it finish."""
        for number in range(kills):
            process = self.start(run_id)
            wait_s = rng.uniform(0, undisturbed_s)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait_s)
                break  # it has finished between kills
            if number % 3 == 2:
                process.terminate()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait(timeout=60)
            self.after(run_id, code, f"random: {wait_s:.1f} s")
        self.finish(run_id)

    def finish(self, run_id: str) -> None:
        """Resume a run without killing it."""
        self.start(run_id).wait()
        self.compare_files(run_id)

    def check(self, run_id: str) -> None:
        """Check that a run is complete and has the results of the undisturbed one."""
        results = self.results(run_id)
        for name, expected in self.results("undisturbed").items():
            if results.get(name) != expected:
                self.wrong.append(f"{run_id}: {name} differs from the undisturbed run")

    def results(self, run_id: str) -> dict[str, object]:
        """Return what must equal the results of the undisturbed run, by name."""
        run = store.read_run(self.folder / "reports" / "runs" / run_id)
        directory = RunDirectory(run.directory)
        return {
            "failures": run.failures,
            "split": directory.faces.read_bytes(),
            "presence of a report": directory.summary_md.exists(),
            **{row.trial.id: [getattr(row, name) for name in COMPARED] for row in run.trials},
        }


def main(random: int = 20, points: int = len(POINTS)) -> int:
    """Run undisturbed, kill at the named points and at random, compare; returns the exit code."""
    rng, ids = Random(0), list(WAYS)
    with tempfile.TemporaryDirectory() as name:
        chaos = Chaos(Path(name))
        begun_s = time.monotonic()
        if code := chaos.start("undisturbed").wait():
            chaos.wrong.append(f"undisturbed: exit {code}")
        undisturbed_s = time.monotonic() - begun_s
        for run_id, action in WAYS.items():
            chaos.at_points(run_id, POINTS[:points], action)
        while (missing := random - chaos.kills["random"]) > 0:
            ids.append(f"random-{len(ids)}")
            chaos.at_random(ids[-1], min(5, missing), undisturbed_s, rng)
        for run_id in ids:
            chaos.check(run_id)
    print("\n".join(chaos.wrong))
    print(
        f"{chaos.kills.total()} kills ({dict(chaos.kills)}) of {len(ids)} runs; "
        f"undisturbed {undisturbed_s:.0f} s; {len(chaos.wrong)} things wrong"
    )
    return int(bool(chaos.wrong))


if __name__ == "__main__":
    harness.execute(main)
