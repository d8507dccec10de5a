"""Shell completion: the words that a shell offers for an option or argument.

Reads names of files only and imports nothing heavy, since a shell waits for it. Returns nothing
where a directory cannot be read: an error would be printed into the line that is being typed.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from cli.places import or_default
from gfr.config import benchmark_files

# As gfr/data/loading.py, gfr/models/weights.py, flows/runners.py, gfr/data/download/fetch.py and
# gfr/results/export_records.py have them.
DATA = ("auto", "synthetic")
WEIGHTS = ("auto", "imagenet", "random")
RUNNERS = ("threads", "dask", "ray")
SOURCES = ("published", "huggingface")
PRECISIONS = ("float32", "float16", "uint16", "uint8")


def words(*known: str) -> Callable[[str], list[str]]:
    """A completion function for fixed words; where none fits, the shell offers files."""
    return lambda incomplete: _fitting(known, incomplete)


def benchmarks(incomplete: str) -> list[str]:
    """Names of the benchmarks in benchmarks/."""
    try:
        return _fitting(benchmark_files.benchmark_names(), incomplete)
    except OSError:
        return []


def run_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the runs in the directory that --reports or its default names."""
    try:
        reports = Path(or_default(context.params.get("reports"), "reports"))
        found = (path.parent.name for path in (reports / "runs").glob("*/run.json"))
        return _fitting(sorted(found), incomplete)
    except (OSError, ValueError):  # BadInput is a ValueError
        return []


def _fitting(known: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in known if word.startswith(incomplete)]
