"""The stages of gfr as Prefect tasks, under the names that Prefect shows.

Results are files, so Prefect neither caches nor stores what the stages return.
"""

from functools import partial
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import get_state_exception

from gfr.errors import InputError
from gfr.pipeline import selection, steps
from gfr.report import writer
from gfr.results import cleanup
from tasks.artifacts import publish_run, with_progress
from tasks.worker_log import sent_to_flow


def _can_be_retried(_task: Any, _run: Any, state: State) -> bool:
    """Bad input fails the same way twice."""
    return not isinstance(get_state_exception(state), InputError)


_stage = partial(task, cache_policy=NO_CACHE, persist_result=False)
_step = partial(_stage, retry_condition_fn=_can_be_retried)

prepare = _stage(name="prepare")(with_progress(steps.prepare))
extract_features = _step(name="extract-features", task_run_name="{feature_set.title}{part}")(
    with_progress(sent_to_flow(steps.extract))
)
train_head = _step(name="train-head", task_run_name="{trial.title}")(
    with_progress(sent_to_flow(steps.train))
)
measure_latency = _step(name="measure-latency", task_run_name="{feature_set.title}, latency")(
    with_progress(steps.time_model)
)
measure_engines = _step(name="measure-engines", task_run_name="{feature_set.title}, engines")(
    with_progress(steps.time_engines)
)
select_model = _stage(name="select-model")(selection.select)
evaluate_reference = _stage(
    name="evaluate-reference", task_run_name="{reference.label}, reference"
)(with_progress(steps.evaluate_reference))
judge = _stage(name="judge")(with_progress(steps.judge))
write_report = _stage(name="write-report")(writer.write_report)
export_model = _step(name="export-model")(with_progress(steps.export_selected))
measure_formats = _step(name="measure-formats")(with_progress(steps.measure_selected))
show_run = _stage(name="show-run")(publish_run)
remove_old_runs = _stage(name="remove-old-runs")(with_progress(cleanup.remove_old_runs))
