"""Terminals and locales that are not UTF-8, with names of files that need it."""

import os
import subprocess
import sys
from unittest import mock

import pytest
from conftest import write_image

from gfr import __main__ as entry_point
from gfr.storage.paths import ROOT

GFR = "import sys; sys.argv[0] = 'gfr'; from gfr.__main__ import main; main()"
# Python otherwise takes UTF-8 where the locale is C.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty labelled images, `José Ω 00.jpg` and so on, in a directory with umlauts."""
    root = tmp_path_factory.mktemp("names") / "dätä"
    root.mkdir()
    names = [f"José Ω {number:02}.jpg" for number in range(40)]
    for number, name in enumerate(names):
        write_image(root / name, number)
    rows = [f"{name},{number % 2}" for number, name in enumerate(names)]
    (root / "labels.csv").write_text("\n".join(["image,is_male", *rows]), "utf-8")
    return root


def test_a_python_that_ignores_its_variables_is_started_once(monkeypatch):
    """`python -I` would otherwise start itself over and over."""
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    started = []
    monkeypatch.setattr(os, "execv", lambda *words: started.append(words))
    with mock.patch.dict(os.environ, {"PYTHONUTF8": "0"}):
        for _ in range(2):
            entry_point._read_names_as_utf8()
    assert 1 == len(started)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        (ASCII, "d\\xe4t\\xe4"),
        ({"PYTHONIOENCODING": "ascii"}, "d\\xe4t\\xe4"),
        ({"PYTHONIOENCODING": "latin-1"}, "dätä"),
        ({"LC_ALL": "C"}, "dätä"),
    ],
)
def test_names_are_read_and_shown_as_far_as_the_terminal_can(folder, environment, shown):
    """On standard output and on standard error."""
    named = {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder.parent)}
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    for words, code in ((["check", folder], 0), (["check", folder / "Ω"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", GFR, "data", *words],
            env=os.environ | named | environment,
            capture_output=True,
        )
        assert code == done.returncode, done.stderr
        assert shown in (done.stderr if code else done.stdout).decode(encoding)
