"""The flow `gfr`: one benchmark from images to the selected model.

In: names and paths, relative to the project root. Out: the run directory, with the selected trial
in it, exported for the browser. No logic, no classes: the stages are in `gfr`, their Prefect names
in `tasks`.
"""

import logging
import os
from pathlib import Path

from prefect import State, flow
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, get_state_exception

from flows import runners
from gfr.config import schema
from gfr.errors import CannotWrite
from gfr.pipeline import request as pipeline_request
from gfr.progress import reporter
from gfr.results import store
from gfr.storage import locks, run_directory
from tasks.benchmark import (
    export_model,
    extract_features,
    judge,
    measure_latency,
    prepare,
    remove_old_runs,
    select_model,
    show_run,
    train_head,
    write_report,
)

LOG = logging.getLogger("gfr")


@flow(name="gfr", task_runner=runners.make(os.environ.get("GFR_RUNNER", runners.DEFAULT)))
def gfr(
    benchmark: str = "full",
    data: str = "auto",
    weights: str = "auto",
    run_id: str | None = None,
    fresh: bool = False,
    allow_download: bool = True,
    reports: str | None = None,
    cache: str | None = None,
    command: str = "prefect deployment run gfr/full-benchmark",
    timeout_s: float = 900,
    memory_limit_gb: float | None = None,
    retries: int = 1,
    max_latency_ms: float | None = None,
    max_size_mb: float | None = None,
    keep_runs: int | None = None,
) -> State[str]:
    """Run every trial of a benchmark and select the best by validation accuracy.

    Args:
        benchmark: name of a file in benchmarks/, or the path of another one
        data: auto, synthetic, or a directory that holds CelebA
        weights: auto, imagenet, random, or a directory of files under Keras' names
        run_id: names the run; an existing one is continued; the scheduled start time if not given
        fresh: compute features anew instead of taking them from the cache
        allow_download: let Keras fetch ImageNet weights that are not on this machine
        reports: where runs are written; $GFR_REPORTS or reports if not given
        cache: where features, drawn faces and random weights are kept; $GFR_CACHE or cache if not
            given
        command: what started this run, for the record
        timeout_s: seconds that a step may go without a sign of progress
        memory_limit_gb: what a step may take; nine tenths of the machine if not given
        retries: how often a step that failed is tried again
        max_latency_ms: select among models whose p50 of one image is no longer
        max_size_mb: select among models no larger, parameters in float32
        keep_runs: in the end remove this benchmark's runs but the newest so many; all stay if none
    """
    request = pipeline_request.request(
        benchmark,
        data,
        weights,
        run_id,
        fresh,
        allow_download,
        reports,
        cache,
        command,
        timeout_s,
        memory_limit_gb,
        retries,
        schema.Selecting(max_latency_ms, max_size_mb),
        flow_run.scheduled_start_time,
        keep_runs,
    )
    with locks.claimed(run_directory.directory(Path(request.reports), request.run_id)):
        return _run(request)


def _wait_for(title: str, futures: list[PrefectFuture]) -> State:
    """The state of the last; steps on other machines report no progress here but this."""
    for future in futures:
        future.wait()
    reporter(title)(1, 1)
    return futures[-1].state


def _run(request: pipeline_request.Request) -> State[str]:
    limits, again = request.limits, {"retries": request.retries}
    run_dir = prepare(request, limits)
    features = {
        feature_set: [
            extract_features.with_options(**again).submit(run_dir, feature_set, part, limits)
            for part in runners.parts()
        ]
        for feature_set in request.benchmark.feature_sets
    }
    heads = {
        trial: train_head.with_options(**again).submit(
            run_dir, trial, limits, wait_for=features[trial.feature_set]
        )
        for trial in request.benchmark.trials
    }
    for feature_set, futures in features.items():
        _wait_for(feature_set.title, futures)
    ends = {trial: _wait_for(trial.title, [future]) for trial, future in heads.items()}
    finished = [trial for trial, end in ends.items() if end.is_completed()]
    failed = {trial: end for trial, end in ends.items() if not end.is_completed()}
    for trial, end in failed.items():
        sources = [future.state for future in features[trial.feature_set]]
        cause = next((state for state in sources if not state.is_completed()), end)
        if isinstance(error := get_state_exception(cause), CannotWrite):
            raise error  # a full disk is no property of a trial
        store.write_failure(run_dir, trial, cause.message)
    timed = [
        measure_latency.with_options(**again)(run_dir, feature_set, limits, return_state=True)
        for feature_set in dict.fromkeys(trial.feature_set for trial in finished)
    ]
    select_model(run_dir)
    judge(run_dir, limits)
    LOG.info("report: %s", write_report(run_dir))
    exported = export_model.with_options(**again)(run_dir, limits, return_state=True)
    if request.benchmark.export.precisions:
        write_report(run_dir)
    show_run(run_dir, return_state=True)
    if request.keep_runs:
        remove_old_runs(run_dir, request.keep_runs, return_state=True)
    lacking = [end.message for end in (*timed, exported) if not end.is_completed()]
    if failed or lacking:
        return Failed(message="; ".join([f"{len(failed)} of {len(ends)} trials failed", *lacking]))
    return Completed(message="all trials finished")
