"""Unattended runs: crashes, notifications, and a Prefect server that fails."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import kept
import psutil
import pytest
import records
from processes import Server, wait_for
from test_flow import run_words

from gfr.results import status, store
from gfr.storage import serialization
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory
from tasks import stale_runs

TINY = (ROOT / "benchmarks" / "tiny.toml").read_text()
LONG = TINY.replace("epochs = 2", "epochs = 10000").replace("batch_size = 16", "batch_size = 1")


def test_a_run_is_complete_by_its_files(tmp_path):
    """A missing export, trial, latency or report is named; nothing is if all files exist."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    records.write(run)
    (run.directory / "summary.md").write_text("the report")
    exported = RunDirectory(run.directory).export(run.selection.trial_id).path
    assert ["the selected model is not exported"] == status.missing(store.read_run(run.directory))
    serialization.write(exported / "export.json", records.export(run))
    assert [] == status.missing(store.read_run(run.directory))
    (run.directory / "trials" / f"{run.trials[0].trial.id}.json").unlink()
    (run.directory / "latency" / f"{run.trials[3].trial.feature_set.id}.json").unlink()
    os.utime(run.directory / "summary.md", (0, 0))
    assert [
        "1 of 4 trials unfinished",
        "MobileNetV2 at 64x64: no latency",
        "no report of the current results",
    ] == status.missing(store.read_run(run.directory))


class Webhook(HTTPServer):
    """Receives notifications as Slack would, and keeps their texts."""

    def __init__(self):
        """On any free port, until the end of the tests."""
        self.texts = texts = []

        class Listen(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                texts.append(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Listen)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def heard(self, *words):
        """Whether one of the texts has all of these words."""
        return any(all(word in text for word in words) for text in self.texts)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Prefect server with the automations of automations.yaml, and the webhook they call."""
    running, webhook = Server(tmp_path_factory.mktemp("prefect")), Webhook()
    try:
        url = f"http://127.0.0.1:{webhook.server_port}/"
        for _ in range(2):  # the second replaces the first
            done = command(running, "automations", url)
            assert 0 == done.returncode, done.stderr
        yield running, webhook
    finally:
        running.stop()
        webhook.shutdown()


def command(server, *words):
    """Run `gfr` with this server."""
    return kept.gfr(ROOT, *words, server=server)


def program(server, text, *arguments):
    """Run a few lines of Python with this server."""
    words = [sys.executable, "-c", text, *arguments]
    done = subprocess.run(words, env=server.environment, cwd=ROOT, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def begin(server, folder, run_id, spec=TINY):
    """Start a run in its own session and wait for its first features."""
    (folder / "ten.toml").write_text(spec)
    process = subprocess.Popen(
        run_words(run_id),
        env=server.environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    features = folder / "reports" / "runs" / run_id / "features"
    wait_for(lambda: features.exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]
    return process


def runs_by_id(server):
    """The state of each run by its run id, as the API has it."""
    return {
        row["parameters"]["run_id"]: row["state_type"]
        for row in server.post("flow_runs/filter", {})
        if "run_id" in row["parameters"]
    }


def findings(server, *words):
    """What `gfr doctor` finds about unfinished runs."""
    rows = json.loads(command(server, "doctor", "--json", *words).stdout)
    return [row["finding"] for row in rows if row["subject"].startswith("run ")]


@pytest.mark.slow
def test_a_killed_run_is_found_marked_and_sends_a_notification(server, tmp_path):
    """It is left alone while it lives, and a run of another machine is never judged."""
    server, webhook = server
    process = begin(server, tmp_path, "killed", LONG)
    try:
        flow_id = server.post("flows/", {"name": "gfr"})["id"]
        far = {"run_id": "far", "reports": str(tmp_path / "elsewhere")}
        state = {"type": "RUNNING"}
        server.post("flow_runs/", {"flow_id": flow_id, "parameters": far, "state": state})
        alive = findings(server, "--mark-crashed")
        assert any("a process works in" in line and "runs/killed" in line for line in alive), alive
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    dead = findings(server)
    assert any("no process works in" in line and "--mark-crashed" in line for line in dead), dead
    assert {"killed": "RUNNING", "far": "RUNNING"} == runs_by_id(server)
    marked = findings(server, "--mark-crashed")
    assert any("marked Crashed" in line for line in marked), marked
    assert {"killed": "CRASHED", "far": "RUNNING"} == runs_by_id(server)
    assert any("run gfr doctor where it is" in line for line in findings(server))
    wait_for(lambda: webhook.heard("is Crashed", "no process works in"), timeout_s=30)


def test_the_server_of_a_killed_run_is_reported():
    """SIGKILL does not reach the server, so that `gfr doctor` names the process to end."""
    program = f"exec {sys.executable} -c 'import time; time.sleep(60)' {stale_runs._FACTORY}"
    words = (
        f"{stale_runs._TEMPORARY}=1; export {stale_runs._TEMPORARY}; ({program}) >&- 2>&- & echo $!"
    )
    left = int(subprocess.run(["sh", "-c", words], capture_output=True, check=True).stdout)
    try:
        wait_for(lambda: stale_runs._FACTORY in psutil.Process(left).cmdline())
        assert f"kill {left}" in " ".join(row.finding for row in stale_runs._abandoned_servers())
    finally:
        os.kill(left, signal.SIGKILL)
    wait_for(lambda: str(left) not in str(stale_runs._abandoned_servers()))


@pytest.mark.slow
def test_a_failed_run_sends_a_notification(server):
    """The notification has the reason."""
    server, webhook = server
    program(server, "from flows.benchmark import gfr; gfr('smok', return_state=True)")
    wait_for(lambda: webhook.heard("is Failed", "benchmark 'smok': unknown"), timeout_s=30)


@pytest.mark.slow
def test_a_regression_sends_a_notification(server, tmp_path):
    """The notification has the verdict, and both artifacts are published."""
    server, webhook = server
    run = records.run(tmp_path / "reports" / "runs" / "r")
    records.write(run)
    lost = "VGG16 / iteration 1: test accuracy 0.800, was 0.900"
    serialization.write(run.directory / "verdict.json", records.verdict(run, lost))
    (run.directory / "summary.md").write_text("# The page\n![A figure](figures/a.svg)\n")
    show = (
        f"from pathlib import *; from tasks import artifacts as a; a.publish_run({run.directory!r})"
    )
    program(server, show)
    wait_for(lambda: webhook.heard("run r is a regression", lost), timeout_s=30)
    artifacts = {row["key"]: row for row in server.post("artifacts/filter", {})}
    assert "# The page" == artifacts["summary"]["data"]
    rows = json.loads(artifacts["comparison"]["data"])
    assert 4 == len(rows)
    assert ("VGG16 / iteration 2 *", 0.88) == (rows[1]["trial"], rows[1]["test_accuracy"])


@pytest.mark.slow
def test_a_run_outlives_its_server(tmp_path):
    """A run completes with exit code 0 after its server died; a new run is refused without one."""
    server = Server(tmp_path)
    try:
        process = begin(server, tmp_path, "alone")
    finally:
        os.killpg(server.started[0].pid, signal.SIGKILL)
    try:
        said = process.communicate(timeout=400)[1]
    finally:
        process.kill()
    run = store.read_run(tmp_path / "reports" / "runs" / "alone")
    assert time.time() - (run.directory / "summary.md").stat().st_mtime < 60
    assert (0, []) == (process.returncode, status.missing(run)), said
    assert "Prefect's server failed" in said and "Traceback" not in said
    refused = subprocess.run(
        run_words("new"), env=server.environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert 2 == refused.returncode, refused.stderr
    assert "Start it (`make server`) or unset PREFECT_API_URL" in refused.stderr
