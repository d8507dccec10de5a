"""What the scripts share: command line, runs of `gfr`, other processes and exit codes."""

import contextlib
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psutil
import typer

from cli import exit_codes
from gfr.storage.paths import ROOT

REGRESSION = exit_codes.REGRESSION  # of a complete run, and of tools/compare.py
TIMEOUT_S = 3600  # of one run or one comparison; a background load lasts no longer

Tests = Annotated[list[str], typer.Argument()]  # of benchmarks/micro
ALL_TESTS = ["benchmarks/micro"]

Ended = subprocess.CompletedProcess[str]


def execute(main: Callable[..., int | None]) -> NoReturn:
    """Call `main` with the options of the command line, and exit with what it returns.

    Its parameters are the options, as in cli/commands; the help text is the module's docstring.
    """

    @functools.wraps(main)
    def command(**options: Any) -> None:
        sys.exit(main(**options))

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(help=sys.modules["__main__"].__doc__)(command)
    sys.exit(exit_codes.call(app))


def run_command(benchmark: str | Path, run_id: str, *more: str | Path) -> list[str]:
    """`gfr run` on synthetic faces, with reports and cache in the working directory.

    An option in `more` replaces the one given here.
    """
    gfr = Path(sys.executable).with_name("gfr")
    words = [gfr, "run", benchmark, "--data", "synthetic", "--weights", "random", "--offline"]
    words += ["--run-id", run_id, "--cache", "cache", "--reports", "reports", *more]
    return list(map(str, words))


def call(title: str, words: list[str], folder: Path, root: Path = ROOT, **variables: str) -> Ended:
    """Run a command with the packages of the clone at `root`, and print how it ended.

    `variables` are set in its environment. The result has its output.
    """
    environment = os.environ | {"PYTHONPATH": str(root)} | variables
    start_s = time.monotonic()
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    took_s = time.monotonic() - start_s
    print(f"{time.strftime('%H:%M:%S')} {title}: exit {done.returncode}, {took_s:.0f} s")
    return done


def conclude(
    title: str, changed: Sequence[Ended], clean: Sequence[Ended], min_caught: float = 1.0
) -> int:
    """Print how many changes were caught and how many runs without one were alarms.

    Returns 1 if less than the share `min_caught` of the changes was caught, if there was an alarm,
    or if anything failed.
    """
    caught = [done.returncode == REGRESSION for done in changed]
    alarms = [done.returncode == REGRESSION for done in clean]
    failed = [done.returncode not in (0, REGRESSION) for done in (*changed, *clean)]
    print(
        f"caught {sum(caught)} of {len(caught)} {title}; {sum(alarms)} alarms in {len(alarms)} "
        f"runs without a change; {sum(failed)} failed"
    )
    return int(sum(caught) < min_caught * len(caught) or any(alarms) or any(failed))


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Living processes with a variable in their environment, without this one."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ", "status"])
        if (process.info["environ"] or {}).get(variable) == value
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid != os.getpid()
    ]


@contextlib.contextmanager
def load_on_odd(number: int) -> Iterator[str]:
    """Keep one core busy inside the block if the number is odd; yields a note for the title."""
    if number % 2 == 0:
        yield ""
        return
    words = ["sh", "-c", f"ulimit -t {TIMEOUT_S}; while :; do :; done"]
    with subprocess.Popen(words) as process:
        try:
            yield ", beside a load"
        finally:
            process.kill()
