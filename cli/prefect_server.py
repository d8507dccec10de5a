"""Prefect's API for a run: the configured one, or a temporary server that ends with this process.

Prefect would start a server itself, but one that outlives a process killed with SIGKILL, and that
imports modules from the current directory.
"""

import atexit
import functools
import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, NoReturn

from cli import prefect_settings
from gfr.errors import InputError
from gfr.pipeline import worker
from gfr.storage import atomic

_FACTORY = "prefect.server.api.server:create_app"
_URL = "PREFECT_API_URL"

_TIMEOUT_S = 4.0  # for an answer
_RETRIES = 2  # of a server that does not answer: 2 and 4 s later
_SLOW_S = 20.0  # after which the user is told what a run waits for
_LOOK_EVERY_S = 0.1
_LEAVE_WITHIN_S = 5.0

_EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Exit)\b")

LOG = logging.getLogger("gfr")


def connect() -> Callable[[], object]:
    """Reach the configured API or start a server; return a function that waits until it answers.

    Both raise InputError that names the setting at fault.
    """
    settings = prefect_settings.load()
    if not settings.api.url:
        return _temporary().wait
    _require_answer(settings.api.url)
    return bool


def remedy() -> str:
    """What to do if the API does not answer."""
    places, known = prefect_settings.places(), prefect_settings.set_by_user()
    if _temporary.cache_info().currsize:
        return known
    place = places.pop(_URL, "environment")
    spelled = next((name for name in os.environ if name.upper() == _URL), _URL)
    undo = f"unset {spelled}" if place == "environment" else f"remove {_URL} from {place}"
    return f"Start it (`make server`) or {undo}{f'. {known}' if places else ''}"


def _require_answer(url: str) -> None:
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: _RETRIES}),
            get_client(sync_client=True, httpx_settings={"timeout": _TIMEOUT_S}) as client,
        ):
            client.api_version()
    except httpx.InvalidURL as error:
        wrong = [name for name in os.environ if name.lower() in prefect_settings.PROXIES]
        advice = f"Correct or unset {' and '.join(wrong)}" if wrong else remedy()
        raise InputError(f"Prefect's server at {url} cannot be asked ({error}). {advice}") from None
    except (httpx.HTTPError, PrefectException, RuntimeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"Prefect's server at {url} does not answer ({reason}). {remedy()}"
        ) from None


class _Server:
    """A server with its database in PREFECT_HOME, on a free port of loopback."""

    def __init__(self, environment: dict[str, str], timeout_s: float) -> None:
        self.output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        self.timeout_s = timeout_s
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            descriptor = listener.fileno()
            self.process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(descriptor), str(os.getpid())],
                env=environment,
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=self.output,
                stderr=self.output,
                start_new_session=True,  # Ctrl-C is for its parent
            )
        atexit.register(self.stop)

    def wait(self) -> None:
        """Wait until it answers; InputError with its last words if it ends or takes too long."""
        import httpx

        start_s, is_logged = time.monotonic(), False
        with httpx.Client(trust_env=False, timeout=_TIMEOUT_S) as client:
            while self.process.poll() is None:
                try:
                    if client.get(f"{self.url}/health").is_success:
                        return _require_answer(self.url)  # which may refuse for want of a password
                except httpx.HTTPError:
                    time.sleep(_LOOK_EVERY_S)
                waited_s = time.monotonic() - start_s
                if waited_s > self.timeout_s:
                    self.stop()
                    self._refuse(f"has not answered for {waited_s:.0f} s")
                if waited_s > _SLOW_S and not is_logged:
                    is_logged = True
                    LOG.info("waiting for Prefect's server. %s", prefect_settings.set_by_user())
        self._refuse(f"ended with code {self.process.returncode}")

    def _refuse(self, how: str) -> NoReturn:
        self.output.seek(0)
        lines = self.output.read().decode("utf-8", "replace").split("\n")
        lines = [line.strip() for line in lines if line.strip()]
        causes = [line for line in lines if _EXCEPTION.match(line)] or lines
        why = f" ({causes[-1]:.300})" if causes else ""
        remedy = "Correct them, or start" if prefect_settings.places() else "Start"
        raise InputError(
            f"Prefect's temporary server {how}{why}. {prefect_settings.set_by_user()}. {remedy} a "
            f"server (`make server`) and set {_URL}"
        )

    def stop(self) -> None:
        """End it; its database is complete."""
        self.process.terminate()
        try:
            self.process.wait(_LEAVE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@functools.cache
def _temporary() -> _Server:
    """Start the server and make it the API of this process and of its children."""
    from prefect import context

    settings = prefect_settings.load()
    place = prefect_settings.places().get("PREFECT_HOME", "default")
    atomic.require_writable(settings.home, f"PREFECT_HOME ({place})")
    server = _Server(
        {
            **os.environ,
            **settings.to_environment_variables(exclude_unset=True),
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",  # without the services of schedules
            "PREFECT__SERVER_FINAL": "1",
        },
        settings.server.ephemeral.startup_timeout_seconds,
    )
    prefect_settings.add(_URL, server.url)
    context.refresh_global_settings_context()
    return server


def _serve(descriptor: int, parent: int) -> None:
    """Be the server: answer on a socket of the parent until that ends."""
    worker.die_with(parent)
    import uvicorn

    config = uvicorn.Config(_FACTORY, factory=True, lifespan="on", log_level="error")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
