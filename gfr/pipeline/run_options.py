"""The options of a run.

Adding one takes an option in cli/commands/run.py, a field here and a parameter of
flows/benchmark.py. If it replaces a setting of the benchmark, `applied_to` puts it there: training,
latency and selection read the benchmark.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gfr.config.schema import Benchmark

DATA_KEYWORDS = ("auto", "synthetic")


@dataclass(frozen=True)
class RunOptions:
    """What a run is asked to do, with the defaults; paths are relative to the project root."""

    benchmark: str = "full"  # the name of a file in benchmarks/, or the path of another one
    data: str = "auto"  # one of DATA_KEYWORDS, or a path
    weights: str = "auto"  # one of gfr.models.weights.KEYWORDS, or a directory
    run_id: str | None = None  # None: made of the start time and the benchmark
    fresh: bool = False
    allow_download: bool = True  # of weights
    reports: str | None = None  # None: $GFR_REPORTS, else reports
    cache: str | None = None  # None: $GFR_CACHE, else cache
    command: str = "prefect deployment run gfr/full-benchmark"  # what started the run
    timeout_s: float = 900
    memory_limit_gb: float | None = None  # None: 90% of the memory available to gfr
    retries: int = 1  # of a failed step
    max_latency_ms: float | None = None  # None: as the benchmark says
    max_size_mb: float | None = None  # None: as the benchmark says
    keep_runs: int | None = None  # of this benchmark, after the run; None: all

    def applied_to(self, benchmark: "Benchmark") -> "Benchmark":
        """Return the benchmark with the settings that these options replace."""
        from gfr.config import loader, schema

        limits = schema.Selecting(self.max_latency_ms, self.max_size_mb)
        return loader.limited(benchmark, limits)
