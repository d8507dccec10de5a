"""Read and write the records of a run directory."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from gfr.config.schema import FeatureSet, Trial
from gfr.data import dataset, records
from gfr.errors import InputError
from gfr.measurement.latency import LatencyResult
from gfr.results import resume
from gfr.results.deployment_records import EngineLatency, FormatResult
from gfr.results.export_records import ExportResult, PageResult
from gfr.results.records import Failure, Retimed, Run, RunRecord, Selection, TrialResult
from gfr.results.reference_records import ReferenceResult
from gfr.results.regression_records import Verdict
from gfr.storage import atomic, hashing
from gfr.storage.run_directory import RunDirectory
from gfr.storage.serialization import SCHEMA, Record, read, write


def write_failure(run_dir: Path, trial: Trial, reason: str) -> None:
    """Record why a trial has no result."""
    write(RunDirectory(run_dir).failure(trial.id), Failure(SCHEMA, trial, reason))


def read_run(directory: Path) -> Run:
    """Read everything in a run directory; InputError if a record is damaged or of another run.

    A selection that names a trial without a result is outdated and left out.
    """
    files = RunDirectory(directory)
    record = read(files.record, RunRecord)
    remedy = f"delete it and resume with: {resume.command(record, files.reports)}"
    read_if_there = partial(_read_if_there, remedy)
    trials, failures = _read_trials(files, record, remedy)
    latencies, engine_latencies = {}, {}
    for row in record.benchmark.feature_sets:
        if latency := read_if_there(files.latency(row.id), LatencyResult, feature_set=row):
            latencies[row.id] = latency
        if engines := read_if_there(files.engine_latency(row.id), EngineLatency, feature_set=row):
            engine_latencies[row.id] = engines
    by_id = {row.trial.id: row.trial for row in trials}
    selection = read_if_there(files.selection, Selection)
    if selection and not set(selection.ranking) <= set(by_id):
        selection = None
    export = page = format_latency = None
    formats: dict[str, FormatResult] = {}
    if selection:
        exported, trial = files.export(selection.trial_id), by_id[selection.trial_id]
        export = read_if_there(exported.record, ExportResult, run_id=record.run_id, trial=trial)
        page = read_if_there(exported.page, PageResult)
        formats = read_formats(directory, record.run_id, trial)
        place = files.format_latency(trial.id)
        format_latency = read_if_there(place, EngineLatency, feature_set=trial.feature_set)
    verdict = read_if_there(files.verdict, Verdict, run_id=record.run_id)
    measured = latencies, selection, export, page, verdict, engine_latencies
    references = _read_references(files, record, remedy)
    return Run(directory, record, trials, failures, *measured, formats, format_latency, references)


def read_formats(directory: Path, run_id: str, trial: Trial) -> dict[str, FormatResult]:
    """Read the records of a trial's formats, by name."""
    files = RunDirectory(directory)
    remedy = "delete its directory and export it again: gfr export"
    formats = {}
    for path in sorted(files.formats(trial.id).glob("*/format.json")):
        name = path.parent.name
        if not atomic.temporary([name]):
            expected = {"run_id": run_id, "trial": trial, "format": name}
            if row := _read_if_there(remedy, path, FormatResult, **expected):
                formats[name] = row
    return formats


def formats_of(run: Run, trial: Trial) -> dict[str, FormatResult]:
    """Return the records of a trial's formats, by name; those of the selected one are at hand."""
    if run.selection and run.selection.trial_id == trial.id:
        return run.formats
    return read_formats(run.directory, run.record.run_id, trial)


def format_latency_of(run: Run, trial: Trial) -> EngineLatency | None:
    """Return the latency of a trial's formats; None if it was not measured."""
    if run.selection and run.selection.trial_id == trial.id:
        return run.format_latency
    path = RunDirectory(run.directory).format_latency(trial.id)
    return read(path, EngineLatency) if path.exists() else None


def model_digest(run: Run, result: TrialResult) -> str:
    """Return SHA-256 over what the fused model of a trial is made of; "" without its head."""
    head, features = RunDirectory(run.directory).head(result.trial.id), result.features
    if not head.is_file():
        return ""
    parts = [hashing.file_sha256(head), features.weights.sha256, repr(features.scale)]
    return hashing.lines_sha256(parts)


def open_run(run_dir: Path) -> tuple[RunRecord, dataset.Faces, np.ndarray]:
    """Read the record of a run, its images, and the split, str (N,)."""
    files = RunDirectory(run_dir)
    record = read(files.record, RunRecord)
    faces, splits = records.read_table(files.faces, record.data, record.split)
    return record, faces, splits


def refuse_other_images(run: Run, faces: dataset.Faces, splits: np.ndarray) -> None:
    """Raise InputError if a trial has logits of other images than those of the split, str (N,)."""
    names = np.array(faces.names)
    for result in run.trials:
        for split in ("validation", "test"):
            if list(getattr(result, f"{split}_logits")) != names[splits == split].tolist():
                raise InputError(
                    f"{RunDirectory(run.directory).trial(result.trial.id)}: logits of other images "
                    f"than the {split} images of faces.csv; delete it and run again with the same "
                    "--run-id"
                )


def repeated_timings(run: Run, feature_set: FeatureSet) -> list[Retimed]:
    """Return the repeated latency measurements of a model, in the order made.

    One that is older than the record it confirms belongs to an earlier attempt and is ignored.
    """
    files = RunDirectory(run.directory)
    path_of = partial(files.repeated_latency, feature_set.id)
    return _repeated(files.latency(feature_set.id), path_of, Retimed)


def repeated_engine_timings(run: Run, feature_set: FeatureSet) -> list[EngineLatency]:
    """Return the repeated measurements of a model in its engines; see `repeated_timings`."""
    files = RunDirectory(run.directory)
    path_of = partial(files.repeated_engine_latency, feature_set.id)
    return _repeated(files.engine_latency(feature_set.id), path_of, EngineLatency)


def repeated_trial(run: Run, trial_id: str) -> TrialResult | None:
    """Return the repeated training of a head, if there is one that is not older than the first."""
    files = RunDirectory(run.directory)
    path = files.repeated_trial(trial_id)
    return read(path, TrialResult) if is_newer(path, files.trial(trial_id)) else None


def is_newer(path: Path, first: Path) -> bool:
    """Whether both exist and `path` is not older."""
    both_exist = path.exists() and first.exists()
    return both_exist and path.stat().st_mtime_ns >= first.stat().st_mtime_ns


def mark_as_newer(path: Path, first: Path) -> None:
    """Let `is_newer` hold for a file that was just written, also if the clock was set back."""
    if first.exists() and not is_newer(path, first):
        time_ns = first.stat().st_mtime_ns
        os.utime(path, ns=(time_ns, time_ns))


def _repeated(first: Path, path_of: Callable[[int], Path], kind: type[Record]) -> list[Record]:
    """Read the records `path_of(1)`, `path_of(2)`, ... that are not older than `first`."""
    repeated: list[Record] = []
    while is_newer(path := path_of(len(repeated) + 1), first):
        repeated.append(read(path, kind))
    return repeated


def _read_trials(
    files: RunDirectory, record: RunRecord, remedy: str
) -> tuple[tuple[TrialResult, ...], tuple[Failure, ...]]:
    trials, failures = [], []
    refits = record.benchmark.refits(record.data.has_identity)
    for trial in record.benchmark.trials:
        path = files.trial(trial.id)
        if result := _read_if_there(remedy, path, TrialResult, trial=trial, run_id=record.run_id):
            if tuple(row.refit for row in result.refits) != refits:
                raise InputError(f"{path}: its refits are not those of run.json; {remedy}")
            trials.append(result)
        elif failure := _read_if_there(remedy, files.failure(trial.id), Failure, trial=trial):
            failures.append(failure)
    return tuple(trials), tuple(failures)


def _read_references(
    files: RunDirectory, record: RunRecord, remedy: str
) -> dict[str, ReferenceResult]:
    references = {}
    for row in record.benchmark.reference:
        path, expected = files.reference(row.label), {"run_id": record.run_id, "reference": row}
        if result := _read_if_there(remedy, path, ReferenceResult, **expected):
            references[row.label] = result
    return references


def _read_if_there(
    remedy: str, path: Path, kind: type[Record], **expected: object
) -> Record | None:
    """Read a record; InputError if a field differs from what run.json and the file's name say."""
    if not path.exists():
        return None
    record = read(path, kind, remedy)
    for name, value in expected.items():
        if getattr(record, name) != value:
            field = name.replace("_", " ")
            raise InputError(f"{path}: its {field} is not that of run.json; {remedy}")
    return record
