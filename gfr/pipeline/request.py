"""Validate the options of a run."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gfr.config import benchmark_files, loader, schema
from gfr.data.loading import locate
from gfr.errors import InputError
from gfr.models import weights as model_weights
from gfr.pipeline import isolation, references, run_options
from gfr.results import cleanup, records, resume
from gfr.storage import atomic, paths, run_directory, serialization


@dataclass(frozen=True)
class Request:
    """A validated request for a run. Names and paths in `options` are resolved."""

    run_id: str
    run_dir: Path
    cache: Path
    benchmark: schema.Benchmark
    limits: isolation.Limits
    options: run_options.RunOptions


def request(options: run_options.RunOptions, start: datetime | None = None) -> Request:
    """Validate options; paths in them are relative to the project root.

    `start` names a run without an id, so that a second attempt at the same start continues it.
    """
    path = benchmark_files.benchmark_file(options.benchmark)
    return request_for(loader.load(path), replace(options, benchmark=str(path)), start)


def request_for(
    benchmark: schema.Benchmark, options: run_options.RunOptions, start: datetime | None = None
) -> Request:
    """Do the same for a benchmark that is already read; `options.benchmark` only names it."""
    cleanup.Rule(keep=options.keep_runs)  # InputError if it is not a number of runs
    benchmark = options.applied_to(benchmark)
    run_id = options.run_id or run_directory.new_id(benchmark.name, start)
    reports = paths.directory_or_default(options.reports, "reports")
    cache = paths.directory_or_default(options.cache, "cache")
    weights = paths.at_root(options.weights, model_weights.KEYWORDS)
    run_dir = run_directory.directory(reports, run_id)
    if weights not in model_weights.KEYWORDS:
        model_weights.check_directory(Path(weights))
    step_limits = isolation.Limits.checked(options.timeout_s, options.memory_limit_gb)
    data = paths.at_root(options.data, run_options.DATA_KEYWORDS)
    resolved = replace(options, data=data, weights=weights, run_id=run_id)
    resolved = replace(resolved, reports=str(reports), cache=str(cache))
    return Request(run_id, run_dir, cache, benchmark, step_limits, resolved)


def check(request: Request) -> None:
    """Raise InputError for a run that cannot start; writes no run and does not import TensorFlow.

    `prepare` checks the same, but in a child process and seconds later.
    """
    atomic.require_writable(request.run_dir.parents[1], "--reports")
    atomic.require_writable(request.cache, "--cache")
    path = request.run_dir / "run.json"
    if path.exists():
        _refuse_other_options(serialization.read(path, records.RunRecord), request)
        return
    source, directory = locate(request.options.data)
    if directory:
        source.read(directory)
    for row in request.benchmark.backbone:
        model_weights.locate(row, model_weights.requested(row, request.options.weights))
    references.check(request.benchmark)


def _refuse_other_options(record: records.RunRecord, request: Request) -> None:
    """Raise InputError if the run of this id was started with other options."""
    options, name = request.options, request.benchmark.name
    command = resume.command(record, request.run_dir.parents[1])
    is_same = record.benchmark == request.benchmark
    for before, now in (
        (f"benchmark {record.benchmark.name}", f"benchmark {name}"),
        (f"benchmark {name}", f"benchmark {name}{'' if is_same else ' with other settings'}"),
        (f"--data {record.data_request}", f"--data {options.data}"),
        (f"--weights {record.weights_request}", f"--weights {options.weights}"),
        (f"--cache {record.cache}", f"--cache {request.cache}"),
        ("--fresh" if record.fresh else "no --fresh", "--fresh" if options.fresh else "no --fresh"),
    ):
        if before != now:
            raise InputError(
                f"run {record.run_id}: was started with {before}, but got {now}. "
                f"Use another --run-id, or resume with: {command}"
            )
