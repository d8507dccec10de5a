"""The stage that writes a trial's model in file formats and validates each in its own engine.

All formats are converted from one fused model, each in a child process, and classify the test and
validation images in another. This module runs in the calling process and does not import
TensorFlow.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from gfr import engines
from gfr.config.schema import TFJS, Export, WebPrecision
from gfr.engines import formats
from gfr.errors import CannotWrite, InputError, StepFailed
from gfr.export import file_formats
from gfr.export.file_formats import Checked
from gfr.measurement import hardware
from gfr.pipeline import isolation, shared_storage
from gfr.progress import LOG, reporter
from gfr.results import export_records, records, store
from gfr.results.deployment_records import KERAS, EngineLatency, FormatResult
from gfr.results.export_records import ExportResult
from gfr.storage import atomic, locks, serialization
from gfr.storage.run_directory import RunDirectory

Call = Callable[..., Any]  # a function of a child process by its place, with its arguments


@dataclass(frozen=True)
class _Job:
    """One model to be written; `precision`: of TensorFlow.js, None leaves it to the rule."""

    run: records.Run
    result: records.TrialResult
    model_digest: str
    precision: WebPrecision | None

    @property
    def files(self) -> RunDirectory:
        """The run's directory."""
        return RunDirectory(self.run.directory)

    @property
    def trial_id(self) -> str:
        """The trial's id."""
        return self.result.trial.id

    def is_model(self, digest: str) -> bool:
        """Whether this is the digest of the model, as far as both are known."""
        return not digest or not self.model_digest or digest == self.model_digest


def export(
    run_dir: Path,
    trial_id: str | None,
    names: tuple[str, ...],
    precision: WebPrecision | None,
    limits: isolation.Limits,
) -> dict[str, str]:
    """Write the selected or the named trial in these formats; return by name why one failed.

    A format that was written is kept unless the model has changed since then, or TensorFlow.js has
    another precision than the named one. None of the failures keeps the others from being written.
    """
    run = store.read_run(run_dir)
    result = run.result_of(trial_id)
    job = _Job(run, result, store.model_digest(run, result), precision)
    todo = [name for name in names if not _is_kept(job, name)]
    failures: dict[str, str] = {}
    if todo:
        shared_storage.check(run_dir, shared_storage.worker())
        place = job.files.formats(job.trial_id)
        with locks.turn(hardware.gpu_ids()) as gpu, atomic.scratch(place) as fused:
            call = partial(isolation.call_alone, limits=limits, gpu=gpu)
            failures = _write(job, tuple(todo), fused, call)
    else:
        reporter(export_records.STEP)(1, 1)
    if TFJS in names:
        _record_export(job, failures.get(TFJS, ""))
    return failures


def _is_kept(job: _Job, name: str) -> bool:
    """Whether there is such a file of this model already."""
    if name == TFJS:
        record = job.files.export(job.trial_id).record
        if not record.exists():
            return False
        exported = serialization.read(record, ExportResult)
        return job.is_model(exported.model_digest) and job.precision in (None, exported.precision)
    files = job.files.format(job.trial_id, name)
    return _is_known(job, name) and file_formats.is_complete(files, formats.get(name))


def _is_known(job: _Job, name: str) -> bool:
    """Whether there are results of this model in a format."""
    record = job.files.format(job.trial_id, name).record
    if not record.exists():
        return False
    row = serialization.read(record, FormatResult)
    return not row.reason and job.is_model(row.model_digest)


def _write(job: _Job, names: tuple[str, ...], fused: Path, call: Call) -> dict[str, str]:
    """Fuse the model and write the formats one after the other; return why some failed."""
    start_s, report = time.monotonic(), reporter(export_records.STEP, "stages")
    failures = _two_steps(job, names, fused)
    names = tuple(name for name in names if name not in failures)
    if not names:
        report(1, 1)
        return failures
    others = [name for name in names if name != TFJS]
    num_stages = len(names) + 1 + bool(others)
    report(0, num_stages)
    num_parameters = call("gfr.export.saved_model:fuse", job.run.directory, job.trial_id, fused)
    if TFJS in names:
        report(1, num_stages)
        failures[TFJS] = _reason(partial(_write_tfjs, job, fused, num_parameters, start_s, call))
    for number, name in enumerate(others):
        report(num_stages - 1 - len(others) + number, num_stages)
        failures[name] = _reason(partial(_convert, job, name, fused, call))
    if others:
        report(num_stages - 1, num_stages)
        checked = _check(job, tuple(name for name in others if not failures[name]), fused, call)
        for name in (*others, *(() if _is_known(job, KERAS) else (KERAS,))):
            outcome = checked.get(name) or failures[name]
            failures[name] = _finish(job, name, outcome, fused)
    report(1, 1)
    return {name: reason for name, reason in failures.items() if reason}


def _two_steps(job: _Job, names: tuple[str, ...], fused: Path) -> dict[str, str]:
    """Write the records of formats to which network and head are not converted; return why."""
    reasons = {
        name: job.result.features.weights.two_steps(formats.get(name).engine) for name in names
    }
    refused = {name: why for name, why in reasons.items() if why}
    for name in refused:
        if name != TFJS:
            _finish(job, name, refused[name], fused)
    return refused


def _reason(act: Callable[[], object]) -> str:
    """Return why something fails, or ""."""
    try:
        act()
    except CannotWrite:  # a full disk is not a property of a format
        raise
    except (InputError, StepFailed) as error:
        return str(error)
    return ""


def _write_tfjs(job: _Job, fused: Path, num_parameters: int, start_s: float, call: Call) -> None:
    """Convert to TensorFlow.js in every precision and keep one."""
    precisions = job.run.record.benchmark.export.precisions or Export().precisions
    if job.precision and job.precision not in precisions:
        precisions += (job.precision,)
    with atomic.directory(job.files.export(job.trial_id).path) as folder:
        call("gfr.export.tfjs:convert", precisions, fused)
        export_job = export_records.ExportJob(
            run_dir=job.run.directory,
            trial_id=job.trial_id,
            precisions=precisions,
            precision=job.precision,
            fused=fused,
            folder=folder,
            model_digest=job.model_digest,
            start_s=start_s,
        )
        call("gfr.export.validate:examine", export_job, num_parameters)


def _convert(job: _Job, name: str, fused: Path, call: Call) -> None:
    form = formats.get(name)
    if reason := engines.get(form.engine).unavailable():
        raise InputError(reason)
    images, _ = file_formats.calibration_images(job.run.directory)
    folder = fused / name
    folder.mkdir()
    place = "gfr.export.convert:convert"
    call(place, export_records.source(fused), form, folder, images)


def _check(job: _Job, names: tuple[str, ...], fused: Path, call: Call) -> dict[str, Checked | str]:
    """Validate formats in one process; if it crashes, each in its own."""
    place, names = "gfr.export.file_formats:check", (*names, KERAS)
    try:
        return call(place, job.run.directory, fused, names)
    except StepFailed:
        checked: dict[str, Checked | str] = {}
        for name in names:
            try:
                checked |= call(place, job.run.directory, fused, (name,))
            except StepFailed as error:
                checked[name] = str(error)
        return checked


def _finish(job: _Job, name: str, outcome: Checked | str, fused: Path) -> str:
    """Write the record of a format beside its files; return why there are none, or ""."""
    row = file_formats.result(job.run, job.result, name, outcome, job.model_digest)
    if row.precision == "int8" and not row.reason:
        _, images = file_formats.calibration_images(job.run.directory)
        row = replace(row, calibration=images)
    golden = outcome.golden if isinstance(outcome, Checked) else ()
    _forget_timings(job.files, row)
    file_formats.write(job.run, row, fused, golden)
    title = formats.FORMATS[name].title if name in formats.FORMATS else ""
    if row.reason:
        LOG.warning("%s, %s: not written: %s", row.trial.title, title or name, row.reason)
    elif title and row.test:
        LOG.info(
            f"{row.trial.title}, {title}: {row.num_bytes / 1e6:.1f} MB, test accuracy "
            f"{row.test.accuracy:.3f} (n = {row.test.num_images:,}), "
            f"{row.test.num_changed:,} other answers than Keras"
        )
    return row.reason


def _forget_timings(files: RunDirectory, row: FormatResult) -> None:
    """Remove the latencies of the files that a format had before."""
    path = files.format_latency(row.trial.id)
    if path.exists():
        latency = serialization.read(path, EngineLatency)
        key = row.engine, row.precision
        kept = tuple(each for each in latency.rows if (each.engine, each.precision) != key)
        if kept != latency.rows:
            serialization.write(path, replace(latency, rows=kept))


def _record_export(job: _Job, reason: str) -> None:
    """Write the record of the TensorFlow.js files as that of a format, unless it is there."""
    record, row = job.files.export(job.trial_id).record, None
    if record.exists():
        row = file_formats.of_export(serialization.read(record, ExportResult))
    elif reason:
        row = file_formats.result(job.run, job.result, TFJS, reason, job.model_digest)
    place = job.files.format(job.trial_id, TFJS).record
    if row and place.exists():
        before = serialization.read(place, FormatResult)
        row = None if replace(before, processes=()) == row else row
    if row:
        file_formats.write(job.run, row, job.files.formats(job.trial_id))
