"""gfr <- tasks <- flows <- cli, and a TensorFlow-free half within gfr."""

import ast
import subprocess
import sys

import pytest

from gfr.storage.paths import ROOT

FORBIDDEN = {
    "gfr": {"prefect", "tasks", "flows", "cli"},
    "tasks": {"flows", "cli"},
    "flows": {"cli"},
}


def imported(path):
    """Top-level packages that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_nothing_from_above(layer):
    """The core knows no orchestration, the orchestration no command line."""
    crossed = {
        f"{path.name} imports {name}"
        for path in (ROOT / layer).glob("*.py")
        for name in imported(path)
        if name in FORBIDDEN[layer]
    }
    assert set() == crossed


def test_the_reading_half_starts_without_tensorflow():
    """Specs, results, tables and the help must not cost TensorFlow's five seconds."""
    modules = "spec, evaluate, latency, results, dataset, door, doctor, weights"
    modules += ", stats, curves, calibration, subgroups"
    modules += ", history, judging, verdicts, comparison"
    modules += ", fetch, huggingface, predict"
    program = f"import sys, cli.main; from gfr import {modules}; from gfr.report import writer; "
    program += "print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "False" == done.stdout.strip(), done.stderr
