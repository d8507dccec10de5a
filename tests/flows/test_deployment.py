"""Deployments on a real Prefect server with a real worker.

tests/project/test_docs.py runs the README's commands as a user would type them.
"""

import contextlib
import datetime
import inspect
import os
import signal
from dataclasses import asdict

import psutil
import pytest
import yaml
from processes import Server, is_alive, wait_for

from gfr.config import benchmark_files, loader
from gfr.pipeline.run_options import RunOptions
from gfr.results import status, store
from gfr.storage import paths
from gfr.storage.paths import ROOT

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def deployed(home):
    """The deployments of prefect.yaml, with their own GFR_REPORTS and an early schedule."""
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for row in document["deployments"]:
        variables = {"GFR_REPORTS": str(home / "reports"), "GFR_CACHE": str(home / "cache")}
        row["work_pool"]["job_variables"]["env"] |= variables
    document["deployments"][1]["parameters"]["benchmark"] = "tiny"
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    document["deployments"][1]["schedules"] = [
        {"interval": 60, "anchor_date": soon.isoformat(), "slug": "every-minute"}
    ]
    (home / "prefect.yaml").write_text(yaml.safe_dump(document))
    running = Server(home)
    try:
        for words in (
            ("work-pool", "create", "gfr", "--type", "process"),
            ("deploy", "--all", "--prefect-file", str(home / "prefect.yaml")),
        ):
            done = running.prefect(*words)
            assert 0 == done.returncode, done.stdout + done.stderr
        running.start("worker", "start", "--pool", "gfr")
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server and one worker for the tests that leave both alone."""
    with deployed(tmp_path_factory.mktemp("prefect")) as running:
        yield running


def test_a_run_of_a_worker_gives_up_a_server_that_has_gone(tmp_path):
    """The run is finished; at most a minute later its process has ended."""
    with deployed(tmp_path) as running:
        assert 0 == running.prefect("deployment", "run", "gfr/smoke-benchmark").returncode
        runs = tmp_path / "reports" / "runs"
        wait_for(lambda: list(runs.glob("*/features")))
        worker = psutil.Process(running.started[-1].pid)
        processes = worker.children(recursive=True)
        os.killpg(running.started[0].pid, signal.SIGKILL)
        wait_for(lambda: list(runs.glob("*/summary.md")))
        wait_for(lambda: not any(map(is_alive, processes)), timeout_s=60)
        run_dir = min(runs.iterdir())  # its schedule may have started another one
    assert [] == status.missing(store.read_run(run_dir))


def test_the_nightly_run_is_scheduled(server):
    """It starts at two in the morning and computes features again."""

    def nights():
        return [row for row in server.flow_runs("full-benchmark") if row["auto_scheduled"]]

    wait_for(nights)
    assert {"T02:00:00"} == {row["expected_start_time"][10:19] for row in nights()}
    assert {True} == {row["parameters"]["fresh"] for row in nights()}


def test_a_schedule_fires_and_names_its_run_by_its_start(server):
    """The schedule alone starts it."""

    def runs():
        return [
            row
            for row in server.flow_runs("smoke-benchmark")
            if row["auto_scheduled"] and row["state_type"] in ("COMPLETED", "FAILED", "CRASHED")
        ]

    wait_for(runs, timeout_s=300)
    row = min(runs(), key=lambda row: row["expected_start_time"])
    assert ("COMPLETED", "all trials finished") == (row["state_type"], row["state"]["message"])
    begun = datetime.datetime.fromisoformat(row["expected_start_time"])
    run_dir = server.home / "reports" / "runs" / f"{begun:%Y%m%dT%H%M%SZ}-tiny"
    assert (run_dir / "summary.md").exists()


def test_a_wrong_parameter_names_the_known_ones(server):
    """The message of the state is the line that `gfr run` would print."""
    words = ("deployment", "run", "gfr/smoke-benchmark", "--watch", "-p", "benchmark=smok")
    assert 0 != server.prefect(*words).returncode
    messages = [row["state"]["message"] for row in server.flow_runs("smoke-benchmark")]
    wanted = "benchmark 'smok': unknown; did you mean smoke? known: face-features, "
    assert any(wanted in (message or "") for message in messages)


def test_the_flow_takes_every_option_of_a_run():
    """Its parameters have the names and defaults of RunOptions, so deployments can set them."""
    from flows.benchmark import gfr as flow

    parameters = inspect.signature(flow.fn).parameters.values()
    assert asdict(RunOptions()) == {row.name: row.default for row in parameters}


def test_prefect_yaml_names_a_flow_that_loads():
    """Every deployment's entrypoint imports for real, and takes the parameters given to it."""
    from prefect.flows import load_flow_from_entrypoint

    document = yaml.safe_load((paths.ROOT / "prefect.yaml").read_text())
    names = {row["name"] for row in document["deployments"]}
    assert {"full-benchmark", "smoke-benchmark"} == names
    for row in document["deployments"]:
        entrypoint = str(paths.ROOT / row["entrypoint"])
        flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
        assert "gfr" == flow.name
        flow.validate_parameters(row["parameters"])
        loader.load(benchmark_files.benchmark_file(row["parameters"]["benchmark"]))
