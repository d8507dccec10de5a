"""Where the tasks of a run go: threads of this process, Dask or Ray.

In: a setting such as `threads:2`, `dask:tcp://host:8786` or `ray`. Out: Prefect's task runner for
it, and how many parts a feature set is worth there. Nothing else of a run depends on the setting.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from gfr.errors import BadInput
from gfr.measurement import hardware
from gfr.models.feature_store import Part

DEFAULT = "threads"
FORMS = "threads[:N], dask[:N], dask:SCHEDULER, ray[:N], ray:ADDRESS"
_LOCAL_WORKERS = 2  # of a cluster that lives only as long as the run, unless N is given


def make(setting: str) -> TaskRunner[Any]:
    """The task runner; BadInput if there is no such thing or its package is not installed."""
    kind, _, where = setting.partition(":")
    if kind not in _MAKERS:
        raise BadInput(f"runner {setting!r}: unknown; known: {FORMS}")
    try:
        return _MAKERS[kind](setting, where)
    except ImportError as error:
        raise BadInput(
            f"runner {setting!r}: {error.name} is not installed. Install it with "
            f".venv/bin/uv pip install --constraints requirements.lock -e '.[{kind}]'"
        ) from None


def parts() -> tuple[Part, ...]:
    """The parts of each feature set in the current flow run: one a worker."""
    context = FlowRunContext.get()
    num_workers = _COUNTERS.get(type(context.task_runner).__name__, lambda _: 1)
    of = max(1, num_workers(context.task_runner))
    return tuple(Part(number, of) for number in range(1, of + 1))


@contextlib.contextmanager
def api_for(runner: TaskRunner[Any]) -> Iterator[None]:
    """Inside the block workers find the flow's API: without a configured server a temporary one.

    Its address is this machine's loopback: workers elsewhere need PREFECT_API_URL to be set.
    """
    if isinstance(runner, ThreadPoolTaskRunner) or PREFECT_API_URL.value():
        yield
        return
    from prefect.server.api.server import SubprocessASGIServer  # takes a second

    with SubprocessASGIServer() as server, temporary_settings({PREFECT_API_URL: server.api_url}):
        yield
        APILogWorker.drain_all(timeout=5)  # before the server is gone


def _threads(setting: str, where: str) -> TaskRunner[Any]:
    # One heavy step at a time, or one a GPU: gfr.storage.locks sees to it whatever N is.
    return ThreadPoolTaskRunner(
        max_workers=_count(setting, where) if where else max(1, len(hardware.gpu_ids()))
    )


def _dask(setting: str, where: str) -> TaskRunner[Any]:
    from prefect_dask import DaskTaskRunner

    if ":" in where:
        return DaskTaskRunner(address=where)
    num_workers = _count(setting, where) if where else _LOCAL_WORKERS
    local = {"n_workers": num_workers, "threads_per_worker": 1, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=local)


def _ray(setting: str, where: str) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    if where and not where.isdecimal():
        return RayTaskRunner(address=where)
    num_workers = _count(setting, where) if where else _LOCAL_WORKERS
    return RayTaskRunner(init_kwargs={"num_cpus": num_workers, "include_dashboard": False})


def _count(setting: str, where: str) -> int:
    if not where.isdecimal() or not int(where):
        raise BadInput(f"runner {setting!r}: {where!r} is no number of workers; known: {FORMS}")
    return int(where)


def _num_dask_workers(runner: Any) -> int:
    return len(runner.client.scheduler_info(n_workers=-1)["workers"])


def _num_ray_workers(runner: Any) -> int:
    """Machines of a cluster; of a local one its processes."""
    import ray

    if runner.address is None:
        return int(runner.init_kwargs["num_cpus"])
    return sum(node["Alive"] for node in ray.nodes())


_MAKERS: dict[str, Callable[[str, str], TaskRunner[Any]]] = {
    "threads": _threads,
    "dask": _dask,
    "ray": _ray,
}
_COUNTERS: dict[str, Callable[[Any], int]] = {
    "DaskTaskRunner": _num_dask_workers,
    "RayTaskRunner": _num_ray_workers,
}
