"""What Prefect costs, and what a process for each step costs: the same small run four ways.

    python benchmarks/overhead.py [ROUNDS]

In: the benchmark `smoke` on synthetic faces, everything computed anew. Out: wall and CPU seconds of
each way, median and range over the rounds, which take turns. Never touches `reports` or `cache`.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from gfr.storage.paths import ROOT

PORT = 4217
COMMON = """
import sys
from pathlib import Path
from gfr.pipeline import request as pipeline_request
from gfr.config import schema
from gfr.report import writer
folder = sys.argv[1]
request = pipeline_request.request("smoke", "synthetic", "random", "r", True, False,
    folder + "/reports", folder + "/cache", "overhead", 900, None, 0, schema.Selecting())
limits = request.limits
"""
IN_CHILDREN = """
run_dir = steps.prepare(request, limits)
for row in request.benchmark.feature_sets: steps.extract(run_dir, row, shards.WHOLE, limits)
for row in request.benchmark.trials: steps.train(run_dir, row, limits)
for row in request.benchmark.feature_sets: steps.time_model(run_dir, row, limits)
"""
IN_PROCESS = """
from gfr.pipeline import features
from gfr.pipeline import training
from gfr.pipeline import latency
run_dir = door.prepare(request)
me = steps.worker()
for row in request.benchmark.feature_sets: features.extract(run_dir, row, shards.WHOLE, me)
for row in request.benchmark.trials: training.train(run_dir, row, me)
for row in request.benchmark.feature_sets: latency.time_model(run_dir, row)
"""
ENDING = """
selection.select(run_dir)
writer.write_report(run_dir)
"""
GFR = "from cli.main import main; main()"
WORDS = ["run", "smoke", "--data", "synthetic", "--weights", "random", "--offline", "--fresh"]


def main() -> None:
    """Measure, print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    taken: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as home:
        # A place of its own also for locks: other runs on this machine are not waited for.
        environment = os.environ | {"PREFECT_HOME": f"{home}/prefect", "TMPDIR": home}
        environment.pop("PREFECT_API_URL", None)
        address = f"http://127.0.0.1:{PORT}/api"
        server = _serve(environment, address)
        try:
            for number in range(rounds + 1):
                for way, seconds in _round(Path(home) / str(number), environment, address):
                    if number:  # the first round warms the file cache
                        taken.setdefault(way, []).append(seconds)
        finally:
            server.terminate()
            server.wait()
    for way, rows in taken.items():
        wall, cpu = ([row[i] for row in rows] for i in (0, 1))
        print(
            f"{way:32} wall {statistics.median(wall):5.1f} s [{min(wall):.1f}, {max(wall):.1f}]  "
            f"CPU {statistics.median(cpu):5.1f} s [{min(cpu):.1f}, {max(cpu):.1f}]  n = {len(rows)}"
        )


def _round(folder: Path, environment: dict[str, str], address: str):
    with_server = environment | {"PREFECT_API_URL": address}
    ways = {
        "stages in one process": ([COMMON + IN_PROCESS + ENDING], environment),
        "steps in processes of their own": ([COMMON + IN_CHILDREN + ENDING], environment),
        "gfr run, a server at hand": ([GFR, *WORDS], with_server),
        "gfr run, its own server": ([GFR, *WORDS], environment),
    }
    for number, (way, (words, env)) in enumerate(ways.items()):
        place = str(folder / str(number))
        more = ["--reports", f"{place}/reports", "--cache", f"{place}/cache"]
        words = words + (more if words[0] == GFR else [place])
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(
            [sys.executable, "-c", *words], cwd=ROOT, env=env, check=True, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        yield way, (time.monotonic() - begun, cpu_s)


def _serve(environment: dict[str, str], address: str) -> subprocess.Popen:
    prefect = str(Path(sys.executable).with_name("prefect"))
    server = subprocess.Popen(
        [prefect, "server", "start", "--host", "127.0.0.1", "--port", str(PORT)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=2).close()
            return server
        except OSError:
            time.sleep(0.5)


if __name__ == "__main__":
    main()
