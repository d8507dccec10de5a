"""Read and write the records of a run directory."""

from pathlib import Path

import numpy as np

from gfr.config.schema import Trial
from gfr.data import dataset, records
from gfr.measurement.latency import LatencyResult
from gfr.results import records as results_records
from gfr.results.export_records import ExportResult, PageResult
from gfr.results.records import Failure, Run, RunRecord, Selection, _read_if_there, _read_trials
from gfr.results.regression_records import Verdict
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory
from gfr.storage.serialization import SCHEMA, read, write


def write_failure(run_dir: Path, trial: Trial, reason: str) -> None:
    """Record why a trial has no result."""
    write(RunDirectory(run_dir).failure(trial.id), Failure(SCHEMA, trial, reason))


def read_run(directory: Path) -> Run:
    """Read everything in a run directory; InputError if a record is damaged or of another run.

    A selection that names a trial without a result is outdated and left out.
    """
    files = RunDirectory(directory)
    record = read(files.record, RunRecord)
    trials, failures = _read_trials(files, record)
    latencies = {
        row.id: _read_if_there(files.latency(row.id), LatencyResult, feature_set=row)
        for row in record.benchmark.feature_sets
    }
    by_id = {row.trial.id: row.trial for row in trials}
    selection = _read_if_there(files.selection, Selection)
    if selection and not set(selection.ranking) <= set(by_id):
        selection = None
    export = page = None
    if selection:
        exported, trial = files.export(selection.trial_id), by_id[selection.trial_id]
        export = _read_if_there(exported.record, ExportResult, run_id=record.run_id, trial=trial)
        page = _read_if_there(exported.page, PageResult)
    return Run(
        directory=directory,
        record=record,
        trials=trials,
        failures=failures,
        latencies={name: latency for name, latency in latencies.items() if latency},
        selection=selection,
        export=export,
        page=page,
        verdict=_read_if_there(files.verdict, Verdict, run_id=record.run_id),
    )


def export_directory(run_dir: Path, trial_id: str) -> Path:
    """The directory of an exported model; complete or absent."""
    return RunDirectory(run_dir).export(trial_id).path


def open_run(run_dir: Path) -> tuple[results_records.RunRecord, dataset.Faces, np.ndarray]:
    """Read the record of a run, its images, and the split, str (N,)."""
    files = RunDirectory(run_dir)
    record = serialization.read(files.record, results_records.RunRecord)
    faces, splits = records.read_table(files.faces, record.data, record.split)
    return record, faces, splits
