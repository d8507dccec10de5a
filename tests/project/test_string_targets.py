"""Functions and modules that the code names in strings, where no import would fail."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

from gfr.storage.paths import ROOT

FOLDERS = ("gfr", "tasks", "flows", "cli", "benchmarks", "tests")
MODULE = rf"(?:{'|'.join(FOLDERS)})(?:\.\w+)+"


def named(pattern):
    """Every group of the pattern in the code and the Makefile, by where it stands."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {
        f"{path.relative_to(ROOT)}: {name}": name
        for path in (*paths, ROOT / "Makefile")
        if path.name not in ("test_string_targets.py", "test_commands.py")  # they name wrong ones
        for name in re.findall(pattern, path.read_text("utf-8"))
    }


def exists(target):
    """Whether there is such a "package.module" or "package.module:function"; imports no module."""
    module, _, name = target.partition(":")
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    if not name or spec is None:
        return spec is not None
    body = ast.parse(Path(spec.origin).read_text("utf-8")).body
    return name in {node.name for node in body if isinstance(node, ast.FunctionDef)}


@pytest.fixture(autouse=True)
def this_clone(monkeypatch):
    """`benchmarks` is not an installed package."""
    monkeypatch.syspath_prepend(str(ROOT))


def test_functions_named_in_strings_exist():
    """The steps of child processes, and the functions that injected regressions replace."""
    targets = named(rf'"({MODULE}:\w+)"')
    assert {"gfr.pipeline.features:extract", "gfr.models.head:trainer"} <= set(targets.values())
    assert [] == [place for place, target in targets.items() if not exists(target)]


def test_modules_named_in_strings_exist():
    """What is started by `python -m`, and what tests/faults recognizes a child process by."""
    modules = named(rf'-m(?: |", ")({MODULE})') | named(rf'"({MODULE})" in sys.orig_argv')
    assert {"gfr.pipeline.worker", "benchmarks.tools.compare"} <= set(modules.values())
    assert [] == [place for place, module in modules.items() if not exists(module)]


@pytest.mark.parametrize("target", ["gfr.pipeline.steps:none", "gfr.none:prepare", "none.steps"])
def test_what_does_not_exist_is_found(target):
    """A function, a module, a package."""
    assert not exists(target)
    assert exists("gfr.pipeline.steps:prepare") and exists("gfr.pipeline.steps")
