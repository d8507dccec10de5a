"""Run a step in a child process so that a crash fails only that step.

Its log records are handled here as if they were written here. A process that crashes, hangs or
takes too much memory raises StepFailed with the reason. Processes are kept for the next step,
because importing TensorFlow takes seconds; they end with their parent, however that ends.
"""

import atexit
import contextlib
import dataclasses
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from typing import Any

import psutil

from gfr.errors import InputError, StepFailed
from gfr.pipeline.worker import answer

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
    memory_bytes: int = int(0.9 * psutil.virtual_memory().total)
    isolated: bool = True

    @classmethod
    def checked(cls, timeout_s: float, memory_limit_gb: float | None) -> "Limits":
        """Validate limits; None is nine tenths of the memory. InputError if out of range."""
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
        return _value(*answer(place, arguments))
    worker = _idle_or_new(gpu)
    try:
        value = worker.call(place, arguments, limits)
    except BaseException:
        worker.close()
        raise
    with _IDLE_LOCK:
        _IDLE.append(worker)
    return value


def call_alone(place: str, *arguments: object, limits: Limits, gpu: str | None = None) -> Any:
    """Call it in a new process that ends with the call, with no idle process beside it.

    For calls that need much memory or must not see state of an earlier call.
    """
    end_idle()
    try:
        return call(place, *arguments, limits=dataclasses.replace(limits, isolated=True), gpu=gpu)
    finally:
        end_idle()


class _Worker:
    """A running `gfr.pipeline.worker` and the connection to it."""

    def __init__(self, gpu: str | None) -> None:
        self.gpu = gpu
        self.connection, theirs = Pipe()
        self.words = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        parent, module = str(os.getpid()), "gfr.pipeline.worker"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(theirs.fileno()), parent],
            env=os.environ | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.words,
            stderr=self.words,
        )
        theirs.close()

    def call(self, place: str, arguments: tuple, limits: Limits) -> Any:
        """See `gfr.pipeline.isolation.call`."""
        try:
            self.connection.send((place, arguments))
            return _value(*self._answer(limits))
        except (EOFError, OSError):
            raise StepFailed(f"its process {self._end()}") from None

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
                used_gb, limit_gb = watched.memory_info().rss / 1e9, limits.memory_bytes / 1e9
                if used_gb > limit_gb:
                    raise StepFailed(
                        f"took {used_gb:.1f} GB of memory, more than the limit of {limit_gb:.1f} GB"
                    )
            if time.monotonic() - last_s > limits.silence_s:
                raise StepFailed(f"no sign of life for {limits.silence_s:g} s")

    def _end(self) -> str:
        """Describe how the process ended, and the end of its output."""
        code = self.process.wait()
        how = f"ended with {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self.words.seek(0)
        lines = self.words.read().decode("utf-8", "replace").splitlines()
        output = " ".join(line for line in lines if not _STARTUP_LINES.match(line))
        last_words = " ".join(output[-_LAST_WORDS:].split())
        return f"{how}: {last_words}" if last_words else how

    def close(self) -> None:
        """Kill the process."""
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self.words.close()


def _value(kind: str, value: Any) -> Any:
    """What a step returned, or the error that it raised; see `gfr.pipeline.worker.answer`."""
    if kind == "failed":
        raise value
    return value


_IDLE: list[_Worker] = []

_IDLE_LOCK = threading.Lock()


def _idle_or_new(gpu: str | None) -> _Worker:
    with _IDLE_LOCK:
        for worker in _IDLE:
            if worker.gpu == gpu:
                _IDLE.remove(worker)
                return worker
    return _Worker(gpu)


@atexit.register
def end_idle() -> None:
    """End the processes kept for a next step."""
    with _IDLE_LOCK:
        for worker in _IDLE:
            # An idle process then ends by itself, so that TensorFlow deletes its temporary files.
            worker.connection.close()
        while _IDLE:
            worker = _IDLE.pop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(_LEAVE_WITHIN_S)
            worker.close()
