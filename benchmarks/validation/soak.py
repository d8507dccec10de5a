"""Run the benchmark `tiny` many times on one Prefect server: does anything grow?

    .venv/bin/python -m benchmarks.validation.soak [--runs 200] [--dir DIR] [--one-process]

Everything lives under DIR, with a line for each run in DIR/soak.jsonl. Prints a table of slopes,
with `--show` without running anything; exit code 1 if a run failed. After a kill, the same command
resumes with the next run on a new server. The first run draws faces and computes features, which
all later ones reuse; `--keep` is the `--keep-runs` of each run, so that the reports reach a
plateau. Each run is a process of its own; with `--one-process` one process does them all, and its
memory is recorded too. Locks lie under DIR: other runs on this machine are not waited for, but show
in the seconds and in the recorded load.
"""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from scipy.stats import theilslopes

from benchmarks import harness
from gfr.storage import atomic, locks

FOLDER = Path(tempfile.gettempdir()) / "gfr-soak"
MARK = "GFR_SOAK"
NUM_RESAMPLES = 500
FIGURES = (
    *("wall_s", "server_files", "server_rss_bytes", "database_bytes", "reports_bytes"),
    *("cache_bytes", "temporary_bytes"),
    "process_rss_bytes",  # with --one-process, its child that computes included
)
OF_ONE_SERVER = ("server_rss_bytes", "server_files", "process_rss_bytes")  # start anew with it


def trend(values: Sequence[float], seed: int = 0) -> dict[str, Any]:
    """Estimate the change per run of the values of successive runs, at least 4.

    The slope is Theil and Sen's. Its 95 % interval is of a moving-block bootstrap of the residuals,
    blocks of sqrt(n) runs: neighbours resemble each other, for which Theil-Sen's own interval is
    too narrow. `first` and `last` are the levels at both ends.
    """
    numbers, num = np.arange(len(values)), len(values)
    slope, intercept, *_ = theilslopes(values, numbers)
    residuals = np.asarray(values) - intercept - slope * numbers
    block, end = round(num**0.5), max(1, num // 10)
    generator = np.random.default_rng(seed)
    slopes = []
    for _ in range(NUM_RESAMPLES):
        starts = generator.integers(0, num - block + 1, -(-num // block))
        drawn = np.concatenate([residuals[start : start + block] for start in starts])[:num]
        slopes.append(slope + theilslopes(drawn, numbers)[0])
    low, high = np.percentile(slopes, [2.5, 97.5])
    words = "grows" if low > 0 else "falls" if high < 0 else "no significant growth"
    ends = {"first": np.median(values[:end]), "last": np.median(values[-end:])}
    return {"slope": slope, "low": low, "high": high, **ends, "trend": words}


def read(path: Path) -> list[dict]:
    """Read the lines so far."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def series(rows: pd.DataFrame, figure: str) -> list[float]:
    """Return a figure of each run but the first, which fills the cache, and resumed ones.

    What starts anew with each server is returned for the server of the most runs.
    """
    usable = rows[(rows["run"] != 1) & ~rows["is_resumed"] & rows[figure].notna()]
    if figure in OF_ONE_SERVER:
        usable = usable[usable["server"].isin(usable["server"].mode()[:1])]
    return (usable[figure] / (1e6 if figure.endswith("_bytes") else 1)).tolist()


def table(rows: pd.DataFrame) -> str:
    """List what grows, over all runs and over their last half; bytes in MB."""
    codes = rows["exit_code"].value_counts().sort_index().items()
    summary = (
        f"{len(rows)} runs on {rows['server'].nunique()} servers; exit codes "
        + ", ".join(f"{code}: {num}" for code, num in codes)
        + f"; processes left over: {rows['left_processes'].sum()}"
    )
    trends: list[dict] = []
    for figure in rows.columns.intersection(FIGURES):
        values = series(rows, figure)
        for which, part in (("all", values), ("last half", values[len(values) // 2 :])):
            row = {"value": figure.replace("bytes", "MB"), "runs": which, "n": len(part)}
            trends.append(row | (trend(part) if len(part) >= 4 else {"trend": "too few runs"}))
    return f"{summary}\n{pd.DataFrame(trends).to_markdown(index=False, floatfmt='.4g')}"


def soak(folder: Path, num_runs: int, start: Callable[[Path], "Served"]) -> list[dict]:
    """Do the missing runs up to number `num_runs`, with a line in soak.jsonl after each."""
    path = folder / "soak.jsonl"
    rows = read(path)
    if len(rows) >= num_runs:
        return rows
    served = start(folder)
    server = 1 + max((row["server"] for row in rows), default=0)
    try:
        for number in range(len(rows) + 1, num_runs + 1):
            run_id = f"soak-{number:05}"
            is_resumed = (folder / "reports" / "runs" / run_id).exists()
            begun_utc, begun_s = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
            row = {"run": number, "begun_utc": begun_utc, "server": server}
            row |= {"is_resumed": is_resumed, "exit_code": served.run(run_id)}
            row |= {"wall_s": round(time.monotonic() - begun_s, 2), "load": psutil.getloadavg()[0]}
            rows.append(row | served.measure())
            # Whole, not appended: a kill leaves no half line.
            atomic.write_text(path, "".join(json.dumps(line) + "\n" for line in rows))
            print(json.dumps(rows[-1]), flush=True)
    finally:
        served.stop()
    return rows


class Served:
    """One Prefect server with its database under a folder, and runs on it."""

    def __init__(self, folder: Path, keep: int, is_one_process: bool) -> None:
        """End what a killed soak of this folder has left, then start."""
        self.folder, self.keep = folder, keep
        for process in harness.processes_with(MARK, str(folder)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        # Inherited by the server and by every run.
        os.environ |= {MARK: str(folder), "TMPDIR": str(temporary)}
        os.environ["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"] = "events,flow_runs"
        self.server = harness.prefect_server(folder)
        os.environ |= self.server.environment
        self.pool = ProcessPoolExecutor(1, get_context("spawn")) if is_one_process else None

    def run(self, run_id: str) -> int:
        """Do one run of `tiny`; returns its exit code."""
        if self.pool:
            return self.pool.submit(run_flow, self.folder, run_id, self.keep).result()
        command = harness.run_command("tiny", run_id, "--keep-runs", str(self.keep))
        done = harness.call(run_id, command, self.folder)
        (self.folder / "runs.log").write_text(done.stdout + done.stderr)  # of the newest run
        return done.returncode

    def measure(self) -> dict[str, Any]:
        """Memory, files and processes, after a run."""
        server = family(self.server.started[0].pid)
        runner = family(self.pool.submit(os.getpid).result()) if self.pool else []
        known = family(os.getpid())
        left = [row for row in harness.processes_with(MARK, str(self.folder)) if row not in known]
        return {
            "server_rss_bytes": rss_bytes(server),
            "process_rss_bytes": rss_bytes(runner) if runner else None,
            "server_files": sum(process.num_fds() for process in server),
            "database_bytes": size(self.folder / "prefect"),
            "reports_bytes": size(self.folder / "reports"),
            "cache_bytes": size(self.folder / "cache"),
            "temporary_bytes": size(self.folder / "tmp"),
            "left_processes": len(left),
        }

    def stop(self) -> None:
        """End what was started."""
        if self.pool:
            self.pool.shutdown()
        self.server.stop()


def run_flow(folder: Path, run_id: str, keep: int) -> int:
    """Run the flow of `tiny` in this process, as `gfr run` does; 1 if it is not complete."""
    from cli import prefect_session
    from gfr import environment
    from gfr.pipeline.request import request
    from gfr.pipeline.run_options import RunOptions

    environment.prepare()
    places = {"reports": str(folder / "reports"), "cache": str(folder / "cache")}
    options = RunOptions("tiny", "synthetic", "random", run_id, keep_runs=keep, **places)
    return int(not prefect_session.run_flow(request(options), "threads").is_completed())


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def rss_bytes(processes: Sequence[psutil.Process]) -> int:
    """Memory of processes, shared pages counted in each."""
    return sum(process.memory_info().rss for process in processes)


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    num_bytes = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the server's files come and go
            num_bytes += 0 if path.is_dir() else path.lstat().st_size
    return num_bytes


def main(
    runs: int = 200,
    dir: Path = FOLDER,
    keep: int = 10,
    one_process: bool = False,
    show: bool = False,
) -> int:
    """Run what is missing, print the table."""
    folder = dir.absolute()
    if show:
        rows = read(folder / "soak.jsonl")
    else:
        with locks.claimed(folder):
            rows = soak(folder, runs, lambda place: Served(place, keep, one_process))
    print(table(pd.DataFrame(rows)))
    return int(any(row["exit_code"] not in (0, harness.REGRESSION) for row in rows))


if __name__ == "__main__":
    harness.execute(main)
