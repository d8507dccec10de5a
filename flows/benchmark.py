"""The flow `gfr`: one benchmark from images to the selected model and its report.

The stages are in `gfr`, their Prefect tasks in `tasks`.
"""

import logging
import os

from prefect import State, flow
from prefect.runtime import flow_run

from flows import lost_server, task_runners
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.run_options import RunOptions
from gfr.storage import locks
from tasks import benchmark as task
from tasks import worker_log
from tasks.outcomes import final_state, finished_trials

LOG = logging.getLogger("gfr")


@flow(
    name="gfr",
    task_runner=task_runners.make(os.environ.get("GFR_RUNNER", task_runners.DEFAULT)),
)
def gfr(
    benchmark: str = RunOptions.benchmark,
    data: str = RunOptions.data,
    weights: str = RunOptions.weights,
    run_id: str | None = RunOptions.run_id,
    fresh: bool = RunOptions.fresh,
    allow_download: bool = RunOptions.allow_download,
    reports: str | None = RunOptions.reports,
    cache: str | None = RunOptions.cache,
    command: str = RunOptions.command,
    timeout_s: float = RunOptions.timeout_s,
    memory_limit_gb: float | None = RunOptions.memory_limit_gb,
    retries: int = RunOptions.retries,
    max_latency_ms: float | None = RunOptions.max_latency_ms,
    max_size_mb: float | None = RunOptions.max_size_mb,
    keep_runs: int | None = RunOptions.keep_runs,
) -> State[str]:
    """Run every trial of a benchmark and select the best on validation.

    Args:
        benchmark: name of a file in benchmarks/, or the path of another TOML file
        data: auto, synthetic, or a path: a CelebA directory, one with a labels.csv, or such a CSV
        weights: auto, imagenet, random, or a directory of files with Keras's standard names
        run_id: name of the run; the id of an existing run resumes it; default: its start time
        fresh: compute features again instead of reading them from the cache
        allow_download: download ImageNet weights that are not on this machine
        reports: directory of the runs; default: $GFR_REPORTS, else reports
        cache: directory of features, synthetic faces and random weights; default: $GFR_CACHE, else
            cache
        command: what started the run, for its record
        timeout_s: seconds a step may run without progress before it is stopped
        memory_limit_gb: memory a step may use; default: 9/10 of what gfr may use
        retries: how often a failed step is retried
        max_latency_ms: select among models whose p50 latency of one image, in the fastest engine
            that times every model, is at most this
        max_size_mb: select among models whose file, in float32, has at most this size
        keep_runs: after the run, remove all but the newest runs of this benchmark; default: none
    """
    options = RunOptions(**locals())  # the parameters have the names of its fields
    request = pipeline_request.request(options, flow_run.scheduled_start_time)
    with locks.claimed(request.run_dir):
        return _run(request)


def _run(request: pipeline_request.Request) -> State[str]:
    benchmark, limits, options = request.benchmark, request.limits, request.options
    steps = (
        *(task.extract_features, task.train_head, task.measure_latency, task.measure_engines),
        *(task.export_model, task.measure_formats),
    )
    extract, train, measure, measure_engines, export, measure_formats = (
        step.with_options(retries=options.retries) for step in steps
    )
    run_dir = task.prepare(request, limits)
    with worker_log.followed(run_dir):
        features = {
            feature_set: [
                extract.submit(run_dir, feature_set, part, limits) for part in task_runners.parts()
            ]
            for feature_set in benchmark.feature_sets
        }
        heads = {
            trial: train.submit(run_dir, trial, limits, wait_for=features[trial.feature_set])
            for trial in benchmark.trials
        }
        finished = finished_trials(run_dir, features, heads)
    timed_steps = [measure, measure_engines] if benchmark.latency.engines else [measure]
    measured = [
        step(run_dir, feature_set, limits, return_state=True)
        for feature_set in dict.fromkeys(trial.feature_set for trial in finished)
        for step in timed_steps
    ]
    task.select_model(run_dir)
    task.judge(run_dir, limits)
    for reference in benchmark.reference:
        task.evaluate_reference(run_dir, reference, limits, return_state=True)
    LOG.info("report: %s", task.write_report(run_dir))
    exported = [export(run_dir, limits, return_state=True)]
    if benchmark.export.written:
        exported.append(measure_formats(run_dir, limits, return_state=True))
        task.write_report(run_dir)
    task.show_run(run_dir, return_state=True)
    if options.keep_runs:
        task.remove_old_runs(run_dir, options.keep_runs, return_state=True)
    lost_server.leave_without()
    return final_state(len(heads), len(finished), [*measured, *exported])
