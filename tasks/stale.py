"""Which runs does Prefect believe in progress although their process is dead?

In: the flow, and Prefect's server if one is configured. Out: one Check a run that has not ended;
dead ones are marked Crashed if asked for. Dead is what ran on this machine and whose directory no
process holds. Also one a server that a killed run has left. Never starts or ends a server, never
judges what runs on another machine.
"""

import contextlib
import inspect
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Crashed

from gfr.config import benchmark_files, loader
from gfr.errors import BadInput
from gfr.pipeline.doctor import Check
from gfr.storage import locks, paths, run_directory

ANSWER_S = 10.0  # how long the server may take for an answer
SETTLE_S = 3.0  # between letting go of its directory and telling Prefect how it ended
_FACTORY = "prefect.server.api.server:create_app"
_TEMPORARY = "PREFECT__SERVER_EPHEMERAL"  # in the environment that Prefect gives such a server
_NOT_ENDED = (StateType.RUNNING.value, StateType.CANCELLING.value)


@dataclass(frozen=True)
class _Unfinished:
    """A run that Prefect believes in progress, and what is to be seen of it here."""

    flow_run: FlowRun
    is_dead: bool
    finding: str


def examine(flow: Flow, mark: bool) -> list[Check]:
    """What Prefect's server says of this flow's runs that have not ended; servers left behind."""
    url = PREFECT_API_URL.value()
    if not url:
        none = Check("note", "Prefect", "no server configured: PREFECT_API_URL is not set")
        return [none, *_left_behind()]
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": ANSWER_S}) as client,
        ):
            found = _look_twice(client, flow)
            checks = [_mark(client, row) if mark and row.is_dead else _check(row) for row in found]
    except httpx.HTTPError as error:
        why = str(error).splitlines()[0]
        return [Check("bad", "Prefect", f"{url} gives no answer ({why})")]
    return [Check("ok", "Prefect", f"{url}, {len(found)} runs not ended"), *checks, *_left_behind()]


def _left_behind() -> list[Check]:
    """Prefect's temporary servers whose run was killed with SIGKILL, which it cannot pass on."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            is_ours = process.uids().real == os.getuid() and process.ppid() == 1
            if is_ours and _FACTORY in process.cmdline() and _TEMPORARY in process.environ():
                found.append(process.pid)
    why = "Prefect's temporary server of a run that was killed; end it"
    return [Check("note", "Prefect", f"process {pid}: {why}: kill {pid}") for pid in found]


def _look_twice(client: SyncPrefectClient, flow: Flow) -> list[_Unfinished]:
    """A run that has just begun or is about to end looks dead for a moment."""
    found = _look(client, flow)
    if any(row.is_dead for row in found):
        time.sleep(SETTLE_S)
        dead = {row.flow_run.id for row in found if row.is_dead}
        found = _look(client, flow)
        return [row for row in found if not row.is_dead or row.flow_run.id in dead]
    return found


def _look(client: SyncPrefectClient, flow: Flow) -> list[_Unfinished]:
    flow_runs = client.read_flow_runs(
        flow_filter=FlowFilter.model_validate({"name": {"any_": [flow.name]}}),
        flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": _NOT_ENDED}}}),
    )
    return [_judge(flow_run, flow) for flow_run in flow_runs]


def _judge(flow_run: FlowRun, flow: Flow) -> _Unfinished:
    try:
        run_dir = _run_dir(flow_run, flow)
    except BadInput as error:
        return _Unfinished(flow_run, False, f"cannot tell where it runs ({error})")
    holder = locks.holder(run_dir)
    if holder is None:
        return _Unfinished(flow_run, False, f"{run_dir} is not here: ask in the clone that runs it")
    if holder.is_alive:
        return _Unfinished(flow_run, False, f"{run_dir} is being worked in")
    if holder.host != socket.gethostname():
        return _Unfinished(flow_run, False, f"ran on {holder.host or '?'}: `gfr doctor` there")
    return _Unfinished(flow_run, True, f"no process works in {run_dir}")


def _run_dir(flow_run: FlowRun, flow: Flow) -> Path:
    """The directory that the flow itself would take: defaults, given parameters, start time."""
    defaults = {name: row.default for name, row in inspect.signature(flow.fn).parameters.items()}
    given = defaults | flow_run.parameters
    run_id = given["run_id"]
    if run_id is None:
        name = loader.load(benchmark_files.benchmark_file(given["benchmark"])).name
        run_id = run_directory.new_id(name, flow_run.expected_start_time)
    return run_directory.directory(
        Path(paths.directory_or_default(given["reports"], "reports")), run_id
    )


def _check(row: _Unfinished) -> Check:
    cure = "; `gfr doctor --mark-crashed` tells Prefect" if row.is_dead else ""
    status = "note" if row.is_dead else "ok"
    subject = f"run {row.flow_run.name}"
    return Check(status, subject, f"{row.flow_run.state_name} in Prefect, {row.finding}{cure}")


def _mark(client: SyncPrefectClient, row: _Unfinished) -> Check:
    message = f"{row.finding}: marked by gfr doctor on {socket.gethostname()}"
    client.set_flow_run_state(row.flow_run.id, Crashed(message=message), force=True)
    return Check("ok", f"run {row.flow_run.name}", f"marked Crashed in Prefect, {row.finding}")
