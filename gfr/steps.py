"""The heavy stages, each in a process of its own (gfr/isolation.py), in turn with other runs here.

In: what the stage takes, and Limits. Out: what it returns. Runs where the task runner puts it,
which may be another machine: what is not seen there is refused by name. Imports no TensorFlow: the
processes do.
"""

import os
import socket

from gfr import hardware, isolation, machine, shared
from gfr.door import Request
from gfr.isolation import Limits
from gfr.shards import Part
from gfr.spec import FeatureSet, Trial


def prepare(request: Request, limits: Limits) -> str:
    """See `gfr.door.prepare`."""
    with machine.unhurried():
        return isolation.call("gfr.door:prepare", request, limits=limits)


def extract(run_dir: str, feature_set: FeatureSet, part: Part, limits: Limits) -> str:
    """See `gfr.stages.extract`."""
    return _step("gfr.stages:extract", run_dir, feature_set, part, worker(), limits=limits)


def train(run_dir: str, trial: Trial, limits: Limits) -> str:
    """See `gfr.stages.train`."""
    return _step("gfr.stages:train", run_dir, trial, worker(), limits=limits)


def time_model(run_dir: str, feature_set: FeatureSet, limits: Limits) -> str:
    """See `gfr.timing.time_model`; nothing else of gfr runs on this machine meanwhile."""
    with machine.timing():
        return isolation.call("gfr.timing:time_model", run_dir, feature_set, limits=limits)


def worker() -> str:
    """Who does a step: the machine's name and the process that the runner gave it to."""
    return f"{socket.gethostname()}/{os.getpid()}"


def _step(place: str, run_dir: str, *arguments: object, limits: Limits) -> str:
    """A step of this run, on the whole machine or on one of its GPUs."""
    shared.check(run_dir, worker())
    with machine.turn(hardware.gpu_ids()) as gpu:
        return isolation.call(place, run_dir, *arguments, limits=limits, gpu=gpu)
