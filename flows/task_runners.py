"""Task runners: whether the steps of a run are threads of this process or go to Dask or Ray.

A setting such as `threads:2`, `dask:tcp://host:8786` or `ray` names one. Results of a run do not
depend on it.
"""

from typing import Any

from prefect.context import FlowRunContext
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from gfr.errors import InputError
from gfr.measurement import hardware
from gfr.models.feature_store import Part

DEFAULT = "threads"
FORMS = "threads[:N], dask[:N], dask:SCHEDULER, ray[:N], ray:ADDRESS"
_LOCAL_WORKERS = 2  # of a cluster for this run alone, unless N is given


def make(setting: str) -> TaskRunner[Any]:
    """The task runner; InputError if it is unknown or its package is not installed."""
    kind, _, where = setting.partition(":")
    if kind not in _MAKERS:
        raise InputError(f"runner {setting!r}: unknown. Known: {FORMS}")
    try:
        return _MAKERS[kind](setting, where)
    except ImportError as error:
        raise InputError(
            f"runner {setting!r}: {error.name} is not installed. Install it with "
            f".venv/bin/uv pip install --constraints requirements.lock -e '.[{kind}]'"
        ) from None


def parts() -> tuple[Part, ...]:
    """The parts of each feature set in the current flow run: one for each worker."""
    runner = FlowRunContext.get().task_runner
    of = 1
    match type(runner).__name__:  # importing their classes would import Dask and Ray
        case "DaskTaskRunner":
            of = len(runner.client.scheduler_info(n_workers=-1)["workers"])
        case "RayTaskRunner":
            import ray

            # The processes of a local cluster, or the machines of another one.
            of = runner.init_kwargs.get("num_cpus") or sum(node["Alive"] for node in ray.nodes())
    of = max(1, of)
    return tuple(Part(number, of) for number in range(1, of + 1))


def _threads(setting: str, where: str) -> TaskRunner[Any]:
    # gfr.storage.locks runs one heavy step at a time, or one for each GPU, whatever N is.
    default = max(1, len(hardware.gpu_ids()))
    return ThreadPoolTaskRunner(max_workers=_num_workers(setting, where, default))


def _dask(setting: str, where: str) -> TaskRunner[Any]:
    from prefect_dask import DaskTaskRunner

    if ":" in where:
        return DaskTaskRunner(address=where)
    num_workers = _num_workers(setting, where)
    local = {"n_workers": num_workers, "threads_per_worker": 1, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=local)


def _ray(setting: str, where: str) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    if where and not where.isdecimal():
        return RayTaskRunner(address=where)
    num_workers = _num_workers(setting, where)
    return RayTaskRunner(init_kwargs={"num_cpus": num_workers, "include_dashboard": False})


def _num_workers(setting: str, where: str, default: int = _LOCAL_WORKERS) -> int:
    if not where:
        return default
    if not where.isdecimal() or not int(where):
        raise InputError(
            f"runner {setting!r}: {where!r} is not a number of workers. Known: {FORMS}"
        )
    return int(where)


_MAKERS = {"threads": _threads, "dask": _dask, "ray": _ray}
