"""GFR_REPORTS and GFR_CACHE: the default directories of commands, the flow and printed commands."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import records

from cli import paths, prefect_session
from cli.main import app
from gfr.errors import InputError
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.run_options import RunOptions
from gfr.results import resume
from gfr.storage import serialization
from gfr.storage.paths import ROOT


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A directory with a finished run in `kept`, and both variables set, relative to it."""
    written = records.run(tmp_path / "kept" / "runs" / "mine")
    records.write(written)
    serialization.write(written.directory / "verdict.json", records.verdict(written))
    monkeypatch.setenv("GFR_REPORTS", "kept")
    monkeypatch.setenv("GFR_CACHE", "~/features")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def request_of_run(monkeypatch, *words):
    """The request that `gfr run tiny` makes; no flow is started."""
    requests = []

    def run_flow(request, runner):
        requests.append(request)
        raise InputError("seen")

    monkeypatch.setattr(prefect_session, "run_flow", run_flow)
    with pytest.raises(InputError, match="seen"):
        app(["run", "tiny", *words], standalone_mode=False)
    return requests[0]


def request_of_flow():
    """The request that the flow makes if a deployment names no directories."""
    return pipeline_request.request(RunOptions("tiny", run_id="r"))


def test_the_variables_are_the_defaults_of_a_run_and_of_the_flow(elsewhere, monkeypatch):
    """Values are relative to the current directory; options win, and empty counts as unset."""
    own = (elsewhere / "kept", elsewhere / "features")
    for request in (request_of_run(monkeypatch), request_of_flow()):
        assert own == (request.run_dir.parents[1], request.cache)
    typed = request_of_run(monkeypatch, "--reports", "other", "--cache", "c")
    assert (elsewhere / "other", elsewhere / "c") == (typed.run_dir.parents[1], typed.cache)
    monkeypatch.setenv("GFR_REPORTS", "")
    monkeypatch.delenv("GFR_CACHE")
    for request in (request_of_run(monkeypatch), request_of_flow()):
        assert (ROOT / "reports", ROOT / "cache") == (request.run_dir.parents[1], request.cache)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("list smoke", "runs: 1"),
        ("verdict mine", "r: ok: none worse"),
        ("doctor --data synthetic", "mine: the selected model is not exported"),
        ("doctor --data synthetic", "GB free for {}/features"),
    ],
)
def test_other_commands_use_the_variables(elsewhere, words, shown, monkeypatch, capfd):
    """They read runs there and check the disk of the cache there."""
    app(words.split(), standalone_mode=False)
    assert shown.format(elsewhere) in capfd.readouterr().out


def test_a_directory_that_cannot_be_read_is_named(elsewhere, monkeypatch):
    """The message has the value of the variable."""
    monkeypatch.setenv("GFR_REPORTS", "~nobody-of-this-name/reports")
    with pytest.raises(InputError, match=r"~nobody-of-this-name/reports: .*; name another"):
        app(["report"], standalone_mode=False)


def test_a_command_to_paste_names_directories_that_another_shell_would_not_find(monkeypatch):
    """Directories are named unless the project's defaults apply in any shell."""
    record = replace(records.run().record, command="gfr run full", cache=str(ROOT / "cache"))
    own, other = ROOT / "reports", Path("/r s")
    assert "gfr run full --run-id r" == resume.command(record, own)
    away = resume.command(record, other)
    assert "gfr run full --run-id r --reports '/r s'" == away
    assert ["gfr", "serve", "r", "--reports", "/r s"] == shlex.split(
        paths.command("serve", "r", reports=other)
    )
    monkeypatch.setenv("GFR_REPORTS", str(other))
    monkeypatch.setenv("GFR_CACHE", "/c")
    options = f"--reports {own} --cache {ROOT}/cache"
    assert f"gfr run full --run-id r {options}" == resume.command(record, own)
    named = replace(record, command=f"gfr run full --run-id=r {options}")
    assert named.command == resume.command(named, own)


def test_a_command_of_a_deployment_names_the_run_and_its_directories(monkeypatch):
    """Without the id a deployment would start another run; directories are parameters."""
    record = replace(records.run().record, command="prefect x", fresh=True, cache="/c")
    line = resume.command(record, Path("/r"))
    assert "prefect x -p run_id=r -p fresh=true -p reports=/r -p cache=/c" == line
