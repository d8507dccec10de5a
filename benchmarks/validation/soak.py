"""Run the benchmark `tiny` many times on one Prefect server, to find out whether anything grows.

    .venv/bin/python -m benchmarks.validation.soak [--runs 200] [--dir DIR] [--keep 10] [--show]

Everything is below DIR, with a line for each run in DIR/soak.jsonl. Prints a table of slopes, with
`--show` without running anything; exit code 1 if a run failed. After a kill, the same command
resumes with the next run on a new server. The first run draws faces and computes features, which
all later ones reuse; `--keep` is the `--keep-runs` of each run, so that the reports reach a
plateau. Locks are below DIR: other runs on this machine are not waited for, but they show in the
seconds and in the recorded load.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from scipy.stats import theilslopes

from benchmarks import harness
from gfr.storage import atomic, locks
from gfr.storage.paths import ROOT

sys.path.append(str(ROOT / "tests"))  # the server of the tests

FOLDER = Path(tempfile.gettempdir()) / "gfr-soak"
MARK = "GFR_SOAK"
NUM_BATCHES = 10
OF_ONE_SERVER = ("server_rss_bytes", "server_files")  # start again with each server
FIGURES = (
    *("wall_s", *OF_ONE_SERVER, "database_bytes", "reports_bytes"),
    *("cache_bytes", "temporary_bytes"),
)


def trend(values: Sequence[float]) -> dict[str, Any]:
    """Estimate the change per run of the values of successive runs, with a 95% interval.

    Successive runs resemble each other, for which the interval of Theil and Sen's slope is too
    narrow. The slope is therefore that of the medians of ten batches of successive runs. `first`
    and `last` are the medians of the first and of the last batch.
    """
    if len(values) < NUM_BATCHES:
        return {"trend": "too few runs"}
    batches = np.array_split(np.arange(len(values)), NUM_BATCHES)
    medians = [np.median(np.take(values, batch)) for batch in batches]
    slope, _, low, high = theilslopes(medians, [batch.mean() for batch in batches])
    words = "grows" if low > 0 else "falls" if high < 0 else "no significant growth"
    ends = {"first": medians[0], "last": medians[-1]}
    return {"slope": slope, "low": low, "high": high, **ends, "trend": words}


def read(path: Path) -> list[dict]:
    """Read the lines so far."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def series(rows: pd.DataFrame, figure: str) -> list[float]:
    """Return a figure of each run, without the first, which fills the cache, and resumed ones.

    What starts again with each server is returned for the server of the most runs.
    """
    usable = rows[(rows["run"] != 1) & ~rows["is_resumed"]]
    if figure in OF_ONE_SERVER:
        usable = usable[usable["server"].isin(usable["server"].mode()[:1])]
    return (usable[figure] / (1e6 if figure.endswith("_bytes") else 1)).tolist()


def table(rows: pd.DataFrame) -> str:
    """List what grows, over all runs and over their last half; bytes in MB."""
    codes = rows["exit_code"].value_counts().sort_index().to_dict()
    summary = (
        f"{len(rows)} runs on {rows['server'].nunique()} servers; runs by exit code: {codes}; "
        f"processes left over: {rows['left_processes'].sum()}"
    )
    trends: list[dict] = []
    for figure in FIGURES:
        values = series(rows, figure)
        for which, part in (("all", values), ("last half", values[len(values) // 2 :])):
            row = {"value": figure.replace("bytes", "MB"), "runs": which, "n": len(part)}
            trends.append(row | trend(part))
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
            # All lines again, not one appended: a kill leaves no half line.
            atomic.write_text(path, "".join(json.dumps(line) + "\n" for line in rows))
            print(json.dumps(rows[-1]), flush=True)
    finally:
        served.server.stop()
    return rows


class Served:
    """One Prefect server with its database below a folder, and runs on it."""

    def __init__(self, folder: Path, keep: int) -> None:
        """End what a killed soak test of this folder has left, then start."""
        self.folder, self.keep = folder, keep
        for process in harness.processes_with(MARK, str(folder)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        # Inherited by the server and by every run.
        os.environ |= {MARK: str(folder), "TMPDIR": str(temporary)}
        os.environ["PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"] = "events,flow_runs"
        from processes import Server

        self.server = Server(folder)
        os.environ |= self.server.environment

    def run(self, run_id: str) -> int:
        """Do one run of `tiny`; returns its exit code."""
        command = harness.run_command("tiny", run_id, "--keep-runs", str(self.keep))
        done = harness.call(run_id, command, self.folder)
        (self.folder / "runs.log").write_text(done.stdout + done.stderr)  # of the newest run
        return done.returncode

    def measure(self) -> dict[str, Any]:
        """Memory, files and processes, after a run; memory counts shared pages in each process."""
        own = psutil.Process().children(recursive=True)
        first = psutil.Process(self.server.started[0].pid)
        server = [first, *first.children(recursive=True)]
        left = [row for row in harness.processes_with(MARK, str(self.folder)) if row not in own]
        return {
            "server_rss_bytes": sum(process.memory_info().rss for process in server),
            "server_files": sum(process.num_fds() for process in server),
            "database_bytes": size(self.folder / "prefect"),
            "reports_bytes": size(self.folder / "reports"),
            "cache_bytes": size(self.folder / "cache"),
            "temporary_bytes": size(self.folder / "tmp"),
            "left_processes": len(left),
        }


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    num_bytes = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # the server's files come and go
            num_bytes += 0 if path.is_dir() else path.lstat().st_size
    return num_bytes


def main(runs: int = 200, dir: Path = FOLDER, keep: int = 10, show: bool = False) -> int:
    """Run what is missing, print the table."""
    folder = dir.absolute()
    if show:
        rows = read(folder / "soak.jsonl")
    else:
        with locks.claimed(folder):
            rows = soak(folder, runs, lambda place: Served(place, keep))
    print(table(pd.DataFrame(rows)))
    return int(any(row["exit_code"] not in (0, harness.REGRESSION) for row in rows))


if __name__ == "__main__":
    harness.execute(main)
