"""The layout of the packages: who may import whom, and how large a module may be."""

import ast
import subprocess
import sys

import pytest

from gfr.storage.paths import ROOT

# Lowest first: a module imports only from its own package and from those before it.
IMPORT_ORDER = (
    *("errors", "text", "templates", "types", "progress", "environment", "storage", "config"),
    *("evaluation", "measurement", "data", "models", "results", "engines", "prediction"),
    *("regression", "report", "export", "pipeline", "api", "tasks", "flows", "cli", "__main__"),
)
MAX_MODULES = {"gfr/report/sections": 25}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 40
# Their parameters are the command line's options and the deployment's parameters, one a line.
OPTION_LISTS = ("cli/commands/", "flows/benchmark.py")
CODE = sorted(
    path
    for top in ("gfr", "tasks", "flows", "cli", "benchmarks")
    for path in (ROOT / top).rglob("*.py")
)


def relative(path):
    """The path of a file from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def package_of(dotted):
    """`gfr.storage.paths` -> `storage`, `flows.benchmark` -> `flows`; None for other packages."""
    first, *rest = dotted.split(".")
    if first == "gfr":
        return rest[0] if rest else None
    return first if first in ("tasks", "flows", "cli") else None


def imported(path):
    """Names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "gfr":
            yield from (f"gfr.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_no_module_imports_from_a_later_package():
    """The order is the one that CONTRIBUTING.md draws; `gfr/__init__.py` may import all lazily."""
    upwards = []
    checked = set()
    for path in CODE:
        here = package_of(relative(path).removesuffix(".py").replace("/", "."))
        if here in (None, "__init__"):
            continue
        checked.add(here)
        for name in imported(path):
            package = package_of(name)
            if package and IMPORT_ORDER.index(package) > IMPORT_ORDER.index(here):
                upwards.append(f"{relative(path)} imports {name}")
    assert [] == upwards
    assert set(IMPORT_ORDER) == checked


def test_no_modules_import_each_other_in_a_circle():
    """Within a package too, at the top of the modules and inside their functions."""
    known = {
        relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in CODE
        if path != ROOT / "gfr" / "__init__.py"  # imports the API when one of its names is used
    }
    edges = {
        name: {
            target
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for target in targets(node)
            if target in known and target != name
        }
        for name, path in known.items()
    }
    # Remove modules that import none of the rest, or that none of the rest imports: circles stay.
    while free := [
        name
        for name, needs in edges.items()
        if not needs & edges.keys() or not any(name in others for others in edges.values())
    ]:
        for name in free:
            del edges[name]
    assert {} == {name: sorted(needs & edges.keys()) for name, needs in edges.items()}


def targets(node):
    """Dotted names that an import statement may load."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield node.module


def test_a_folder_holds_few_modules():
    """At most 15, so that a reader sees them at a glance."""
    num_modules = {}
    for path in CODE:
        if path.name != "__init__.py":
            folder = relative(path.parent)
            num_modules[folder] = num_modules.get(folder, 0) + 1
    too_many = {
        folder: count
        for folder, count in num_modules.items()
        if count > MAX_MODULES.get(folder, 15)
    }
    assert {} == too_many


def test_files_and_functions_are_short():
    """At most 400 lines a file, and 40 a function, from `def` to its last line."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    too_long = []
    for path in [*CODE, *tests]:
        text = path.read_text("utf-8")
        if text.count("\n") > MAX_FILE_LINES:
            too_long.append(relative(path))
        if path in tests or relative(path).startswith(OPTION_LISTS):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                num_lines = node.end_lineno - node.lineno + 1
                if num_lines > MAX_FUNCTION_LINES:
                    too_long.append(f"{relative(path)}: {node.name}, {num_lines} lines")
    assert [] == too_long


# Everything that reads a run, or checks a request, starts without TensorFlow.
LIGHT = (
    *("gfr", "gfr.api", "gfr.config.loader", "gfr.evaluation.metrics", "gfr.results.store"),
    *("gfr.report.writer", "gfr.pipeline.request", "gfr.pipeline.prepare", "gfr.pipeline.doctor"),
    *("gfr.regression.check", "gfr.data.download.fetch", "gfr.prediction", "cli.main"),
)


@pytest.mark.parametrize("module", LIGHT)
def test_reading_and_checking_start_without_tensorflow(module):
    """TensorFlow costs seconds: only what computes may import it."""
    program = f"import sys, {module}; print('tensorflow' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "False" == finished.stdout.strip(), finished.stderr
