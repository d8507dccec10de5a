"""The stage that measures a trial's written formats: latency, cold start, throughput, memory.

Runs alone on the machine, in the calling process; the measurements are in child processes.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gfr.errors import InputError, StepFailed
from gfr.export import file_formats
from gfr.pipeline import engine_latency, isolation
from gfr.pipeline.engine_latency import Plan
from gfr.pipeline.formats.engine_models import model_of, thread_counts, untimed
from gfr.progress import LOG, reporter
from gfr.results import records, store
from gfr.results.deployment_records import EngineLatency, EngineModel, FormatResult
from gfr.storage import locks, serialization
from gfr.storage.run_directory import RunDirectory

_PREPARE = "gfr.pipeline.formats.preparing:prepare_formats"


def measure(run_dir: Path, trial_id: str | None, limits: isolation.Limits) -> Path | None:
    """Measure what is not yet known of a trial's written formats, while nothing else of gfr runs.

    Latency in turn in one process for each number of threads; then cold start, throughput and
    memory, each in a process of its own. Returns the path of the latency record, if there is one.
    """
    run = store.read_run(run_dir)
    result = run.result_of(trial_id)
    path = RunDirectory(run_dir).format_latency(result.trial.id)
    with locks.timing():
        names = dict.fromkeys(model.engine for model in untimed(run, result))
        if names:
            _time(run, result, tuple(names), limits)
        _measure_processes(run, result, limits)
    rows = store.read_formats(run_dir, run.record.run_id, result.trial)
    latency = serialization.read(path, EngineLatency) if path.exists() else None
    file_formats.renew_cards(run, [row for row in rows.values() if not row.reason], latency)
    return path if latency else None


def _time(
    run: records.Run, result: records.TrialResult, names: tuple[str, ...], limits: isolation.Limits
) -> None:
    """Time formats and add them to the record."""
    trial = result.trial
    plan = Plan(
        *(run.directory, trial.feature_set, trial.id, names, thread_counts(), _PREPARE),
        name=f"{trial.title}, formats",
    )
    measured = engine_latency.measure(plan, limits)
    engine_latency.log(plan, measured)
    path = RunDirectory(run.directory).format_latency(trial.id)
    if path.exists():
        before = serialization.read(path, EngineLatency)
        keys = {row.key for row in measured.rows}
        failed = dict((*before.unavailable, *measured.unavailable))
        measured = replace(
            measured,
            rows=(*(row for row in before.rows if row.key not in keys), *measured.rows),
            size_bytes=before.size_bytes | measured.size_bytes,
            unavailable=tuple(failed.items()),
            cost=replace(measured.cost, wall_s=before.cost.wall_s + measured.cost.wall_s),
        )
    serialization.write(path, measured)


def _measure_processes(
    run: records.Run, result: records.TrialResult, limits: isolation.Limits
) -> None:
    """Measure each format in a process of its own, and write its record again."""
    trial, files = result.trial, RunDirectory(run.directory)
    todo = list(_unmeasured_processes(run, result))
    report = reporter(f"{trial.title}, processes", "processes")
    for number, (name, model, num_threads) in enumerate(todo):
        report(number, len(todo))
        record = files.format(trial.id, name).record
        row = serialization.read(record, FormatResult)
        try:
            found = engine_latency.in_fresh_process(model, num_threads, run.directory, limits)
        except (InputError, StepFailed) as error:
            LOG.warning("%s, %s: its process was not measured: %s", trial.title, name, error)
            continue
        serialization.write(record, replace(row, processes=(*row.processes, found)))
    report(1, 1)


def _unmeasured_processes(
    run: records.Run, result: records.TrialResult
) -> Iterator[tuple[str, EngineModel, int]]:
    """Yield format, file and number of threads of what was not measured yet."""
    rows = store.read_formats(run.directory, run.record.run_id, result.trial)
    for name, row in rows.items():
        if model := model_of(run, row):
            counts = (model.num_threads,) if model.num_threads else thread_counts()
            yield from ((name, model, num) for num in counts if row.process(num) is None)
