"""The stages of gfr as Prefect tasks.

In: functions of `gfr`. Out: the same functions under the names that Prefect shows. No logic here.
Results are files, so Prefect neither caches nor keeps what the stages return.
"""

from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE

from gfr import door, publish, stages, timing

_stage = partial(task, cache_policy=NO_CACHE, persist_result=False)

prepare = _stage(name="prepare")(door.prepare)
extract_features = _stage(name="extract-features", task_run_name="{feature_set.title}")(
    stages.extract
)
train_head = _stage(name="train-head", task_run_name="{trial.title}")(stages.train)
measure_latency = _stage(name="measure-latency", task_run_name="{feature_set.title}, latency")(
    timing.time_model
)
select_model = _stage(name="select-model")(stages.select)
write_report = _stage(name="write-report")(publish.write_report)
