"""The server that a run starts or uses: where its settings come from, and how it ends."""

import os
import signal
import subprocess
import sys
from unittest import mock

import httpx
import local_server
import psutil
import pytest
from processes import free_port, is_alive, wait_for

from cli import prefect_server, prefect_settings
from gfr.errors import InputError
from gfr.storage.paths import ROOT

RECORDS_ITSELF = "import pathlib; pathlib.Path({!r}).touch(); raise ImportError('not mine')"


def python(folder, program, **environment):
    """Start a program of Python in a folder, with a Prefect of its own that is not configured."""
    inherited = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    own = {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / "home")}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        cwd=folder,
        env=inherited | own | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


CONNECT = """
import os
from cli import prefect_server, prefect_settings
from gfr.errors import InputError
prefect_server._RETRIES = 0
try:
    prefect_settings.set_environment()
    prefect_server.connect()()
except InputError as error:
    print(error)
"""
TEMPORARY = f"{CONNECT}\nprint(prefect_server._temporary().process.pid, flush=True)\ninput()"


@pytest.mark.slow
def test_the_server_imports_nothing_from_the_directory_and_dies_with_gfr(tmp_path):
    """A calendar.py there is not executed; kill -9 of gfr alone leaves no server."""
    for name in ("calendar.py", "prefect.py", "uvicorn.py"):
        (tmp_path / name).write_text(RECORDS_ITSELF.format(str(tmp_path / "executed")))
    proxies = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}
    ephemeral = {"PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"}
    gfr = python(tmp_path, TEMPORARY, **proxies, **ephemeral)
    server = psutil.Process(int(gfr.stdout.readline()))
    assert is_alive(server)
    assert not (tmp_path / "executed").exists()
    gfr.send_signal(signal.SIGKILL)
    gfr.wait()
    wait_for(lambda: not is_alive(server), timeout_s=5)


def program(text, tmp_path, monkeypatch):
    """Let another program stand for the server."""
    (tmp_path / "server.py").write_text(text)
    monkeypatch.setattr(prefect_server, "__file__", str(tmp_path / "server.py"))


def test_a_server_that_cannot_start_says_why_at_once(tmp_path, monkeypatch):
    """The exception that ended it, and the settings that may be the cause."""
    program("import sqlite3; raise sqlite3.OperationalError('disk')", tmp_path, monkeypatch)
    monkeypatch.setenv("PREFECT_API_DATABASE_TIMEOUT", "7")
    with pytest.raises(InputError) as refusal:
        prefect_server._Server(dict(os.environ), 60).wait()
    said = str(refusal.value)
    assert "temporary server ended with code 1 (sqlite3.OperationalError: disk). Set" in said
    assert "PREFECT_API_DATABASE_TIMEOUT (environment)" in said and "Correct them, or st" in said
    monkeypatch.setattr(prefect_server.prefect_settings, "places", dict)
    with pytest.raises(InputError, match=r"here: none\. Start a server \(`make server`\) and set"):
        prefect_server._Server(dict(os.environ), 60).wait()


def test_a_server_that_never_answers_is_ended(tmp_path, monkeypatch, caplog):
    """The user is told after a while what the run waits for; its process is gone."""
    program("import time; time.sleep(60)", tmp_path, monkeypatch)
    monkeypatch.setattr(prefect_server, "_SLOW_S", 0)
    server = prefect_server._Server(dict(os.environ), 0.3)
    with caplog.at_level("INFO", "gfr"), pytest.raises(InputError, match="has not answered for 0"):
        server.wait()
    assert "waiting for Prefect's server. Settings of Prefect here: " in caplog.text
    assert server.process.poll() is not None


def refused(folder, **environment):
    """What `gfr run` would say instead of using Prefect's server."""
    done = python(folder, CONNECT, **environment)
    said, errors = done.communicate(timeout=60)
    assert (0, "") == (done.returncode, errors)
    return said


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named_with_where_it_was_configured(tmp_path):
    """In the environment, in .env, in a profile: what to unset differs."""
    url = f"http://127.0.0.1:{free_port()}/api"
    said = refused(tmp_path, PREFECT_API_URL=url)
    assert f"Prefect's server at {url} does not answer (" in said
    assert "). Start it (`make server`) or unset PREFECT_API_URL" in said
    (tmp_path / "home").mkdir(exist_ok=True)
    profiles = tmp_path / "home" / "profiles.toml"
    profiles.write_text(f'active = "far"\n[profiles.far]\nPREFECT_API_URL = "{url}"\n')
    assert f"remove PREFECT_API_URL from profile far in {profiles}" in refused(tmp_path)
    (tmp_path / ".env").write_text(f"PREFECT_API_URL={url}\n")
    assert f"remove PREFECT_API_URL from {tmp_path}/.env" in refused(tmp_path)


@pytest.mark.slow
def test_wrong_proxies_and_certificates_are_named_and_not_the_url(tmp_path):
    """Variables that no server could be reached with, in the spelling of the user."""
    url = f"http://127.0.0.1:{free_port()}/api"
    (tmp_path / "empty.pem").touch()
    for name in ("none", "empty"):
        said = refused(tmp_path, SSL_CERT_FILE=f"{tmp_path}/{name}.pem")
        assert said.startswith(f"SSL_CERT_FILE: {tmp_path}/{name}.pem: no file of certificates (")
        assert said.endswith("). Correct or unset it\n")
    said = refused(tmp_path, PREFECT_API_URL=url, http_proxy="http://[::1:3128")
    assert said.endswith("). Correct or unset http_proxy\n")
    said = refused(tmp_path, prefect_api_url=url, NO_PROXY="localhost,[::1],fd00::/8")
    assert "). Start it (`make server`) or unset prefect_api_url" in said


def test_a_home_that_cannot_be_made_and_a_wrong_value_are_named_at_once(tmp_path):
    """One line each, with the name of the setting."""
    said = refused(tmp_path, PREFECT_HOME="/proc/none/prefect")
    assert said.startswith("PREFECT_HOME (environment): /proc/none/prefect/")
    said = refused(tmp_path, PREFECT_CLIENT_MAX_RETRIES="many")
    assert "Prefect's settings are invalid: max_retries: Input should be a valid integer" in said
    assert "PREFECT_CLIENT_MAX_RETRIES (environment)" in said


def test_settings_are_found_where_prefect_reads_them(tmp_path, monkeypatch):
    """In files of the current directory too; gfr's own values are not the user's."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PREFECT")]:
        monkeypatch.delenv(name)
    (tmp_path / "prefect.toml").write_text("[api]\nurl = 'a'\nkey = 'b'\n")
    (tmp_path / "pyproject.toml").write_text("[tool.prefect.server.database]\ntimeout = 1\n")
    (tmp_path / ".env").write_text("# PREFECT_X=1\nexport PREFECT_API_KEY=c\nOTHER=1\n")
    monkeypatch.setenv("PREFECT_HOME", "d")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "3")
    assert {
        "PREFECT_API_URL": f"{tmp_path}/prefect.toml",
        "PREFECT_API_KEY": f"{tmp_path}/.env",
        "PREFECT_SERVER_DATABASE_TIMEOUT": f"{tmp_path}/pyproject.toml",
        "PREFECT_HOME": "environment",
    } == prefect_settings.places()


@pytest.fixture
def environment():
    """A copy without proxies, which the code may change."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            del os.environ[name]
        yield os.environ


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "socks4", "ftp"])
def test_loopback_is_never_reached_through_a_proxy(name, scheme, environment):
    """The proxy would refuse; other hosts that the user excludes stay excluded."""
    environment[name] = f"{scheme}://127.0.0.1:9"
    environment["NO_PROXY"] = "example.org, 10.0.0.1"
    prefect_settings.set_environment()
    with local_server.serve(local_server.Site(b"here")) as site:
        assert "here" == httpx.get(site.url).text
        assert "here" == httpx.get(site.url.replace("127.0.0.1", "localhost")).text
    hosts = "example.org,10.0.0.1,localhost,127.0.0.1,::1"
    assert (hosts, hosts) == (environment["no_proxy"], environment["NO_PROXY"])


def test_a_user_without_a_home_is_told_so(monkeypatch):
    """As in a container with `--user 12345`."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(InputError, match=r"HOME: not set, and user .* Set HOME to a directory"):
        prefect_settings.set_environment()


@pytest.mark.slow
def test_names_on_pythonpath_do_not_hide_gfrs_own_packages(tmp_path):
    """Neither there nor in the current directory, which a relative entry or an empty one means."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name in ("cli.py", "flows.py", "tasks.py"):
        (foreign / name).write_text("raise ImportError('not mine')")
    (tmp_path / "prefect.py").write_text("raise ImportError('not mine')")
    lines = "import cli.main, flows, tasks.outcomes, os, sys; print(os.environ['PYTHONPATH'])"
    program = f"from gfr import __main__ as m; m._import_from_the_clone(); {lines}"
    for more in ("", ".", str(tmp_path)):
        path = os.pathsep.join([str(foreign), str(ROOT), more])
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
        expected = os.pathsep.join([str(ROOT), str(foreign)])
        assert (0, expected) == (done.returncode, done.stdout.strip()), done.stderr
