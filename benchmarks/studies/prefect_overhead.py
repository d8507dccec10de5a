"""Measure what Prefect costs, and what a process for each step costs: one small run, four ways.

    .venv/bin/python -m benchmarks.studies.prefect_overhead [ROUNDS]

Runs the benchmark `smoke` on synthetic faces and computes everything each time. Prints wall and CPU
seconds of each way, median and range over the rounds, in which the ways take turns. The export
takes processes of its own in each of them.
"""

import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import harness
from gfr.pipeline import run as pipeline


def main() -> None:
    """Measure, print."""
    parser = harness.parser(__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as home:
        # A place of its own also for locks: other runs on this machine are not waited for.
        os.environ |= {"PREFECT_HOME": f"{home}/prefect", "TMPDIR": home}
        os.environ.pop("PREFECT_API_URL", None)
        server = harness.prefect_server(Path(home))
        ways: dict[str, Callable[[Path], object]] = {
            "stages in one process": lambda folder: without_prefect(folder, False),
            "steps in processes of their own": lambda folder: without_prefect(folder, True),
            "gfr run, a server at hand": lambda folder: gfr_run(folder, PREFECT_API_URL=server.url),
            "gfr run, its own server": lambda folder: gfr_run(folder),
        }
        try:
            for number in range(rounds + 1):
                for way, run in ways.items():
                    folder = Path(tempfile.mkdtemp(dir=home))
                    seconds = measured(run, folder)
                    if number:  # the first round warms the file cache
                        taken.setdefault(way, []).append(seconds)
        finally:
            server.stop()
    for way, rows in taken.items():
        wall, cpu = zip(*rows, strict=True)
        print(
            f"{way:32} wall {statistics.median(wall):5.1f} s [{min(wall):.1f}, {max(wall):.1f}]  "
            f"CPU {statistics.median(cpu):5.1f} s [{min(cpu):.1f}, {max(cpu):.1f}]  n = {len(rows)}"
        )


def measured(run: Callable[[Path], object], folder: Path) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of the processes that were started and have ended."""
    before, begun_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run(folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begun_s, cpu_s


def gfr_run(folder: Path, **variables: str) -> None:
    """One run as a user starts it."""
    command = harness.run_command("smoke", "run")
    environment = harness.environment(**variables)
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def without_prefect(folder: Path, isolated: bool) -> None:
    """One run without Prefect, in a new process that imports everything."""
    harness.in_new_process(stages, folder, isolated)


def stages(folder: Path, isolated: bool) -> None:
    """What the new process does."""
    pipeline.run(harness.request("smoke", folder), isolated=isolated)


if __name__ == "__main__":
    harness.execute(main)
