"""The command line as a user meets it: words, exit codes, JSON."""

import json
import subprocess
import sys

import pytest

from gfr.runs import ROOT


def gfr(*words, cwd=ROOT):
    """Run the installed command."""
    program = [sys.executable, "-c", "from cli.main import main; main()", *map(str, words)]
    return subprocess.run(program, capture_output=True, text=True, cwd=cwd)


WRONG = [
    (("run", "fulll"), "benchmark 'fulll': unknown; known: full, smoke"),
    (("run", "missing.toml"), "missing.toml: cannot be read"),
    (("run", "smoke", "--data", "nowhere", "--offline"), "nowhere: no such directory"),
    (("run", "smoke", "--weights", "nowhere", "--offline"), "nowhere': no such directory"),
    (("run", "smoke", "--run-id", "a/b"), "run id 'a/b'"),
    (("data", "check", "nowhere"), "nowhere: no such directory"),
    (("data", "fetch"), "non-commercial research purposes only"),
    (("predict", "face.jpg", "--run", "none"), "no such run"),
    (("serve", "none"), "no such run"),
    (("export", "--precision", "int4"), "precision 'int4': unknown; known: float32, float16"),
]


@pytest.mark.parametrize(("words", "line"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_bad_input_is_one_line_and_exit_code_2(words, line, tmp_path):
    """What, where, how to mend; no traceback."""
    places = ["--reports", tmp_path] if words[0] in ("run", "predict", "serve") else []
    caches = ["--cache", tmp_path] if words[0] == "run" or "check" in words else []
    done = gfr(*words, *places, *caches)
    assert 2 == done.returncode
    assert line in done.stderr
    assert "Traceback" not in done.stderr


def test_list_names_trials_and_feature_sets(tmp_path):
    """The same facts as text and as JSON, from any directory."""
    words = ("list", "full", "--cache", tmp_path, "--reports", tmp_path)
    found = json.loads(gfr(*words, "--json", cwd=tmp_path).stdout)
    assert (9, 6, [], []) == (
        len(found["trials"]),
        len(found["feature_sets"]),
        found["cached"],
        found["runs"],
    )
    assert "VGG16 / iteration 3" in gfr(*words, cwd=tmp_path).stdout


def test_doctor_finds_this_machine_fit():
    """The locked set has no known-bad combination; every check is a row."""
    done = gfr("doctor", "--json", "--data", "synthetic")
    checks = json.loads(done.stdout)
    assert 0 == done.returncode
    assert [] == [row for row in checks if row["status"] == "bad"]
    assert {"Python", "prefect", "tensorflow", "CPU", "GPU", "disk", "data"} <= {
        row["subject"] for row in checks
    }


def test_doctor_knows_the_sets_that_break_in_silence(monkeypatch, tmp_path):
    """A version that installs and does not work is named with its cure; so are missing images."""
    from gfr import doctor, runs

    monkeypatch.setattr(runs, "ROOT", tmp_path)
    checks = {row.subject: row.finding for row in doctor.examine("auto", "random", ROOT)}
    assert "`gfr data fetch` gets it" in checks["data"]
    monkeypatch.setattr(doctor, "version", lambda name: "2.1.0" if name == "sqlalchemy" else "0.1")
    found = [
        row.finding for row in doctor.examine("synthetic", "random", ROOT) if row.status == "bad"
    ]
    assert any("no nightly run is ever created; install sqlalchemy<2.1" in row for row in found)


def test_data_check_says_what_was_found(celeba, tmp_path):
    """Counts, classes, and what is odd, with a benchmark's own number of images."""
    spec = tmp_path / "forty.toml"
    text = (ROOT / "benchmarks" / "smoke.toml").read_text()
    spec.write_text(text.replace("images = 200", "images = 40"))
    done = gfr("data", "check", celeba(40), "--benchmark", spec)
    assert 0 == done.returncode
    assert "CelebA, 40 of 40 images (20 male, 20 female)" in done.stdout


def test_commands_to_type_are_those_that_the_users_shell_finds(monkeypatch, tmp_path):
    """By its path where `gfr` is on no PATH, else by its name; with its place for reports."""
    from cli import places

    program = tmp_path / "bin" / "gfr"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(program), "run"])
    assert "bin/gfr serve r" == places.command("serve", "r", reports=ROOT / "reports")
    assert "bin/gfr serve r --reports mine" == places.command(
        "serve", "r", reports=tmp_path / "mine"
    )
    monkeypatch.setenv("PATH", str(program.parent))
    assert "gfr run 'a b.toml'" == places.command("run", "a b.toml")


def test_help_starts_without_anything_heavy():
    """What takes long to import is imported by the command that needs it."""
    program = (
        "import contextlib, sys; sys.argv = ['gfr', '--help']; from cli.main import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "heavy = 'tensorflow keras prefect pandas matplotlib numpy scipy pydantic'.split()\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "[]" == done.stderr.strip()
    assert "doctor" in done.stdout
