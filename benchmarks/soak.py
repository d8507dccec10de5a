"""Many runs of `tiny`, one after another on one Prefect server: does anything grow?

    .venv/bin/python benchmarks/soak.py [--runs 200] [--dir DIR] [--keep 10] [--one-process]

In: nothing; faces are synthetic, everything lives under DIR. Out: DIR/soak.jsonl, a line a run, and
a table of slopes a run; exit code 1 if a run failed. Killed at any point, the same command goes on
with the next run, on a new server. The first run draws faces and computes features, all later ones
find them; `--keep` is each run's `--keep-runs`, so that the reports reach a plateau. Each run is a
process of its own, `gfr run`; with `--one-process` one serves all, whose memory is watched too, and
no run imports anything twice. Prefect's
server vacuums as under `make server`. Locks lie under DIR: other runs here are not waited for, but
show in the seconds and in the column of the machine's load.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
from scipy.stats import theilslopes

from gfr.errors import BadInput
from gfr.storage import atomic, locks
from gfr.storage.paths import ROOT

sys.path.append(str(ROOT / "tests"))  # the server of the tests
from processes import Server

MARK = "GFR_SOAK"
# Run ids in, exit codes out: `gfr run` without what it prints, again and again.
_SERVE = """
import sys
from gfr import environment
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.options import RunOptions
environment.prepare()
from cli import paths, prefect_session
for line in sys.stdin:
    request = pipeline_request.request(RunOptions(
        "tiny", "synthetic", "random", line.strip(), allow_download=False,
        reports=paths.absolute("reports"), cache=paths.absolute("cache"),
        command="gfr run tiny", keep_runs=int(sys.argv[1]),
    ))
    state = prefect_session.run_flow(request, "threads")
    print(int(not state.is_completed()), flush=True)
"""
REGRESSION = 3  # a complete run with a verdict
NUM_RESAMPLES = 500
FIGURES = {  # of a line: its unit and what that is divided by
    "wall_s": ("s", 1),
    "server_rss_bytes": ("MB", 1e6),
    "process_rss_bytes": ("MB", 1e6),  # with --one-process, its child that computes included
    "server_files": ("open files", 1),
    "database_bytes": ("MB", 1e6),
    "reports_bytes": ("MB", 1e6),
    "cache_bytes": ("MB", 1e6),
    "temporary_bytes": ("MB", 1e6),
}
OF_ONE_SERVER = ("server_rss_bytes", "server_files", "process_rss_bytes")  # begin anew with it

Row = dict[str, float | str | bool]


@dataclass(frozen=True)
class Trend:
    """Change a run: the Theil-Sen slope with its 95 % interval, and the level at both ends."""

    num: int
    slope: float
    low: float
    high: float
    first: float
    last: float

    @property
    def words(self) -> str:
        """What the interval says."""
        if self.low > 0:
            return "grows"
        return "falls" if self.high < 0 else "no growth that could be shown"


def trend(values: Sequence[float], seed: int = 0) -> Trend:
    """Values of successive runs, at least 4 -> their trend.

    The interval is of a moving-block bootstrap of the residuals, blocks of sqrt(n) runs: neighbours
    resemble each other, for which Theil-Sen's own interval is too narrow.
    """
    found, num = np.asarray(values, float), len(values)
    numbers = np.arange(num)
    slope, intercept, *_ = theilslopes(found, numbers)
    residuals = found - intercept - slope * numbers
    block = max(1, round(num**0.5))
    generator = np.random.default_rng(seed)
    slopes = []
    for _ in range(NUM_RESAMPLES):
        starts = generator.integers(0, num - block + 1, -(-num // block))
        drawn = np.concatenate([residuals[start : start + block] for start in starts])[:num]
        slopes.append(slope + theilslopes(drawn, numbers)[0])
    low, high = np.percentile(slopes, [2.5, 97.5])
    end = max(1, num // 10)
    first, last = statistics.median(values[:end]), statistics.median(values[-end:])
    return Trend(num, float(slope), float(low), float(high), first, last)


def read(path: Path) -> list[Row]:
    """The lines so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def series(rows: Sequence[Row], figure: str) -> list[float]:
    """A figure over the runs: without the first, which fills the cache, and those gone on with.

    What a server begins anew is of the one that saw most runs.
    """
    usable = [row for row in rows if row["run"] != 1 and not row["is_resumed"]]
    if figure in OF_ONE_SERVER and usable:
        longest = Counter(row["server"] for row in usable).most_common(1)[0][0]
        usable = [row for row in usable if row["server"] == longest]
    return [float(row[figure]) for row in usable if figure in row]


def table(rows: Sequence[Row]) -> str:
    """What grows, over all runs and over their last half."""
    codes = Counter(row["exit_code"] for row in rows)
    left = sum(float(row["left_processes"]) for row in rows)
    lines = [
        f"{len(rows)} runs on {len({row['server'] for row in rows})} servers; exit codes "
        + ", ".join(f"{code}: {num}" for code, num in sorted(codes.items()))
        + f"; processes left over: {left:.0f}"
    ]
    for figure, (unit, size) in FIGURES.items():
        values = series(rows, figure)
        if not values and figure == "process_rss_bytes":
            continue
        for which, part in (("all", values), ("last half", values[len(values) // 2 :])):
            if len(part) < 4:
                lines.append(f"{figure:16} {which:9} n = {len(part)}: too few for a slope")
                continue
            found = trend([value / size for value in part])
            lines.append(
                f"{figure:16} {which:9} {found.slope:+.4f} [{found.low:+.4f}, {found.high:+.4f}] "
                f"{unit} a run, {found.first:.2f} -> {found.last:.2f}, n = {found.num}: "
                f"{found.words}"
            )
    return "\n".join(lines)


def soak(folder: Path, num_runs: int, begin: Callable[[Path], "Served"]) -> list[Row]:
    """The runs up to number `num_runs` that are missing; a line in soak.jsonl after each."""
    path = folder / "soak.jsonl"
    rows = read(path)
    if len(rows) >= num_runs:
        return rows
    served = begin(folder)
    server = 1 + max((int(row["server"]) for row in rows), default=0)
    try:
        for number in range(len(rows) + 1, num_runs + 1):
            run_id = f"soak-{number:05}"
            is_resumed = (folder / "reports" / "runs" / run_id).exists()
            begun, begun_s = datetime.now(UTC), time.monotonic()
            code = served.run(run_id)
            wall_s = time.monotonic() - begun_s
            row: Row = {"run": number, "begun_utc": begun.isoformat(timespec="seconds")}
            row |= {"server": server, "is_resumed": is_resumed, "exit_code": code}
            row |= {"wall_s": round(wall_s, 2), "load": psutil.getloadavg()[0]} | served.measure()
            rows.append(row)
            # Whole, not appended: a kill leaves no half line.
            atomic.write_text(path, "".join(json.dumps(line) + "\n" for line in rows))
            print(json.dumps(row), flush=True)
    finally:
        served.stop()
    return rows


class Served:
    """One Prefect server with its database under a folder, and runs on it."""

    def __init__(self, folder: Path, keep: int, is_one_process: bool) -> None:
        """End what a killed soak of this folder has left, then start."""
        self.folder, self.keep = folder, keep
        self.process: subprocess.Popen[str] | None = None
        for process in self.marked():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        (folder / "tmp").mkdir(exist_ok=True)
        # Inherited by the server and by every run.
        os.environ |= {
            **{MARK: str(folder), "TMPDIR": str(folder / "tmp")},
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        }
        self.server = Server(folder)
        if is_one_process:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(keep)],
                cwd=folder,
                env=self.server.environment | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def run(self, run_id: str) -> int:
        """One run of `tiny` to its end; returns its exit code."""
        if self.process:
            assert self.process.stdin and self.process.stdout
            print(run_id, file=self.process.stdin, flush=True)
            return int(self.process.stdout.readline() or self.process.wait())
        words = [sys.executable, "-c", "from cli.main import main; main()", "run", "tiny"]
        words += ["--data", "synthetic", "--weights", "random", "--offline", "--run-id", run_id]
        words += ["--keep-runs", str(self.keep), "--cache", "cache", "--reports", "reports"]
        with (self.folder / "runs.log").open("wb") as log:  # of the newest run
            return subprocess.run(
                words,
                cwd=self.folder,
                env=self.server.environment | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            ).returncode

    def measure(self) -> Row:
        """Memory, files and processes, after a run."""
        root = psutil.Process(self.server.started[0].pid)
        processes = [root, *root.children(recursive=True)]
        known = {process.pid for process in processes} | {os.getpid()}
        ours: dict[str, float] = {}
        if self.process and self.process.poll() is None:
            runner = psutil.Process(self.process.pid)
            members = [runner, *runner.children(recursive=True)]
            ours = {"process_rss_bytes": sum(process.memory_info().rss for process in members)}
            known |= {process.pid for process in members}
        return ours | {
            "server_rss_bytes": sum(process.memory_info().rss for process in processes),
            "server_files": sum(process.num_fds() for process in processes),
            "database_bytes": size(self.folder / "prefect"),
            "reports_bytes": size(self.folder / "reports"),
            "cache_bytes": size(self.folder / "cache"),
            "temporary_bytes": size(self.folder / "tmp"),
            "left_processes": sum(process.pid not in known for process in self.marked()),
        }

    def marked(self) -> list[psutil.Process]:
        """Every process that a soak of this folder started, but this one."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    process.pid != os.getpid()
                    and process.environ().get(MARK) == str(self.folder)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
        return found

    def stop(self) -> None:
        """End what was started."""
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.server.stop()


def size(folder: Path) -> int:
    """Bytes of all files below."""
    num_bytes = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                num_bytes += (Path(place) / name).lstat().st_size
    return num_bytes


def main() -> int:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "gfr-soak")
    parser.add_argument("--keep", type=int, default=10)
    parser.add_argument("--one-process", action="store_true", help="one process for all runs")
    parser.add_argument("--show", action="store_true", help="only print the table")
    asked = parser.parse_args()
    folder = asked.dir.absolute()
    if asked.show:
        rows = read(folder / "soak.jsonl")
    else:
        try:
            with locks.claimed(folder):
                rows = soak(
                    folder, asked.runs, lambda place: Served(place, asked.keep, asked.one_process)
                )
        except BadInput as error:
            print(f"soak: {error}", file=sys.stderr)
            return 2
    print(table(rows))
    return int(any(row["exit_code"] not in (0, REGRESSION) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
