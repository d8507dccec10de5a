"""Invalid words on the command line end at once with exit code 2 and no traceback."""

import itertools
import sys

import pytest
import records

from cli.main import main
from gfr.storage import serialization

STRANGE = {
    "empty": "",
    "space": " ",
    "slashes": "../../etc/passwd",
    "absolute": "/etc/passwd",
    "device": "/dev/zero",
    "folder": ".",
    "parent": "..",
    "NUL": "a\0b",
    "line break": "a\nb",
    "escape": "\x1b[2J",
    "surrogate": "\udcff",
    "bidi": "a\u202eb",
    "long": "a" * 5_000,
    "glob": "*",
    "percent": "%s%n{0}$(id)",
    "quote": "'; drop table runs; --",
    "negative": "-1",
    "big": "9" * 400,
    "NaN": "nan",
    "infinity": "-inf",
    "float": "1.5",
    "hex": "0x10",
    "null": "None",
    "list": "[]",
}
# What a strange word stands for, and what is said before anything heavy begins.
COMMANDS = {
    "run BENCHMARK": ["run", "{}"],
    "run BENCHMARK.toml": ["run", "{}.toml"],
    "run --weights": ["run", "smoke", "--weights", "{}/none"],
    "run --run-id": ["run", "smoke", "--run-id", "{}/none"],
    "run --timeout": ["run", "smoke", "--timeout", "x{}"],
    "run --memory-limit": ["run", "smoke", "--memory-limit", "x{}"],
    "run --retries": ["run", "smoke", "--retries", "x{}"],
    "run --max-size-mb": ["run", "smoke", "--max-size-mb", "x{}"],
    "report": ["report", "{}"],
    "report --reports": ["report", "--reports", "{}"],
    "verdict": ["verdict", "{}"],
    "verdict --accept": ["verdict", "{}", "--accept"],
    "compare": ["compare", "r", "{}"],
    "compare, the first": ["compare", "{}", "r", "--json"],
    "list": ["list", "{}"],
    "data check": ["data", "check", "{}/none"],
    "data check --benchmark": ["data", "check", ".", "--benchmark", "{}"],
    "export": ["export", "{}"],
    "data fetch": ["data", "fetch", "{}/none", "--accept-license", "--offline"],
    "models fetch": ["models", "fetch", "{}", "--accept-license", "--offline"],
    "models fetch --to": ["models", "fetch", "face-api", "--to", "{}/none", "--offline"],
    "export --trial": ["export", "r", "--trial", "x{}"],
    "export --precision": ["export", "r", "--precision", "{}"],
    "export --timeout": ["export", "r", "--timeout", "x{}"],
    "serve": ["serve", "{}"],
    "serve --trial": ["serve", "r", "--trial", "x{}"],
    "serve --port": ["serve", "r", "--port", "x{}"],
    "a command": ["x{}"],
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """One finished run, r."""
    run = records.run(tmp_path_factory.mktemp("reports") / "runs" / "r")
    records.write(run)
    serialization.write(run.directory / "verdict.json", records.verdict(run))
    return run.directory.parents[1]


def ended(words, monkeypatch):
    """The exit code of `gfr` with these words."""
    monkeypatch.setattr(sys, "argv", ["gfr", *words])
    with pytest.raises(SystemExit) as ending:
        main()
    return ending.value.code


@pytest.mark.parametrize("command", COMMANDS)
def test_a_strange_word_is_refused(command, reports, monkeypatch, capsys, tmp_path):
    """Each of some 600 cases ends with code 2 and one line of gfr, or with the usage."""
    monkeypatch.chdir(tmp_path)
    words = COMMANDS[command]
    places = (
        [] if "--reports" in words or words[0] in ("x{}", "data") else ["--reports", str(reports)]
    )
    for name, strange in STRANGE.items():
        filled = [word.replace("{}", strange) for word in words]
        code = ended([*filled, *places], monkeypatch)
        said = capsys.readouterr()
        assert 2 == code, (name, said.out, said.err)
        lines = said.err.rstrip("\n").split("\n")
        assert 1 == len(lines) or "Usage: " in said.err, name
        assert "Traceback" not in said.err + said.out
        assert all(line.isprintable() for line in lines) or "Usage: " in said.err, name
    assert [] == [path for path in tmp_path.iterdir() if path.name != "reports"]


@pytest.mark.parametrize(
    ("number", "option"),
    itertools.product(
        ["-1", "0", "nan", "-inf", "1e-400"],
        ["--timeout", "--memory-limit", "--max-latency-ms", "--max-size-mb"],
    ),
)
def test_a_number_out_of_range_is_refused(number, option, reports, monkeypatch, capsys):
    """Seconds, gigabytes, milliseconds and megabytes must be positive."""
    words = ["run", "smoke", "--data", "synthetic", f"{option}={number}", "--reports", str(reports)]
    assert 2 == ended(words, monkeypatch)
    assert 1 == len(capsys.readouterr().err.splitlines())


@pytest.mark.parametrize("port", ["-1", "65536", "1e3", "80 80", "٣", ""])
def test_an_invalid_port_is_refused(port, reports, monkeypatch, capsys):
    """A port is a number from 0 to 65535."""
    assert 2 == ended(["serve", "r", f"--port={port}", "--reports", str(reports)], monkeypatch)
    assert "Traceback" not in capsys.readouterr().err
