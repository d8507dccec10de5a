"""What the scripts share: arguments, exit codes, runs of `gfr` and other processes."""

import argparse
import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NoReturn

import psutil

from gfr.errors import InputError
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.options import RunOptions
from gfr.results import records, regression_records, store
from gfr.storage import paths, run_directory
from gfr.storage.paths import ROOT

REGRESSION = regression_records.EXIT_CODE  # of a complete run, and of tools/compare.py
TIMEOUT_S = 3600  # of one run or one comparison; a background load lasts no longer
_LOAD = f"""
import resource
resource.setrlimit(resource.RLIMIT_CPU, ({TIMEOUT_S}, {TIMEOUT_S}))
while True: pass
"""


def execute(main: Callable[[], int | None]) -> NoReturn:
    """Exit with what `main` returns; InputError is one line and exit code 2."""
    try:
        sys.exit(main())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose description is the first line of a module's docstring."""
    return argparse.ArgumentParser(description=(doc or "").splitlines()[0])


def run_parser(doc: str | None) -> argparse.ArgumentParser:
    """The same with arguments that name a finished run."""
    with_run = parser(doc)
    with_run.add_argument("run", nargs="?", help="a run id; the newest finished run if not given")
    reports = Path(paths.default_directory("reports"))
    with_run.add_argument("--reports", type=Path, default=reports)
    return with_run


def read_run(arguments: argparse.Namespace) -> records.Run:
    """The run that such arguments name."""
    return store.read_run(run_directory.find(arguments.reports, arguments.run))


def run_command(benchmark: str | Path, run_id: str, *more: str | Path) -> list[str]:
    """`gfr run` on synthetic faces, with reports and cache in the working directory.

    An option in `more` replaces the one given here.
    """
    gfr = Path(sys.executable).with_name("gfr")
    words = [gfr, "run", benchmark, "--data", "synthetic", "--weights", "random", "--offline"]
    words += ["--run-id", run_id, "--cache", "cache", "--reports", "reports", *more]
    return list(map(str, words))


def request(benchmark: str | Path, folder: Path, **options: Any) -> pipeline_request.Request:
    """The same run for `gfr.pipeline.run`, with reports and cache below a folder.

    `options` are fields of `RunOptions` that replace those given here.
    """
    defaults = RunOptions(
        benchmark=str(benchmark),
        data="synthetic",
        weights="random",
        run_id="run",
        allow_download=False,
        reports=str(folder / "reports"),
        cache=str(folder / "cache"),
        command=f"gfr run {benchmark}",
        timeout_s=TIMEOUT_S,
        retries=0,
    )
    return pipeline_request.request(dataclasses.replace(defaults, **options))


def environment(root: Path = ROOT, **variables: str) -> dict[str, str]:
    """This process's environment, but with the packages of the clone at `root`."""
    return os.environ | {"PYTHONPATH": str(root)} | variables


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Living processes with a variable in their environment, without this one."""
    processes = []
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.Error):
            if (
                process.pid != os.getpid()
                and process.environ().get(variable) == value
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                processes.append(process)
    return processes


def in_new_process(function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function of a module in a process that has imported nothing yet."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def prefect_server(folder: Path) -> Any:
    """A running Prefect server with its database below a folder; that of the tests."""
    sys.path.append(str(ROOT / "tests"))
    from processes import Server

    return Server(folder)


@contextlib.contextmanager
def background_load(is_loaded: bool = True) -> Iterator[None]:
    """Keep one core busy inside the block, if `is_loaded`."""
    if not is_loaded:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", _LOAD])
    try:
        yield
    finally:
        process.kill()
        process.wait()
