"""Read and write the records of a run directory."""

from pathlib import Path

import numpy as np

from gfr.config.schema import Trial
from gfr.data import dataset, records
from gfr.errors import BadInput
from gfr.measurement.latency import LatencyResult
from gfr.results import records as results_records
from gfr.results.export_records import ExportResult, PageResult
from gfr.results.records import Failure, Run, RunRecord, Selection, TrialResult
from gfr.results.regression_records import Verdict
from gfr.storage import serialization
from gfr.storage.serialization import SCHEMA, Record, how_to_fix, read, write


def write_failure(run_dir: str, trial: Trial, reason: str) -> None:
    """Keep why a trial has no result."""
    write(Path(run_dir) / "failures" / f"{trial.id}.json", Failure(SCHEMA, trial, reason))


def read_run(directory: Path) -> Run:
    """Everything that a run has left so far; BadInput if a record is damaged or another's.

    A selection that names a trial without a result is out of date and left out.
    """
    record = read(directory / "run.json", RunRecord)
    trials, failures, latencies = [], [], {}
    asked = record.benchmark.refits(record.data.has_identity)
    for trial in record.benchmark.trials:
        path = directory / "trials" / f"{trial.id}.json"
        failed = directory / "failures" / f"{trial.id}.json"
        if path.exists():
            result = _read_of(path, TrialResult, trial=trial, run_id=record.run_id)
            if tuple(row.refit for row in result.refits) != asked:
                raise BadInput(
                    f"{path}: has other refits than run.json asks for; {how_to_fix(path)}"
                )
            trials.append(result)
        elif failed.exists():
            failures.append(_read_of(failed, Failure, trial=trial))
    for feature_set in record.benchmark.feature_sets:
        path = directory / "latency" / f"{feature_set.id}.json"
        if path.exists():
            latencies[feature_set.id] = _read_of(path, LatencyResult, feature_set=feature_set)
    path = directory / "selection.json"
    selection = read(path, Selection) if path.exists() else None
    if selection and not {row.trial.id for row in trials}.issuperset(selection.ranking):
        selection = None
    export = page = None
    if selection and (path := export_directory(directory, selection.trial_id)).exists():
        chosen = next(row.trial for row in trials if row.trial.id == selection.trial_id)
        export = _read_of(path / "export.json", ExportResult, run_id=record.run_id, trial=chosen)
        if (path / "page.json").exists():
            page = read(path / "page.json", PageResult)
    path = directory / "verdict.json"
    verdict = _read_of(path, Verdict, run_id=record.run_id) if path.exists() else None
    rows = tuple(trials), tuple(failures), latencies
    return Run(directory, record, *rows, selection, export, page, verdict)


def export_directory(run_dir: Path, trial_id: str) -> Path:
    """Where the exported model of a trial is, whole or not at all."""
    return run_dir / "export" / trial_id


def _read_of(path: Path, kind: type[Record], **expected: object) -> Record:
    """The record at `path`; BadInput if it belongs to something else than its name says."""
    record = read(path, kind)
    for name, value in expected.items():
        if getattr(record, name) != value:
            what = name.replace("_", " ")
            raise BadInput(f"{path}: is of another {what} than run.json says; {how_to_fix(path)}")
    return record


def open_run(run_dir: str) -> tuple[results_records.RunRecord, dataset.Faces, np.ndarray]:
    """The record of a run, its images, and the split, str (N,)."""
    record = serialization.read(Path(run_dir) / "run.json", results_records.RunRecord)
    faces, splits = records.read_table(Path(run_dir) / "faces.csv", record.data, record.split)
    return record, faces, splits
