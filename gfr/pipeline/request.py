"""What the user asked for, checked."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gfr.config import benchmark_files, loader, schema
from gfr.config.schema import Benchmark
from gfr.data.loading import DATA_KEYWORDS, locate
from gfr.errors import BadInput
from gfr.models.weights import KEYWORDS as WEIGHTS_KEYWORDS
from gfr.models.weights import check_directory
from gfr.pipeline.isolation import Limits
from gfr.results import records, status
from gfr.results.cleanup import Rule
from gfr.storage import atomic, paths, run_directory


@dataclass(frozen=True)
class Request:
    """What the user asked for; `reports` and `cache` are absolute directories."""

    run_id: str
    benchmark_path: str
    benchmark: Benchmark
    data: str  # auto | synthetic | a directory
    weights: str  # auto | imagenet | random | a directory
    reports: str
    cache: str
    fresh: bool
    allow_download: bool
    command: str
    limits: Limits
    retries: int  # of a step that failed for no fault of its input
    keep_runs: int | None = None  # of this benchmark, when the run has ended; None: all


def request(
    benchmark: str,
    data: str,
    weights: str,
    run_id: str | None,
    fresh: bool,
    allow_download: bool,
    reports: str | None,
    cache: str | None,
    command: str,
    timeout_s: float,
    memory_limit_gb: float | None,
    retries: int,
    limits: schema.Selecting,
    begun: datetime | None = None,
    keep_runs: int | None = None,
) -> Request:
    """Names and paths as typed, relative to the project root -> a checked Request.

    `limits` that are given stand in place of the benchmark file's. `begun` names a run without an
    id; a later attempt at the same start finds the same run.
    """
    Rule(keep=keep_runs)  # BadInput if it is none
    path = benchmark_files.benchmark_file(benchmark)
    loaded = loader.limited(loader.load(path), limits)
    run_id = run_id or run_directory.new_id(loaded.name, begun)
    reports = str(paths.directory_or_default(reports, "reports"))
    run_directory.directory(Path(reports), run_id)
    weights = paths.at_root(weights, WEIGHTS_KEYWORDS)
    if weights not in WEIGHTS_KEYWORDS:
        check_directory(Path(weights))
    return Request(
        run_id=run_id,
        benchmark_path=str(path),
        benchmark=loaded,
        data=paths.at_root(data, DATA_KEYWORDS),
        weights=weights,
        reports=reports,
        cache=str(paths.directory_or_default(cache, "cache")),
        fresh=fresh,
        allow_download=allow_download,
        command=command,
        limits=Limits.checked(timeout_s, memory_limit_gb),
        retries=retries,
        keep_runs=keep_runs,
    )


def check(request: Request) -> None:
    """BadInput for places closed to us and, of a new run, data that are not there; leaves no run.

    Costs no TensorFlow: `prepare`, in a process of its own, says the same seconds later.
    """
    atomic.require_writable(Path(request.reports), "--reports")
    atomic.require_writable(Path(request.cache), "--cache")
    source, directory = locate(request.data)
    known = run_directory.directory(Path(request.reports), request.run_id) / "run.json"
    if directory and not known.exists():
        source.find(directory)


def refuse_another_request(record: records.RunRecord, request: Request) -> None:
    """BadInput if a run of this id exists and was asked for something else."""
    asked = (
        ("benchmark", record.benchmark, request.benchmark),
        ("--data", record.data_request, request.data),
        ("--weights", record.weights_request, request.weights),
        ("--cache", record.cache, request.cache),
        ("--fresh", record.fresh, request.fresh),
    )
    resume = status.resume_command(record, Path(request.reports))
    for what, then, now in asked:
        if then != now:
            how = "" if what == "benchmark" else f", {then!r:.80} and not {now!r:.80}"
            raise BadInput(
                f"run {record.run_id}: was begun with another {what}{how}; "
                f"use another --run-id, or go on with it: {resume}"
            )
