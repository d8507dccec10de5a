"""gfr installed without its clone, from a wheel: what it holds and what it says."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from gfr.storage.paths import ROOT

BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
COMMAND = "import sys; sys.argv[0] = 'gfr'; from cli.main import main; main()"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A directory of packages, as `pip install .` makes it; built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("gfr", "tasks", "flows", "cli"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, folder / "source")
    words = [sys.executable, "-c", BUILD, str(folder)]
    done = subprocess.run(words, cwd=folder / "source", capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def gfr(site, *words):
    """A command of the installed package, from a directory that is not the clone."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *words],
        cwd=site.parent,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )


def test_a_wheel_holds_every_file_of_the_packages(site):
    """Also what is not Python: styles, scripts, tables, a picture, the marker of types."""
    expected = {
        path.relative_to(ROOT)
        for name in ("gfr", "tasks", "flows", "cli")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {".css", ".js", ".json", ".png"} <= {path.suffix for path in expected}
    found = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    assert set() == expected - found


@pytest.mark.parametrize("words", ["list", "run smoke", "data fetch", "doctor"])
def test_outside_a_clone_a_command_is_one_line_and_exit_code_2(site, words):
    """Where it is installed and what to do; no traceback about a file that is missing."""
    done = gfr(site, *words.split())
    assert (2, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gfr: gfr works only from its clone, and {site} is not one.")
    assert "`make smoke`" in line


def test_help_and_version_work_outside_a_clone(site):
    """The version is that of pyproject.toml, through the package's metadata."""
    shown = gfr(site, "--help")
    assert (0, True) == (shown.returncode, "doctor" in shown.stdout)
    version = gfr(site, "--version")
    (number,) = [
        line.split('"')[1]
        for line in (ROOT / "pyproject.toml").read_text().splitlines()
        if line.startswith("version = ")
    ]
    assert (0, f"gfr {number}\n", "") == (version.returncode, version.stdout, version.stderr)
