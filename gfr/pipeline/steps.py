"""The heavy stages, each in a process of its own (gfr/pipeline/isolation.py), in turn with other
runs here.

In: what the stage takes, and Limits. Out: what it returns. Runs where the task runner puts it,
which may be another machine: what is not seen there is refused by name. Imports no TensorFlow: the
processes do.
"""

import time
from functools import partial
from pathlib import Path

from gfr.config.schema import Export, FeatureSet, Trial, WebPrecision
from gfr.errors import StepFailed
from gfr.measurement import hardware
from gfr.models.feature_store import Part
from gfr.pipeline import isolation, shared_storage
from gfr.pipeline.isolation import Limits
from gfr.pipeline.request import Request
from gfr.pipeline.shared_storage import worker
from gfr.regression import check
from gfr.regression.latency_rule import MAX_MEASUREMENTS
from gfr.results import records, store
from gfr.results.export_records import ExportJob, ExportResult
from gfr.results.regression_records import Finding
from gfr.storage import atomic, locks, serialization


def prepare(request: Request, limits: Limits) -> str:
    """See `gfr.pipeline.prepare.prepare`."""
    with locks.unhurried():
        return isolation.call("gfr.pipeline.prepare:prepare", request, limits=limits)


def extract(run_dir: str, feature_set: FeatureSet, part: Part, limits: Limits) -> str:
    """See `gfr.pipeline.features.extract`."""
    return _step(
        "gfr.pipeline.features:extract", run_dir, feature_set, part, worker(), limits=limits
    )


def train(run_dir: str, trial: Trial, limits: Limits) -> str:
    """See `gfr.pipeline.training.train`."""
    return _step("gfr.pipeline.training:train", run_dir, trial, worker(), limits=limits)


def time_model(run_dir: str, feature_set: FeatureSet, limits: Limits) -> str:
    """See `gfr.pipeline.latency.time_model`; nothing else of gfr runs on this machine meanwhile."""
    with locks.timing():
        return isolation.call(
            "gfr.pipeline.latency:time_model", run_dir, feature_set, limits=limits
        )


def judge(run_dir: str, limits: Limits) -> str:
    """Judge a run against its history; what looks worse is done once more before it is an alarm.

    Returns the path of verdict.json.
    """
    run, why = store.read_run(Path(run_dir)), dict[tuple[str, str], str]()
    found = check.look(run)
    for _ in range(MAX_MEASUREMENTS - 1):
        # One more timing serves both precisions of a model.
        suspects = {(row.kind == "accuracy", row.id): row for row in found.of("suspect")}
        for row in suspects.values():
            if failure := _once_more(run, row, limits):
                why[row.kind, row.id] = failure
        found = check.look(run) if suspects else found
    return check.finish(run, found, why)


def _once_more(run: records.Run, finding: Finding, limits: Limits) -> str:
    """Train that head or time that model once more; returns why it failed, or ""."""
    try:
        if finding.kind == "accuracy":
            trial = run.result_of(finding.id).trial
            _step(
                "gfr.pipeline.training:train_again",
                str(run.directory),
                trial,
                worker(),
                limits=limits,
            )
        else:
            feature_set = run.latencies[finding.id].feature_set
            with locks.timing():
                isolation.call(
                    "gfr.pipeline.latency:time_again",
                    str(run.directory),
                    feature_set,
                    limits=limits,
                )
    except StepFailed as error:
        return str(error)
    return ""


def export(
    run_dir: str, trial_id: str | None, precision: WebPrecision | None, limits: Limits
) -> str:
    """Export the selected trial, or the one named; returns the directory.

    In the precision that the rule chooses, or in the one named. An export that is there already is
    kept, unless another precision is named. See gfr/export/saved_model.py: its three stages take a
    process
    each, and only one at a time holds a model.
    """
    run = store.read_run(Path(run_dir))
    trial = run.result_of(trial_id).trial
    path = store.export_directory(run.directory, trial.id)
    if _is_exported(path, precision):
        return str(path)
    precisions = run.record.benchmark.export.precisions or Export().precisions
    if precision and precision not in precisions:
        precisions = (*precisions, precision)
    shared_storage.check(run_dir, worker())
    started_s = time.time()
    with locks.turn(hardware.gpu_ids()) as gpu, atomic.directory(path) as folder:
        job = ExportJob(run.directory, trial.id, precisions, precision, folder, started_s)
        call = partial(isolation.call_alone, limits=limits, gpu=gpu)
        num_parameters = call("gfr.export.saved_model:fuse", run.directory, trial.id, folder)
        call("gfr.export.tfjs:convert", precisions, folder)
        call("gfr.export.validate:examine", job, num_parameters)
    return str(path)


def export_selected(run_dir: str, limits: Limits) -> str:
    """Export the selected trial if the benchmark asks for an export and there is one."""
    run = store.read_run(Path(run_dir))
    if not run.selection or not run.record.benchmark.export.precisions:
        return ""
    return export(run_dir, None, None, limits)


def _is_exported(path: Path, precision: WebPrecision | None) -> bool:
    if not (path / "export.json").exists():
        return False
    return precision in (None, serialization.read(path / "export.json", ExportResult).precision)


def _step(place: str, run_dir: str, *arguments: object, limits: Limits) -> str:
    """A step of this run, on the whole machine or on one of its GPUs."""
    shared_storage.check(run_dir, worker())
    with locks.turn(hardware.gpu_ids()) as gpu:
        return isolation.call(place, run_dir, *arguments, limits=limits, gpu=gpu)
