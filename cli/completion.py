"""Shell completion of options and arguments.

Reads names of files only and imports nothing heavy, since a shell waits for it. Returns nothing for
a directory that cannot be read, since an error would be printed into the line that is being typed.
"""

import tomllib
from collections.abc import Callable, Iterable

import typer

from cli import paths
from gfr.config import benchmark_files
from gfr.storage.paths import ROOT

# Copies of names in gfr/models/weights.py, flows/task_runners.py, gfr/data/download/fetch.py,
# gfr/results/export_records.py and gfr/engines/formats.py, whose imports take too long here. A test
# compares them.
WEIGHTS = ("auto", "imagenet", "random")
RUNNERS = ("threads", "dask", "ray")
SOURCES = ("published", "huggingface")
PRECISIONS = ("float32", "float16", "uint16", "uint8")
FORMATS = (
    *("tfjs", "litert", "litert-float16", "litert-dynamic", "litert-int8"),
    *("onnx", "openvino"),
)
ENGINES = ("tensorflow", *FORMATS, "onnxruntime", "fastest")


def words(*choices: str) -> Callable[[str], list[str]]:
    """A completion function for fixed words; if none fits, the shell offers files."""
    return lambda incomplete: _matching(choices, incomplete)


def benchmarks(incomplete: str) -> list[str]:
    """Names of the benchmarks in benchmarks/."""
    return _matching(benchmark_files.benchmark_names(), incomplete)


def models(incomplete: str) -> list[str]:
    """Names of the packages in benchmarks/models.toml."""
    try:
        document = tomllib.loads((ROOT / "benchmarks" / "models.toml").read_text("utf-8"))
        return _matching(document["models"], incomplete)
    except (OSError, ValueError, KeyError):
        return []


def run_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the runs under --reports or its default."""
    try:
        reports = paths.directory(context.params.get("reports"), "reports")
        records = (reports / "runs").glob("*/run.json")
        return _matching(sorted(path.parent.name for path in records), incomplete)
    except (OSError, ValueError):  # InputError is a ValueError
        return []


def _matching(choices: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in choices if word.startswith(incomplete)]
