"""The flow `gfr`: one benchmark from images to the selected model.

In: names and paths, relative to the project root. Out: the run directory, with the selected trial
in it. No logic, no classes: the stages are in `gfr`, their Prefect names in `tasks`.
"""

from prefect import State, flow
from prefect.states import Completed, Failed, get_state_exception
from prefect.task_runners import ThreadPoolTaskRunner

from gfr import door, results
from gfr.errors import CannotWrite
from tasks.benchmark import (
    extract_features,
    measure_latency,
    prepare,
    select_model,
    train_head,
    write_report,
)


# One heavy step at a time: two TensorFlow jobs on the same cores only slow each other down.
@flow(name="gfr", task_runner=ThreadPoolTaskRunner(max_workers=1))
def gfr(
    benchmark: str = "full",
    data: str = "auto",
    weights: str = "auto",
    run_id: str | None = None,
    fresh: bool = False,
    allow_download: bool = True,
    reports: str = "reports",
    cache: str = "cache",
    command: str = "prefect deployment run gfr/full-benchmark",
) -> State[str]:
    """Run every trial of a benchmark and select the best by validation accuracy.

    Args:
        benchmark: name of a file in benchmarks/, or the path of another one
        data: auto, synthetic, or a directory that holds CelebA
        weights: auto, imagenet, random, or a directory of files under Keras' names
        run_id: names the run; an existing one is continued
        fresh: compute features anew instead of taking them from the cache
        allow_download: let Keras fetch ImageNet weights that are not on this machine
        reports: where runs are written
        cache: where features, drawn faces and random weights are kept
        command: what started this run, for the record
    """
    request = door.request(
        benchmark, data, weights, run_id, fresh, allow_download, reports, cache, command
    )
    run_dir = prepare(request)
    features = {
        feature_set: extract_features.submit(run_dir, feature_set)
        for feature_set in request.benchmark.feature_sets
    }
    heads = {
        trial: train_head.submit(run_dir, trial, wait_for=[features[trial.feature_set]])
        for trial in request.benchmark.trials
    }
    ends = {trial: future.wait() or future.state for trial, future in heads.items()}
    finished = [trial for trial, end in ends.items() if end.is_completed()]
    failed = {trial: end for trial, end in ends.items() if not end.is_completed()}
    for trial, end in failed.items():
        source = features[trial.feature_set].state
        cause = end if source.is_completed() else source
        if isinstance(error := get_state_exception(cause), CannotWrite):
            raise error  # a full disk is no property of a trial
        results.write_failure(run_dir, trial, cause.message)
    timed = [
        measure_latency(run_dir, feature_set, return_state=True)
        for feature_set in dict.fromkeys(trial.feature_set for trial in finished)
    ]
    untimed = [end.message for end in timed if not end.is_completed()]
    select_model(run_dir)
    write_report(run_dir)
    if failed or untimed:
        return Failed(message="; ".join([f"{len(failed)} of {len(ends)} trials failed", *untimed]))
    return Completed(message="all trials finished")
