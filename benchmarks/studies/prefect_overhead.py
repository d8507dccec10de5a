"""Measure what Prefect costs, and what a process for each step costs: one small run, four ways.

    .venv/bin/python -m benchmarks.studies.prefect_overhead [ROUNDS]

Runs the benchmark `smoke` on synthetic faces and computes everything each time. Prints wall and CPU
seconds of each way, median and range over the rounds, in which the ways take turns. The export
takes processes of its own in each of them.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

import gfr
from benchmarks import harness


def main(rounds: Annotated[int, typer.Argument()] = 5) -> None:
    """Measure, print."""
    rows = []
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        # A place of its own also for locks: other runs on this machine are not waited for.
        os.environ |= {"PREFECT_HOME": f"{home}/prefect", "TMPDIR": home}
        os.environ.pop("PREFECT_API_URL", None)
        server = harness.prefect_server(Path(home))
        stack.callback(server.stop)
        ways: dict[str, Callable[[Path], object]] = {
            "stages in one process": lambda folder: in_new_process(folder, False),
            "steps in processes of their own": lambda folder: in_new_process(folder, True),
            "gfr run, a server at hand": lambda folder: gfr_run(folder, PREFECT_API_URL=server.url),
            "gfr run, its own server": gfr_run,
        }
        for number in range(rounds + 1):
            for way, run in ways.items():
                seconds = measure(run, Path(tempfile.mkdtemp(dir=home)))
                if number:  # the first round warms the file cache
                    rows.append({"way": way} | seconds)
    table = pd.DataFrame(rows).groupby("way", sort=False).agg(["median", "min", "max", "count"])
    print(table.to_markdown(floatfmt=".1f"))


def measure(run: Callable[[Path], object], folder: Path) -> dict[str, float]:
    """Wall seconds, and CPU seconds of the processes that were started and have ended."""
    before = os.times()
    run(folder)
    after = os.times()
    wall_s, cpu_s = after.elapsed - before.elapsed, sum(after[2:4]) - sum(before[2:4])
    return {"wall (s)": wall_s, "CPU (s)": cpu_s}


def gfr_run(folder: Path, **variables: str) -> None:
    """One run as a user starts it."""
    command = harness.run_command("smoke", "run")
    harness.call("gfr run", command, folder, **variables).check_returncode()


def in_new_process(folder: Path, isolated: bool) -> None:
    """One run without Prefect, in a process that has imported nothing yet."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(without_prefect, folder, isolated).result()


def without_prefect(folder: Path, isolated: bool) -> None:
    """What the new process does."""
    places = {"reports": folder / "reports", "cache": folder / "cache"}
    gfr.run_benchmark("smoke", data="synthetic", weights="random", isolated=isolated, **places)


if __name__ == "__main__":
    harness.execute(main)
