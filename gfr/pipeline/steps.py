"""The heavy stages, each in a child process (gfr/pipeline/isolation.py) that waits for its turn
here.

A step runs where the task runner puts it, possibly on another machine, which must see the run's
files (gfr/pipeline/shared_storage.py). Does not import TensorFlow: the child processes do.
"""

from pathlib import Path

from gfr.config.references import Reference
from gfr.config.schema import TFJS, FeatureSet, Trial, WebPrecision
from gfr.errors import StepFailed
from gfr.measurement import hardware
from gfr.models.feature_store import Part
from gfr.pipeline import engine_latency, isolation, references, shared_storage
from gfr.pipeline.formats import measuring, writing
from gfr.pipeline.request import Request
from gfr.regression import check, latency_rule
from gfr.results import records, regression_records, store
from gfr.storage import locks, run_directory


def prepare(request: Request, limits: isolation.Limits) -> Path:
    """See `gfr.pipeline.prepare.prepare`."""
    with locks.unhurried():
        return isolation.call("gfr.pipeline.prepare:prepare", request, limits=limits)


def extract(run_dir: Path, feature_set: FeatureSet, part: Part, limits: isolation.Limits) -> Path:
    """See `gfr.pipeline.features.extract`."""
    return _step("gfr.pipeline.features:extract", run_dir, feature_set, part, limits=limits)


def train(run_dir: Path, trial: Trial, limits: isolation.Limits) -> Path:
    """See `gfr.pipeline.training.train`."""
    return _step("gfr.pipeline.training:train", run_dir, trial, limits=limits)


def time_model(run_dir: Path, feature_set: FeatureSet, limits: isolation.Limits) -> Path:
    """See `gfr.pipeline.latency.time_model`; nothing else of gfr runs on this machine meanwhile."""
    return _timed("gfr.pipeline.latency:time_model", run_dir, feature_set, limits)


def time_engines(run_dir: Path, feature_set: FeatureSet, limits: isolation.Limits) -> Path:
    """See `gfr.pipeline.engine_latency.time_engines`; nothing else of gfr runs meanwhile."""
    with locks.timing():
        plan = engine_latency.plan(store.read_run(run_dir), feature_set)
        return engine_latency.time_engines(plan, limits)


def evaluate_reference(run_dir: Path, reference: Reference, limits: isolation.Limits) -> Path:
    """See `gfr.pipeline.references.evaluate`; a reference that fails is a record."""
    return references.evaluate(run_dir, reference, limits)


def judge(run_dir: Path, limits: isolation.Limits) -> Path:
    """Check a run against its history, repeating what looks worse; return the verdict's path."""
    run, why = store.read_run(run_dir), dict[tuple[str, str], str]()
    verdict = check.look(run)
    for _ in range(latency_rule.MAX_MEASUREMENTS - 1):
        # One more timing serves both precisions of a model, and one in turn all its engines.
        suspects = {(row.kind == "accuracy", row.id): row for row in verdict.of("suspect")}
        for row in suspects.values():
            if failure := _repeat(run, row, limits):
                why[row.kind, row.id] = failure
        verdict = check.look(run) if suspects else verdict
    return check.finish(run, verdict, why)


def _repeat(run: records.Run, finding: regression_records.Finding, limits: isolation.Limits) -> str:
    """Train that head or time that model again; return why it failed, or ""."""
    try:
        if finding.kind == "accuracy":
            trial = run.result_of(finding.id).trial
            _step("gfr.pipeline.training:train_again", run.directory, trial, limits=limits)
        elif finding.id in run.latencies:
            feature_set = run.latencies[finding.id].feature_set
            _timed("gfr.pipeline.latency:time_again", run.directory, feature_set, limits)
        else:
            measured = run.engine_latencies[finding.id.removeprefix("engines/")]
            with locks.timing():
                engine_latency.time_again(run, measured.feature_set, limits)
    except StepFailed as error:
        return str(error)
    return ""


def export(
    run_dir: Path, trial_id: str | None, precision: WebPrecision | None, limits: isolation.Limits
) -> Path:
    """Export a trial to TensorFlow.js alone; see `export_formats`. Return the directory."""
    failures = export_formats(run_dir, trial_id, (TFJS,), precision, limits)
    if failures:
        raise StepFailed(failures[TFJS])
    return place_of(run_dir, trial_id, TFJS)


def place_of(run_dir: Path, trial_id: str | None, name: str) -> Path:
    """Return the directory of a trial's model in a format, the selected trial unless named."""
    trial = store.read_run(run_dir).result_of(trial_id).trial
    files = run_directory.RunDirectory(run_dir)
    return files.export(trial.id).path if name == TFJS else files.format(trial.id, name).path


def export_formats(
    run_dir: Path,
    trial_id: str | None,
    names: tuple[str, ...],
    precision: WebPrecision | None,
    limits: isolation.Limits,
) -> dict[str, str]:
    """See `gfr.pipeline.formats.writing.export`; file formats are measured as well."""
    failures = writing.export(run_dir, trial_id, names, precision, limits)
    if set(names) - {TFJS}:
        measuring.measure(run_dir, trial_id, limits)
    return failures


def export_selected(run_dir: Path, limits: isolation.Limits) -> None:
    """Write the formats of the benchmark for the selected trial, if there is one.

    StepFailed if TensorFlow.js fails; other formats are recorded with the reason.
    """
    run = store.read_run(run_dir)
    names = run.record.benchmark.export.written
    if run.selection and names:
        failures = writing.export(run_dir, None, names, None, limits)
        if TFJS in failures:
            raise StepFailed(failures[TFJS])


def measure_selected(run_dir: Path, limits: isolation.Limits) -> None:
    """Measure the formats of the selected trial, if there is one."""
    run = store.read_run(run_dir)
    if run.selection and run.record.benchmark.export.written:
        measuring.measure(run_dir, None, limits)


def _step(place: str, run_dir: Path, *arguments: object, limits: isolation.Limits) -> Path:
    """Run a step of this run on the whole machine or on one of its GPUs."""
    name = shared_storage.worker()
    shared_storage.check(run_dir, name)
    with locks.turn(hardware.gpu_ids()) as gpu:
        return isolation.call(place, run_dir, *arguments, name, limits=limits, gpu=gpu)


def _timed(place: str, run_dir: Path, feature_set: FeatureSet, limits: isolation.Limits) -> Path:
    """Run a measurement while nothing else of gfr runs on this machine."""
    with locks.timing():
        return isolation.call(place, run_dir, feature_set, limits=limits)
