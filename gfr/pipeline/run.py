"""Run a whole benchmark without Prefect: the same stages as the flow, in one call."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from gfr import environment, errors, progress
from gfr.models import feature_store
from gfr.pipeline import selection, steps
from gfr.pipeline.request import Request, check
from gfr.report import writer
from gfr.results import cleanup, store
from gfr.storage import locks


def run(request: Request, *, isolated: bool = True) -> Path:
    """Run every trial of a benchmark, select one and write the report; returns the run directory.

    A run of the same id is resumed. A trial or a latency measurement that fails is retried, and
    then recorded or left out, as in the flow. Raises InputError for what the user has to fix first
    and StepFailed if the run cannot start.

    Args:
        request: the benchmark, its data and where to write; see `gfr.pipeline.request.request`
        isolated: run each step in a child process; otherwise in this one, which a crash ends. The
            export always runs in child processes, since the converter changes TensorFlow's
            settings for good
    """
    check(request)
    if not isolated:
        environment.prepare()
    limits = dataclasses.replace(request.limits, isolated=isolated)
    request = dataclasses.replace(request, limits=limits)
    with locks.claimed(request.run_dir):
        run_dir = steps.prepare(request, limits)
        _run_trials(request, run_dir)
        selection.select(run_dir)
        steps.judge(run_dir, limits)
        for row in request.benchmark.reference:
            failure = _attempt(steps.evaluate_reference, request, run_dir, row)
            _log_failure(f"reference {row.label}", failure)
        writer.write_report(run_dir)
        if request.benchmark.export.written:
            _log_failure("export", _attempt(steps.export_selected, request, run_dir))
            _log_failure("formats", _attempt(steps.measure_selected, request, run_dir))
            writer.write_report(run_dir)
        if request.options.keep_runs:
            cleanup.remove_old_runs(run_dir, request.options.keep_runs)
    return Path(run_dir)


def _run_trials(request: Request, run_dir: Path) -> None:
    """Compute features, train heads and measure latencies; failures become records."""
    finished = set()
    for feature_set in request.benchmark.feature_sets:
        no_features = _attempt(steps.extract, request, run_dir, feature_set, feature_store.WHOLE)
        for trial in request.benchmark.trials:
            if trial.feature_set != feature_set:
                continue
            if failure := no_features or _attempt(steps.train, request, run_dir, trial):
                store.write_failure(run_dir, trial, failure)
                _log_failure(trial.title, failure)
            else:
                finished.add(feature_set)
    # After all training: nothing else of gfr runs on this machine while a model is timed.
    for feature_set in request.benchmark.feature_sets:
        if feature_set in finished:
            failure = _attempt(steps.time_model, request, run_dir, feature_set)
            _log_failure(f"{feature_set.title}, latency", failure)
            if request.benchmark.latency.engines:
                failure = _attempt(steps.time_engines, request, run_dir, feature_set)
                _log_failure(f"{feature_set.title}, engines", failure)


def _attempt(step: Callable[..., object], request: Request, *arguments: object) -> str:
    """Run a step, again if it failed for no fault of its input; returns why it failed, or ""."""
    failure = ""
    for _ in range(request.options.retries + 1):
        try:
            step(*arguments, request.limits)
            return ""
        except errors.CannotWrite:  # a full disk is not a property of a trial
            raise
        except errors.InputError as error:
            return str(error)
        except errors.StepFailed as error:
            failure = str(error)
    return failure


def _log_failure(title: str, failure: str) -> None:
    if failure:
        progress.LOG.warning("%s failed: %s", title, failure)
