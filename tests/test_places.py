"""GFR_REPORTS and GFR_CACHE: the default directories of commands, the flow and printed commands."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import records

from cli import places, start
from cli.main import app
from gfr.config import schema
from gfr.errors import BadInput
from gfr.pipeline import request as pipeline_request
from gfr.results import status
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
    """What `gfr run tiny` would ask for; no flow is started."""
    asked = []

    def flow(request, runner):
        asked.append(request)
        raise BadInput("seen")

    monkeypatch.setattr(start, "flow", flow)
    with pytest.raises(BadInput, match="seen"):
        app(["run", "tiny", *words], standalone_mode=False)
    return asked[0]


def request_of_flow():
    """What the flow asks for where a deployment gives no directories."""
    more = (True, None, None, "prefect", 900, None, 1, schema.Selecting())
    return pipeline_request.request("tiny", "auto", "auto", "r", False, *more)


def test_the_variables_are_the_defaults_of_a_run_and_of_the_flow(elsewhere, monkeypatch):
    """Relative to the current directory, `~` expanded; an option comes first, empty is unset."""
    own = (str(elsewhere / "kept"), str(elsewhere / "features"))
    for request in (request_of_run(monkeypatch), request_of_flow()):
        assert own == (request.reports, request.cache)
    typed = request_of_run(monkeypatch, "--reports", "other", "--cache", "c")
    assert (str(elsewhere / "other"), str(elsewhere / "c")) == (typed.reports, typed.cache)
    monkeypatch.setenv("GFR_REPORTS", "")
    monkeypatch.delenv("GFR_CACHE")
    for request in (request_of_run(monkeypatch), request_of_flow()):
        assert (str(ROOT / "reports"), str(ROOT / "cache")) == (request.reports, request.cache)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("list smoke", "runs: 1"),
        ("verdict mine", "r: ok: none worse"),
        ("doctor --data synthetic", "mine: the selected model is not exported"),
        ("doctor --data synthetic", "GB free for {}/features"),
    ],
)
def test_other_commands_look_there(elsewhere, words, shown, monkeypatch, capfd):
    """For runs, and for the disk that features are kept on."""
    monkeypatch.setattr(start, "prefect_checks", lambda _: [])
    app(words.split(), standalone_mode=False)
    assert shown.format(elsewhere) in capfd.readouterr().out


def test_a_directory_that_cannot_be_looked_at_is_named(elsewhere, monkeypatch):
    """The variable's value, as an option's would be."""
    monkeypatch.setenv("GFR_REPORTS", "~nobody-of-this-name/reports")
    with pytest.raises(BadInput, match=r"~nobody-of-this-name/reports: .*; name another"):
        app(["report"], standalone_mode=False)


def test_a_command_to_paste_names_directories_that_another_shell_would_not_find(monkeypatch):
    """Any but the project's own, and that too where a variable names another one."""
    record = replace(records.run().record, command="gfr run full", cache=str(ROOT / "cache"))
    own, other = ROOT / "reports", Path("/r s")
    assert "gfr run full --run-id r" == status.resume_command(record, own)
    away = status.resume_command(record, other)
    assert "gfr run full --run-id r --reports '/r s'" == away
    assert ["gfr", "serve", "r", "--reports", "/r s"] == shlex.split(
        places.command("serve", "r", reports=other)
    )
    monkeypatch.setenv("GFR_REPORTS", str(other))
    monkeypatch.setenv("GFR_CACHE", "/c")
    options = f"--reports {own} --cache {ROOT}/cache"
    assert f"gfr run full --run-id r {options}" == status.resume_command(record, own)
    named = replace(record, command=f"gfr run full --run-id=r {options}")
    assert named.command == status.resume_command(named, own)


def test_a_command_of_a_deployment_names_the_run_and_its_directories(monkeypatch):
    """Without its id a deployment would begin another run; directories are parameters."""
    record = replace(records.run().record, command="prefect x", fresh=True, cache="/c")
    line = status.resume_command(record, Path("/r"))
    assert "prefect x -p run_id=r -p fresh=true -p reports=/r -p cache=/c" == line
