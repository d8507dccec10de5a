"""docs/dependencies.md and pyproject.toml name the same packages."""

import hashlib
import json
import re
import tomllib

from packaging.requirements import Requirement

from gfr.storage.paths import ROOT


def test_every_dependency_has_its_reason_and_every_reason_its_dependency():
    """Names alone; extras that only name other extras (`gfr[dask]`) need none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    named = {Requirement(row).name for group in groups for row in group} - {"gfr"}
    text = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| `([\w.-]+)` \| *(\S.*)$", text, re.MULTILINE)
    told = {name for name, _ in rows}
    assert set() == named - told, "give these a row in docs/dependencies.md"
    assert set() == told - named, "docs/dependencies.md: not in pyproject.toml any more"
    assert len(told) == len(rows), "a package has two rows"


def test_what_is_bound_says_why():
    """The last cell of a bounded package's row is not `none`, of others it begins so."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs" / "dependencies.md").read_text()
    for row in project["dependencies"]:
        asked = Requirement(row)
        why = re.search(rf"^\| `{asked.name}` \|.*\| ([^|]+) \|$", text, re.MULTILINE)
        if why:
            assert bool(asked.specifier) != why[1].startswith("none"), row


def test_the_lock_of_the_engines_is_the_lock_and_four_packages():
    """`make engines` changes no version of what is installed, and brings no telemetry."""
    plain, found = (
        dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-engines.lock")
    )
    assert plain.items() <= found.items()
    assert {"onnx", "onnxruntime", "openvino", "tf2onnx"} == found.keys() - plain.keys()


def test_the_packages_of_the_page_come_by_digest():
    """web/package-lock.json has a digest for each, and no address."""
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-") and "resolved" not in package, path


def test_the_detector_is_the_one_that_its_readme_describes():
    """The page ships the files whose digests web/detector/README.md states."""
    text = (ROOT / "web" / "detector" / "README.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| `([0-9a-f]{64})` \|$", text, re.MULTILINE)
    shipped = (ROOT / "web" / "dist" / "detector").iterdir()
    assert dict(rows) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shipped
    }
