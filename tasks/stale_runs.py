"""Runs that Prefect shows in progress although their process is gone, for `gfr doctor`.

A run is dead if it ran on this machine and no process holds its directory. Runs on other machines
are never judged. Temporary servers that Prefect itself started, for a flow that was called from
Python and killed, are reported too, but not ended.
"""

import socket
import time
from pathlib import Path

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Crashed

from gfr import text
from gfr.config import benchmark_files, loader
from gfr.errors import InputError
from gfr.pipeline.doctor import Check
from gfr.pipeline.run_options import RunOptions
from gfr.storage import locks, paths, run_directory

TIMEOUT_S = 10.0  # for an answer of the server
SETTLE_S = 3.0  # a run tells Prefect how it ended after it lets go of its directory
_FLOW_NAME = "gfr"  # in flows/benchmark.py
_FACTORY = "prefect.server.api.server:create_app"
_TEMPORARY = "PREFECT__SERVER_EPHEMERAL"  # set by Prefect for a temporary server
_DEAD = "note"  # the status of a check of a dead run
_UNFINISHED = (StateType.RUNNING.value, StateType.CANCELLING.value)


def examine(mark_crashed: bool) -> list[Check]:
    """Check unfinished runs on Prefect's server, and mark dead ones Crashed if asked."""
    url = PREFECT_API_URL.value()
    if not url:
        unset = Check("note", "Prefect", "no server configured: PREFECT_API_URL is not set")
        return [unset, *_abandoned_servers()]
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT_S}) as client,
        ):
            checks = [
                _mark(client, run) if mark_crashed and check.status == _DEAD else check
                for run, check in _confirmed(client)
            ]
    except httpx.HTTPError as error:
        reason = str(error).splitlines()[0]
        return [Check("bad", "Prefect", f"{url}: no answer ({reason}). Start it: make server")]
    summary = Check("ok", "Prefect", f"{url}: {text.counted(len(checks), 'unfinished run')}")
    return [summary, *checks, *_abandoned_servers()]


def _abandoned_servers() -> list[Check]:
    """Servers that Prefect started for a flow that was killed; those of `gfr run` end with it."""
    pids = [
        process.pid
        for process in psutil.process_iter(["ppid", "cmdline", "environ"])
        if process.info["ppid"] == 1
        and _FACTORY in (process.info["cmdline"] or ())
        and _TEMPORARY in (process.info["environ"] or ())  # None if it is another user's
    ]
    what = "temporary Prefect server of a killed run. End it"
    return [Check("note", "Prefect", f"process {pid}: {what}: kill {pid}") for pid in pids]


def _confirmed(client: SyncPrefectClient) -> list[tuple[FlowRun, Check]]:
    """Look twice if a run looks dead: one that is starting or ending does so for a moment."""
    before = _unfinished(client)
    dead = {run.id for run, check in before if check.status == _DEAD}
    if not dead:
        return before
    time.sleep(SETTLE_S)
    now = _unfinished(client)
    return [(run, check) for run, check in now if check.status != _DEAD or run.id in dead]


def _unfinished(client: SyncPrefectClient) -> list[tuple[FlowRun, Check]]:
    """Runs that Prefect shows in progress, and what this machine knows of each."""
    flow_runs = client.read_flow_runs(
        flow_filter=FlowFilter.model_validate({"name": {"any_": [_FLOW_NAME]}}),
        flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": _UNFINISHED}}}),
    )
    return [(flow_run, _check(flow_run)) for flow_run in flow_runs]


def _check(run: FlowRun) -> Check:
    status = "ok"
    try:
        run_dir = _run_dir(run)
        holder = locks.holder(run_dir)
    except InputError as error:
        finding = f"its directory is unknown or cannot be locked ({error})"
    else:
        if holder is None:
            finding = f"{run_dir} is not here: run gfr doctor where it is"
        elif holder.is_alive:
            finding = f"a process works in {run_dir}"
        elif holder.host != socket.gethostname():
            finding = f"ran on {holder.host or 'an unknown machine'}: run gfr doctor there"
        else:
            status = _DEAD
            finding = f"no process works in {run_dir}. Tell Prefect: gfr doctor --mark-crashed"
    return Check(status, f"run {run.name}", f"{run.state_name} in Prefect, {finding}")


def _mark(client: SyncPrefectClient, run: FlowRun) -> Check:
    finding = f"no process works in {_run_dir(run)}"
    message = f"{finding}: marked by gfr doctor on {socket.gethostname()}"
    client.set_flow_run_state(run.id, Crashed(message=message), force=True)
    return Check("ok", f"run {run.name}", f"marked Crashed in Prefect, {finding}")


def _run_dir(flow_run: FlowRun) -> Path:
    """The run directory that the flow derives from its parameters and its start time."""
    parameters = flow_run.parameters
    run_id = parameters.get("run_id")
    if run_id is None:
        file = benchmark_files.benchmark_file(parameters.get("benchmark", RunOptions.benchmark))
        run_id = run_directory.new_id(loader.load(file).name, flow_run.expected_start_time)
    reports = paths.directory_or_default(parameters.get("reports"), "reports")
    return run_directory.directory(Path(reports), run_id)
