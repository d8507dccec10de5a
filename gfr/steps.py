"""The heavy stages, each in a process of its own (gfr/isolation.py), in turn with other runs here.

In: what the stage takes, and Limits. Out: what it returns. Imports no TensorFlow: the processes do.
"""

from gfr import isolation, machine
from gfr.door import Request
from gfr.isolation import Limits
from gfr.spec import FeatureSet, Trial


def prepare(request: Request, limits: Limits) -> str:
    """See `gfr.door.prepare`."""
    return isolation.call("gfr.door:prepare", request, limits=limits)


def extract(run_dir: str, feature_set: FeatureSet, limits: Limits) -> str:
    """See `gfr.stages.extract`."""
    with machine.turn(limits.alone):
        return isolation.call("gfr.stages:extract", run_dir, feature_set, limits=limits)


def train(run_dir: str, trial: Trial, limits: Limits) -> str:
    """See `gfr.stages.train`."""
    with machine.turn(limits.alone):
        return isolation.call("gfr.stages:train", run_dir, trial, limits=limits)


def time_model(run_dir: str, feature_set: FeatureSet, limits: Limits) -> str:
    """See `gfr.timing.time_model`; always alone."""
    with machine.turn(alone=True):
        return isolation.call("gfr.timing:time_model", run_dir, feature_set, limits=limits)
