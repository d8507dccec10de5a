"""Run a step in a child process so that a crash fails only that step.

Its log records are handled here as if they were written here. A process that crashes, hangs or
takes too much memory raises StepFailed with the reason. Processes are kept for the next step,
because importing TensorFlow takes seconds; they end with their parent, however that ends.
"""

import atexit
import contextlib
import functools
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Pipe
from multiprocessing.pool import ThreadPool
from typing import Any

import psutil

from gfr.errors import InputError, StepFailed
from gfr.measurement import allowance
from gfr.pipeline import worker as worker_process

_LOOK_EVERY_S = 0.2

_LEAVE_WITHIN_S = 10  # an idle process may take so long to end

_LAST_WORDS = 400  # characters of the output of a crashed process

# TensorFlow writes these at every start, whatever its log level; they explain no crash.
_STARTUP_LINES = re.compile(r"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} ")


@dataclass(frozen=True)
class Limits:
    """The limits at which a step's process is ended.

    `silence_s`: seconds without a log record or progress; `memory_bytes`: resident size. Without
    `isolated` there are none: the step runs in the calling process.
    """

    silence_s: float = 900.0
    memory_bytes: int = int(0.9 * allowance.memory().total_bytes)
    isolated: bool = True

    @classmethod
    def checked(cls, timeout_s: float, memory_limit_gb: float | None) -> "Limits":
        """Validate limits; None is 90% of the memory available. InputError if out of range."""
        if not timeout_s > 0:
            raise InputError(f"timeout {timeout_s:g}: seconds without progress must be above 0")
        if memory_limit_gb is None:
            return cls(timeout_s)
        if not memory_limit_gb >= 1:
            raise InputError(f"memory limit {memory_limit_gb:g}: TensorFlow alone takes 1 GB")
        return cls(timeout_s, int(1e9 * memory_limit_gb))


def call(place: str, *arguments: object, limits: Limits, gpu: str | None = None) -> Any:
    """Call `place`, "module:function", with picklable arguments in a child process.

    With `gpu` the child sees that one alone. InputError raised there is raised here; any other end
    than returning is StepFailed. Called in this process if the limits say so.
    """
    if not limits.isolated:
        return worker_process.run(place, arguments)
    with _worker(gpu) as worker:
        return worker.call(place, arguments, limits)


def call_alone(place: str, *arguments: object, limits: Limits, gpu: str | None = None) -> Any:
    """Call it in a new process that ends with the call, with no idle process beside it.

    For calls that need much memory or must not see state of an earlier call.
    """
    end_idle()
    try:
        return call(place, *arguments, limits=replace(limits, isolated=True), gpu=gpu)
    finally:
        end_idle()


class _Worker:
    """A running `gfr.pipeline.worker` and the connection to it."""

    def __init__(self, gpu: str | None) -> None:
        self.gpu = gpu
        self.connection, theirs = Pipe()
        self.output = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        descriptor = theirs.fileno()
        module = worker_process.__name__
        command = [sys.executable, "-P", "-m", module, str(descriptor), str(os.getpid())]
        options = {
            "env": os.environ | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}),
            "pass_fds": [descriptor],
            "stdin": subprocess.DEVNULL,
            "stdout": self.output,
            "stderr": self.output,
        }
        self.process = _starter().apply(subprocess.Popen, (command,), options)
        theirs.close()

    def call(self, place: str, arguments: tuple, limits: Limits) -> Any:
        """See `gfr.pipeline.isolation.call`."""
        try:
            self.connection.send((place, arguments))
            kind, value = self._answer(limits)
        except (EOFError, OSError):
            raise StepFailed(f"its process {self._end()}") from None
        if kind == "failed":
            raise value
        return value

    def _answer(self, limits: Limits) -> tuple[str, Any]:
        watched = psutil.Process(self.process.pid)
        last_s = time.monotonic()
        while True:
            if self.connection.poll(_LOOK_EVERY_S):
                last_s = time.monotonic()
                kind, value = self.connection.recv()
                if kind != "log":
                    return kind, value
                logger = logging.getLogger(value.name)
                if logger.isEnabledFor(value.levelno):
                    logger.handle(value)
            with contextlib.suppress(psutil.Error):  # it has ended: poll says so next
                used_bytes = watched.memory_info().rss
                if used_bytes > limits.memory_bytes:
                    raise StepFailed(
                        f"took {used_bytes / 1e9:.1f} GB of memory, "
                        f"more than the limit of {limits.memory_bytes / 1e9:.1f} GB"
                    )
            if time.monotonic() - last_s > limits.silence_s:
                raise StepFailed(f"no progress for {limits.silence_s:g} s")

    def _end(self) -> str:
        """Describe how the process ended, and the end of its output."""
        code = self.process.wait()
        how = f"ended with {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self.output.seek(0)
        lines = self.output.read().decode("utf-8", "replace").splitlines()
        output = " ".join(line for line in lines if not _STARTUP_LINES.match(line))
        last_words = " ".join(output[-_LAST_WORDS:].split())
        return f"{how}: {last_words}" if last_words else how

    def leave(self) -> None:
        """Close the connection, on which an idle process ends by itself.

        So TensorFlow deletes its temporary files.
        """
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_LEAVE_WITHIN_S)
        self.close()

    def close(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.output.close()


@functools.cache
def _starter() -> ThreadPool:
    """Return the thread that starts processes, which lives as long as this process.

    Linux ends a child with the thread, not with the process, that started it. The thread is a
    daemon; one that Python joins before exit handlers would take the child from `end_idle`.
    """
    return ThreadPool(1)


_IDLE: list[_Worker] = []

_IDLE_LOCK = threading.Lock()


@contextlib.contextmanager
def _worker(gpu: str | None) -> Iterator[_Worker]:
    """Yield an idle process or a new one; keep it if the block succeeds."""
    with _IDLE_LOCK:
        worker = next((row for row in _IDLE if row.gpu == gpu), None)
        if worker:
            _IDLE.remove(worker)
    worker = worker or _Worker(gpu)
    try:
        yield worker
    except BaseException:
        worker.close()
        raise
    with _IDLE_LOCK:
        _IDLE.append(worker)


def end_idle() -> None:
    """End the processes kept for a next step."""
    with _IDLE_LOCK:
        for worker in _IDLE:
            worker.connection.close()  # all first: each takes a moment to end
        while _IDLE:
            _IDLE.pop().leave()


@atexit.register
def _end_all() -> None:
    end_idle()
    if _starter.cache_info().currsize:
        _starter().terminate()
