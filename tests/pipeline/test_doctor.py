"""`gfr doctor` on other Pythons, other platforms and an incomplete environment."""

import platform

import pytest

from gfr import engines
from gfr.config.references import Reference
from gfr.measurement import software
from gfr.pipeline import doctor


def subject(name):
    """The check with this subject, of the quick ones."""
    checks = [doctor._python(), doctor._platform(), *doctor._requirements()]
    return next((row for row in checks if row.subject == name), None)


@pytest.mark.parametrize(
    ("version", "status"),
    [("3.10.9", "note"), ("3.11.2", "ok"), ("3.13.0", "ok"), ("3.14.0", "note")],
)
def test_supported_pythons_are_ok_and_others_are_told_which(monkeypatch, version, status):
    """Supported are the versions that pyproject.toml names."""
    monkeypatch.setattr(platform, "python_version", lambda: version)
    found = subject("Python")
    assert (status, status == "note") == (found.status, "3.11, 3.12, 3.13" in found.finding)


@pytest.mark.parametrize(
    ("system", "machine", "status", "shown"),
    [
        ("Linux", "x86_64", "ok", "Linux x86_64"),
        ("Darwin", "arm64", "note", "Darwin arm64: gfr was only tested on Linux x86_64"),
        ("FreeBSD", "amd64", "note", "FreeBSD amd64: gfr was only tested on Linux x86_64"),
    ],
)
def test_an_untested_platform_is_reported(monkeypatch, system, machine, status, shown):
    """Every platform but the tested one gets a note."""
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    found = subject("platform")
    assert (status, True) == (found.status, found.finding.startswith(shown))


@pytest.mark.parametrize("found", ["missing", "0.1"])
def test_a_package_that_is_missing_or_wrong_comes_with_the_commands_that_install(
    monkeypatch, found
):
    """The commands are one line, which is left out if all packages fit."""
    assert subject("install") is None
    monkeypatch.setattr(doctor, "version", lambda name: found)
    assert "bad" == subject("prefect").status
    line = subject("install").finding
    assert "pip has no overrides" in line
    assert "`make smoke`" in line
    assert "`pip install --no-deps --require-hashes -r requirements.lock`" in line
    assert "then `pip install --no-deps -e .`" in line


def test_every_engine_has_its_version_or_the_command_that_installs_it(monkeypatch):
    """An engine that is missing is a note: runs leave it out."""
    rows = {row.subject: row for row in doctor._engines()}
    assert {f"engine {name}" for name in engines.ENGINES} == set(rows)
    assert rows["engine tensorflow"].finding.startswith("TensorFlow 2.")
    monkeypatch.setattr(software, "version", lambda package: "missing")
    (missing,) = [row for row in doctor._engines() if row.subject == "engine openvino"]
    expected = "unavailable: openvino is not installed. Install it: make engines"
    assert doctor.Check("note", "engine openvino", expected) == missing


def test_the_files_of_a_data_set_are_named_with_their_paths(celeba):
    """The folder of images and each list that a run would read, and what is unusual about them."""
    root = celeba(2)
    (root / "Anno").mkdir()
    (root / "Anno" / "identity_CelebA.txt").write_text("000001.jpg 1\n000002.jpg 2\n")
    path = root / "list_attr_celeba.txt"
    path.write_text(path.read_text().replace(" -1", " 0"))
    expected = (
        f"celeba: images in {root}/images, labels in {path}, identity in "
        f"{root}/Anno/identity_CelebA.txt; list_attr_celeba.txt: 0 or False means no"
    )
    assert doctor.Check("ok", "data", expected) == doctor._data(str(root))


def test_the_files_of_a_reference_are_looked_for(tmp_path):
    """A model or the CSV files; the first that does not exist is named."""
    (tmp_path / "a.csv").write_text("")
    files = (str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    there = doctor._reference(Reference("a", predictions=files[:1]))
    lacking = doctor._reference(Reference("b", predictions=files))
    assert ("ok", "reference a", files[0]) == (there.status, there.subject, there.finding)
    assert ("bad", "reference b") == (lacking.status, lacking.subject)
    assert lacking.finding.startswith(f"{files[1]}: no such file; `predictions` is relative to ")
