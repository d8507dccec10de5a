"""The written formats of a trial, as the files that their engines load.

Does not import any runtime.
"""

from pathlib import Path

from gfr.config.schema import TFJS
from gfr.engines import formats
from gfr.measurement import allowance
from gfr.results import records, store
from gfr.results.deployment_records import KERAS, EngineLatency, EngineModel, FormatResult
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory


def models_of(run: records.Run, result: records.TrialResult) -> list[EngineModel]:
    """Return the written formats of a trial, as the files that their engines load."""
    return [
        model
        for row in store.read_formats(run.directory, run.record.run_id, result.trial).values()
        if (model := model_of(run, row))
    ]


def model_of(run: records.Run, row: FormatResult) -> EngineModel | None:
    """Return the file of a format; None if there is none."""
    files, trial_id = RunDirectory(run.directory), row.trial.id
    path, name, num_threads = files.export(trial_id).keras, "", 0
    if row.format == TFJS:
        path, name, num_threads = files.export(trial_id).tfjs, TFJS, 1
    elif row.format != KERAS:
        name = row.format
        path = files.format(trial_id, name).path / formats.get(name).file
    if row.reason or not path.exists():
        return None
    engine, precision = row.engine, row.precision
    return EngineModel(engine, name, precision, path, row.num_bytes, num_threads=num_threads)


def thread_counts() -> tuple[int, ...]:
    """Return the numbers of threads that formats are timed with: one, and all."""
    return tuple(dict.fromkeys((1, allowance.num_threads())))


def untimed(run: records.Run, result: records.TrialResult) -> list[EngineModel]:
    """Return the formats, and Keras for comparison, that have no latency yet."""
    models = models_of(run, result)
    if not models:
        return []
    if not any(model.engine == "tensorflow" for model in models):
        models.insert(0, EngineModel("tensorflow", "", "float32", Path(), 1))
    path = RunDirectory(run.directory).format_latency(result.trial.id)
    timed = serialization.read(path, EngineLatency) if path.exists() else None
    return [
        model
        for model in models
        if timed is None
        or not all(
            timed.row(model.engine, model.precision, model.num_threads or num_threads)
            for num_threads in thread_counts()
        )
    ]
