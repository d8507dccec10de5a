"""The stages of gfr as Prefect tasks.

In: functions of `gfr`. Out: the same functions under the names that Prefect shows. No logic here.
Results are files, so Prefect neither caches nor keeps what the stages return.
"""

from functools import partial
from typing import Any

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import get_state_exception

from gfr.errors import BadInput
from gfr.pipeline import selection, steps
from gfr.report import writer
from gfr.results import cleanup
from tasks import seen


def _is_no_bad_input(_task: Any, _run: Any, state: State) -> bool:
    """What the user has to mend fails the same way twice."""
    return not isinstance(get_state_exception(state), BadInput)


_stage = partial(task, cache_policy=NO_CACHE, persist_result=False)
_step = partial(_stage, retry_condition_fn=_is_no_bad_input)

prepare = _stage(name="prepare")(seen.shown(steps.prepare))
extract_features = _step(name="extract-features", task_run_name="{feature_set.title}{part}")(
    seen.shown(steps.extract)
)
train_head = _step(name="train-head", task_run_name="{trial.title}")(seen.shown(steps.train))
measure_latency = _step(name="measure-latency", task_run_name="{feature_set.title}, latency")(
    seen.shown(steps.time_model)
)
select_model = _stage(name="select-model")(selection.select)
judge = _stage(name="judge")(seen.shown(steps.judge))
write_report = _stage(name="write-report")(writer.write_report)
export_model = _step(name="export-model")(seen.shown(steps.export_selected))
show_run = _stage(name="show-run")(seen.show_run)
remove_old_runs = _stage(name="remove-old-runs")(seen.shown(cleanup.remove_old_runs))
