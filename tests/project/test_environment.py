"""install.py and the Makefile: which Python, which index, which versions make .venv."""

import importlib.util
import re
import subprocess
import sys
import tomllib

import pytest

from gfr.pipeline import doctor
from gfr.storage.paths import ROOT


@pytest.fixture
def install():
    """The module; it stands outside every package."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_uv_looks_where_pip_is_set_up_to_look(install):
    """The environment wins over files, lists keep their order, uv's separators are its own."""
    listed = "\n".join(
        [
            ":env:.index-url='https://mirror.invalid/simple'",
            "global.index-url='https://other.invalid/simple'",
            "global.extra-index-url='\\nhttps://a.invalid/simple\\nhttps://b.invalid/simple'",
            "global.find-links='/wheels /more'",
            "global.timeout='60'",
            "download.index-url='https://never.invalid'",
        ]
    )
    settings = install.uv_environment(install.pip_settings(listed), {})
    assert "https://mirror.invalid/simple" == settings["UV_DEFAULT_INDEX"]
    assert "https://a.invalid/simple https://b.invalid/simple" == settings["UV_INDEX"]
    assert "/wheels,/more" == settings["UV_FIND_LINKS"]
    assert "60" == settings["UV_HTTP_TIMEOUT"]


def test_an_interrupted_installation_is_not_taken_for_done(install, monkeypatch, tmp_path):
    """The mark goes first; the environment is made by the base Python, not by one in .venv."""
    ready, commands = tmp_path / ".ready", []
    ready.touch()

    def interrupted(*words, **_):
        commands.append((words, ready.exists()))
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "run", interrupted)
    monkeypatch.setattr(sys, "argv", ["install.py"])
    with pytest.raises(KeyboardInterrupt):
        install.main()
    assert [((sys._base_executable, "-m", "venv", "--clear", tmp_path), False)] == commands


def test_pip_without_configuration_leaves_uv_its_defaults(install):
    """An empty address would be no index at all."""
    assert {"UV_PYTHON_DOWNLOADS": "never"} == install.uv_environment({}, {})


def test_uv_installs_into_this_environment_whatever_is_active(install):
    """Another active environment, or uv's own variables; what the user set of the index stays."""
    own = {
        "VIRTUAL_ENV": "/other",
        "UV_SYSTEM_PYTHON": "1",
        "UV_PYTHON_DOWNLOADS": "automatic",
        "UV_DEFAULT_INDEX": "https://mine.invalid",
    }
    found = install.uv_environment({"index-url": "https://pip.invalid"}, own)
    assert {"UV_PYTHON_DOWNLOADS": "never", "UV_DEFAULT_INDEX": "https://mine.invalid"} == found


def test_uv_is_installed_at_the_version_and_digests_of_the_lock(install):
    """Its entry alone: one name, and every line but the last continues."""
    lines = install.locked("uv").splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", lines[0])
    assert all("--hash=sha256:" in line for line in lines[1:])
    assert [line.endswith("\\") for line in lines] == [True] * (len(lines) - 1) + [False]


def test_the_lock_names_digests_and_no_index():
    """Every package has a version and at least one digest."""
    for name in ("requirements.lock", "requirements-gpu.lock", "requirements-engines.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text and "--index" not in text
        entries = re.findall(r"^[a-z0-9][^#\n]*(?:\n    --hash.*)*", text, re.MULTILINE)
        assert entries and all("==" in entry and "--hash=sha256:" in entry for entry in entries)


def test_all_places_name_the_same_pythons(install):
    """The installer, `gfr doctor`, and what pyproject.toml says to package indexes."""
    named = [f"{major}.{minor}" for major, minor in install.SUPPORTED]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: "
    rows = [row.removeprefix(prefix) for row in project["classifiers"] if row.startswith(prefix)]
    assert named == list(doctor.SUPPORTED) == rows
    major, minor = install.SUPPORTED[-1]
    assert f">={named[0]},<{major}.{minor + 1}" == project["requires-python"]


def make(*words):
    """`make -n words...`: what would be run."""
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_the_environment_is_made_anew_for_another_python_only(tmp_path):
    """Asked for by PYTHON; without it, the one that is there stays."""
    other = tmp_path / "python3.99"
    other.write_text("#!/bin/sh\necho 3.99\n")
    other.chmod(0o755)
    present = f"PYTHON={sys._base_executable}"
    unchanged = ("lint", "-o", "requirements.lock", "-o", "pyproject.toml")
    assert "install.py" not in make(*unchanged)
    assert "install.py" not in make(*unchanged, present)
    assert f'"{other}" install.py' in make(*unchanged, f"PYTHON={other}")
