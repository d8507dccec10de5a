"""What the code imports is declared, and what is declared is used."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

from gfr.storage.paths import ROOT

OURS = {"gfr", "tasks", "flows", "cli"}
# Declared though nothing imports it.
REASONS = {
    "distributed": "dask's own scheduler, behind prefect-dask",
}


def imported():
    """Top-level modules of others -> the files that import them, wherever in them."""
    found = {}
    for package in sorted(OURS):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [row.name for row in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module]
                for name in names:
                    found.setdefault(name.split(".")[0], set()).add(f"{package}/{path.name}")
    return {name: files for name, files in found.items() if name not in OURS}


def declared():
    """Distributions that pyproject.toml names for users, not for developers."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k != "dev"}
    lines = [*project["dependencies"], *(line for rows in extras.values() for line in rows)]
    return {normal(re.match(r"[\w.-]+", line).group()) for line in lines}


def normal(name):
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(module):
    """What brings a module; by its own name if it is not installed here (an extra)."""
    return {normal(row) for row in installed().get(module, [module])}


# Reads the list of files of every package.
installed = cache(packages_distributions)


def test_every_import_is_declared():
    """A package that comes along with another may be gone tomorrow."""
    known = declared()
    strangers = {
        name: sorted(files)
        for name, files in imported().items()
        if name not in sys.stdlib_module_names and not distributions(name) & known
    }
    assert {} == strangers


def test_nothing_is_declared_in_vain():
    """Every dependency is imported, or its reason stands above; and no reason outlives it."""
    used = set().union(*(distributions(name) for name in imported()))
    assert declared() - used == REASONS.keys()
