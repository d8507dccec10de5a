"""Kill a small run again and again, resume it, and compare it with an undisturbed run.

    .venv/bin/python -m benchmarks.validation.kill_and_resume [--random 20] [--points 13] [--by HOW]

Everything lives in a temporary folder. Named points (tests/faults) are reached twice, once with
kill -9 of the whole process group and once with SIGTERM to the run, or only in the way that `--by`
names; other runs are killed at random moments. Prints each kill and a last line of counts. Exit
code 1 if a result differs from the undisturbed run, if something that was finished is computed
again, or if a process outlives its run.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Literal

import psutil

from benchmarks import harness
from gfr.results import store
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory

BENCHMARK = Path(__file__).with_suffix(".toml")
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
NEVER_TWICE = ("parts/*/*.json", "features/*.json", "trials/*.json", "latency/*.json")
COMPARED = ("test_probabilities", "history", "metrics", "refits")  # of each trial
ACTIONS = {"kill": "kill group", "terminate": "terminate"}  # as tests/faults names them
MARK = "GFR_CHAOS"


class Chaos:
    """A folder in which runs are started and killed."""

    def __init__(self, folder: Path) -> None:
        """Keep what is found wrong, and the kills by kind."""
        self.folder = folder
        self.wrong: list[str] = []
        self.kills: Counter[str] = Counter()

    def start(self, run_id: str, faults: list[dict[str, str]]) -> subprocess.Popen:
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

    def after(self, run_id: str, code: int, where: str, inodes: dict[Path, int]) -> None:
        """Look at what a kill has left; `inodes` are those of the finished files so far."""
        self.kills[where.split(":")[0]] += 1
        print(f"{run_id}: exit {code:4} at {where}", flush=True)
        psutil.wait_procs(harness.processes_with(MARK, str(self.folder)), timeout=10)
        if left := harness.processes_with(MARK, str(self.folder)):
            commands = [" ".join(process.info["cmdline"])[:100] for process in left]
            self.wrong.append(f"{run_id}: {where}: outlived by {commands}")
        self.compare_files(run_id, inodes)

    def compare_files(self, run_id: str, inodes: dict[Path, int]) -> None:
        """Check that what was finished has not been written again."""
        directory = self.folder / "reports" / "runs" / run_id
        finished = [path for pattern in NEVER_TWICE for path in directory.glob(pattern)]
        finished += (self.folder / f"cache-{run_id}").glob("features/*/0*.npy")
        now = {path: path.stat().st_ino for path in finished if path.name[:4] != "tmp-"}
        rewritten = [str(path) for path, inode in inodes.items() if now.get(path) != inode]
        if rewritten:
            self.wrong.append(f"{run_id}: written again: {rewritten}")
        inodes.update(now)

    def at_points(self, run_id: str, points: tuple[str, ...], action: str) -> None:
        """Kill one run at each point in turn until it finishes."""
        once = {point: self.folder / f"{run_id}-{number}" for number, point in enumerate(points)}
        faults = [{"at": point, "do": action, "once": str(once[point])} for point in points]
        inodes: dict[Path, int] = {}
        left = set(points)
        while code := self.start(run_id, faults).wait():
            now = {point for point in points if not once[point].exists()}
            if now == left:
                break
            (where,) = left - now
            left = now
            self.after(run_id, code, where, inodes)
        self.compare_files(run_id, inodes)
        if left:
            self.wrong.append(f"{run_id}: never reached: {sorted(left)}")

    def at_random(self, run_id: str, kills: int, undisturbed_s: float, rng: Random) -> None:
        """Kill one run after random times; every third time by SIGTERM."""
        inodes: dict[Path, int] = {}
        for number in range(kills):
            process = self.start(run_id, [])
            wait_s = rng.uniform(0, undisturbed_s)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait_s)
                break  # it has finished between kills
            if number % 3 == 2:
                process.terminate()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait(timeout=60)
            self.after(run_id, code, f"random: {wait_s:.1f} s", inodes)
        self.start(run_id, []).wait()
        self.compare_files(run_id, inodes)

    def check(self, run_id: str) -> None:
        """Check that a run is complete and differs from the undisturbed one in nothing but time."""
        results = self.results(run_id)
        for name, expected in self.results("undisturbed").items():
            if results.get(name) != expected:
                self.wrong.append(f"{run_id}: {name} not as in the undisturbed run")

    def results(self, run_id: str) -> dict[str, object]:
        """What a run must have in common with the undisturbed one, by name."""
        run = store.read_run(self.folder / "reports" / "runs" / run_id)
        directory = RunDirectory(run.directory)
        return {
            "failures": run.failures,
            "split": directory.faces.read_bytes(),
            "presence of a report": directory.summary_md.exists(),
            **{row.trial.id: [getattr(row, name) for name in COMPARED] for row in run.trials},
        }


def main(
    random: int = 20,
    points: int = len(POINTS),
    by: Literal["kill", "terminate"] | None = None,
    seed: int = 0,
) -> int:
    """Run undisturbed, kill at the named points and at random, compare; returns the exit code."""
    rng = Random(seed)
    spread = tuple(POINTS[int((i + 0.5) * len(POINTS) / points)] for i in range(points))
    with tempfile.TemporaryDirectory() as name:
        chaos = Chaos(Path(name))
        begun_s = time.monotonic()
        if code := chaos.start("undisturbed", []).wait():
            chaos.wrong.append(f"undisturbed: exit {code}")
        undisturbed_s = time.monotonic() - begun_s
        ids = [f"by-{way}" for way in ACTIONS if by in (way, None)]
        for run_id in ids:
            chaos.at_points(run_id, spread, ACTIONS[run_id.removeprefix("by-")])
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
