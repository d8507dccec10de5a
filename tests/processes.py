"""What tests start beside themselves: waiting for it, and a real Prefect server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

import psutil

from gfr.storage.paths import ROOT

PREFECT = str(Path(sys.executable).with_name("prefect"))


def wait_for(happened, timeout_s=300):
    """Until it has, or fail."""
    end_s = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def is_alive(process):
    """Neither gone nor a zombie that its new parent has not reaped yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port():
    """One that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def answers(url):
    """Whether the API is up."""
    try:
        return urllib.request.urlopen(f"{url}/health", timeout=2).status == 200
    except OSError:
        return False


class Server:
    """A server on a port of its own with an empty database, and what talks to it."""

    def __init__(self, home):
        """Start it and wait until it answers."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api"
        self.home = home
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        self.started = []
        self.start("server", "start", "--host", "127.0.0.1", "--port", str(port))
        wait_for(lambda: answers(self.url))

    def start(self, *words):
        """Something that goes on until the end of the tests, from a directory of no importance."""
        with (self.home / f"{words[0]}.log").open("wb") as log:
            self.started.append(
                subprocess.Popen(
                    [PREFECT, *words],
                    env=self.environment,
                    cwd=self.home,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def prefect(self, *words):
        """A command, from the project root."""
        return subprocess.run(
            [PREFECT, "--no-prompt", *words],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    def flow_runs(self, deployment):
        """What the API says about the runs of a deployment."""
        return self.post("flow_runs/filter", {"deployments": {"name": {"any_": [deployment]}}})

    def post(self, place, body):
        """What the API answers; asked again while its database is busy, as a client does."""
        request = urllib.request.Request(
            f"{self.url}/{place}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        for _ in range(20):
            try:
                return json.load(urllib.request.urlopen(request))
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                time.sleep(1)
        raise TimeoutError(f"{place}: the server's database is busy")

    def stop(self):
        """End what was started, worker first."""
        for process in reversed(self.started):
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
