"""`gfr list`."""

import sys

from cli import options
from gfr import text
from gfr.config import benchmark_files


def list_(
    benchmark: options.Benchmark = "full",
    cache: options.Cache = None,
    reports: options.Reports = None,
    as_json: options.AsJson = False,
) -> None:
    """List the trials and feature sets of a benchmark, cached feature sets, and runs."""
    from gfr.config import loader
    from gfr.results import status

    file = benchmark_files.benchmark_file(benchmark)
    loaded = loader.load(file)
    found = status.collect(loaded, cache, reports)
    warnings = [benchmark_files.shared_name(file, loaded.name)]
    warnings += loader.absences(loaded)
    for warning in filter(None, warnings):
        print(f"gfr: {text.line(warning)}", file=sys.stderr)
    options.print_result(found, status.text, as_json)
