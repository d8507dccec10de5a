"""docs/dependencies.md and pyproject.toml name the same packages."""

import re
import tomllib

from packaging.requirements import Requirement

from gfr.runs import ROOT


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
