"""Runs that Prefect shows in progress although their process is gone, for `gfr doctor`.

A run is dead if it ran on this machine and no process holds its directory. Runs on other machines
are never judged. Servers that killed runs have left behind are reported too, but not ended.
"""

import contextlib
import os
import socket
import time
from dataclasses import dataclass
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
from gfr.pipeline.options import RunOptions
from gfr.storage import locks, paths, run_directory

TIMEOUT_S = 10.0  # for an answer of the server
SETTLE_S = 3.0  # a run tells Prefect how it ended after it lets go of its directory
_FLOW_NAME = "gfr"  # in flows/benchmark.py
_FACTORY = "prefect.server.api.server:create_app"
_TEMPORARY = "PREFECT__SERVER_EPHEMERAL"  # set by Prefect for a temporary server
_UNFINISHED = (StateType.RUNNING.value, StateType.CANCELLING.value)


@dataclass(frozen=True)
class _Unfinished:
    """A run that Prefect shows in progress, and what this machine knows of it."""

    flow_run: FlowRun
    is_dead: bool
    finding: str


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
            unfinished = _confirmed(client)
            checks = [
                _mark(client, run) if mark_crashed and run.is_dead else _check(run)
                for run in unfinished
            ]
    except httpx.HTTPError as error:
        reason = str(error).splitlines()[0]
        return [Check("bad", "Prefect", f"{url}: no answer ({reason}). Start it: make server")]
    summary = Check("ok", "Prefect", f"{url}: {text.counted(len(unfinished), 'unfinished run')}")
    return [summary, *checks, *_abandoned_servers()]


def _abandoned_servers() -> list[Check]:
    """Temporary servers of Prefect whose run was killed with SIGKILL, which cannot end them."""
    pids = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            is_orphan = process.uids().real == os.getuid() and process.ppid() == 1
            if is_orphan and _FACTORY in process.cmdline() and _TEMPORARY in process.environ():
                pids.append(process.pid)
    what = "temporary Prefect server of a killed run. End it"
    return [Check("note", "Prefect", f"process {pid}: {what}: kill {pid}") for pid in pids]


def _confirmed(client: SyncPrefectClient) -> list[_Unfinished]:
    """Look twice if a run looks dead: one that is starting or ending does so for a moment."""
    before = _unfinished(client)
    dead = {run.flow_run.id for run in before if run.is_dead}
    if not dead:
        return before
    time.sleep(SETTLE_S)
    now = _unfinished(client)
    return [run for run in now if not run.is_dead or run.flow_run.id in dead]


def _unfinished(client: SyncPrefectClient) -> list[_Unfinished]:
    flow_runs = client.read_flow_runs(
        flow_filter=FlowFilter.model_validate({"name": {"any_": [_FLOW_NAME]}}),
        flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": _UNFINISHED}}}),
    )
    return [_look(flow_run) for flow_run in flow_runs]


def _look(flow_run: FlowRun) -> _Unfinished:
    try:
        run_dir = _run_dir(flow_run)
    except InputError as error:
        return _Unfinished(flow_run, False, f"its directory is unknown ({error})")
    holder = locks.holder(run_dir)
    if holder is None:
        return _Unfinished(flow_run, False, f"{run_dir} is not here: run gfr doctor where it is")
    if holder.is_alive:
        return _Unfinished(flow_run, False, f"a process works in {run_dir}")
    if holder.host != socket.gethostname():
        place = holder.host or "an unknown machine"
        return _Unfinished(flow_run, False, f"ran on {place}: run gfr doctor there")
    return _Unfinished(flow_run, True, f"no process works in {run_dir}")


def _run_dir(flow_run: FlowRun) -> Path:
    """The run directory that the flow derives from its parameters and its start time."""
    parameters = flow_run.parameters
    run_id = parameters.get("run_id")
    if run_id is None:
        file = benchmark_files.benchmark_file(parameters.get("benchmark", RunOptions.benchmark))
        run_id = run_directory.new_id(loader.load(file).name, flow_run.expected_start_time)
    reports = paths.directory_or_default(parameters.get("reports"), "reports")
    return run_directory.directory(Path(reports), run_id)


def _check(run: _Unfinished) -> Check:
    cure = ". Tell Prefect: gfr doctor --mark-crashed" if run.is_dead else ""
    finding = f"{run.flow_run.state_name} in Prefect, {run.finding}{cure}"
    return Check("note" if run.is_dead else "ok", f"run {run.flow_run.name}", finding)


def _mark(client: SyncPrefectClient, run: _Unfinished) -> Check:
    message = f"{run.finding}: marked by gfr doctor on {socket.gethostname()}"
    client.set_flow_run_state(run.flow_run.id, Crashed(message=message), force=True)
    return Check("ok", f"run {run.flow_run.name}", f"marked Crashed in Prefect, {run.finding}")
