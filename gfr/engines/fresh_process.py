"""Measure an engine in a process that only loads a model and classifies.

Run it in a new child process (gfr/pipeline/isolation.py). TensorFlow is imported only if the engine
needs it.
"""

import itertools
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gfr import engines
from gfr.data import images
from gfr.engines.base import Classify
from gfr.measurement import allowance, latency
from gfr.measurement.latency import Samples
from gfr.results.deployment_records import EngineModel, FreshProcess

BATCH_SIZE, MIN_BATCHES = 32, 3

_NUM_OWN = 16  # images of an engine that measures itself

_STATUS = Path("/proc/self/status")


def measure(
    model: EngineModel, num_threads: int, paths: Sequence[Path], min_s: float
) -> FreshProcess:
    """Load a model, classify single images, then time batches of 32.

    An engine outside this process starts anew for every call and classifies one image at a time: it
    gets fewer images, in one call, and times them as batches of one.

    Args:
        model: the file and its engine.
        num_threads: 0: as many as this process may use.
        paths: images, which are decoded first; each is classified once by itself.
        min_s: least duration of the timing of batches, seconds.
    """
    pixels = [images.known(path) for path in paths]
    engine, num_threads = engines.get(model.engine), model.num_threads or num_threads
    start_s = time.perf_counter()
    classify = engine.load(model.path, num_threads, model.arithmetic)
    loaded_s = time.perf_counter()
    first = classify(pixels[:1])
    first_s = time.perf_counter()
    if first.seconds:
        batches, batch_size = own_samples(classify, pixels[:_NUM_OWN], MIN_BATCHES), 1
        memory_bytes = peak_memory_bytes(with_children=True)
    else:
        for image in pixels[1:]:
            classify([image])
        memory_bytes = peak_memory_bytes(with_children=False)
        batches, batch_size = _batches(classify, pixels, min_s), BATCH_SIZE
    return FreshProcess(
        engine=model.engine,
        engine_version=engine.version(),
        num_threads=num_threads or allowance.num_threads(),
        load_s=loaded_s - start_s,
        first_answer_s=first_s - loaded_s,
        peak_memory_bytes=memory_bytes,
        batch_size=batch_size,
        batches=batches,
    )


def own_samples(classify: Classify, pixels: Sequence[np.ndarray], num_warmups: int) -> Samples:
    """Return the seconds that an engine in a process of its own measures, one image at a time.

    Its CPU time is unknown, because it includes the start of that process: 0.
    """
    share_of_others = allowance.meter_others(allowance.with_children_s)
    warmups = itertools.islice(itertools.cycle(pixels), num_warmups)
    seconds = classify([*warmups, *pixels]).seconds
    values = seconds[num_warmups:]
    return Samples(seconds[:num_warmups], values, sum(values), 0.0, share_of_others())


def peak_memory_bytes(with_children: bool) -> int:
    """Return the largest resident size of this process so far, in bytes.

    With children: also that of the largest child that has ended. Linux starts `ru_maxrss` of a new
    program at the size of the process that started it, so its own size is read from /proc.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if _STATUS.exists():
        lines = _STATUS.read_text("utf-8").splitlines()
        own = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), own)
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if with_children else 0
    return unit * (own + child)


def _batches(classify: Classify, pixels: Sequence[np.ndarray], min_s: float) -> Samples:
    """Time batches; the first one is a warm-up, in which the runtime sets up for their size."""
    batch = list(itertools.islice(itertools.cycle(pixels), BATCH_SIZE))
    samples, _ = latency.least_disturbed(
        lambda: latency.time_calls(classify, [batch], 1, MIN_BATCHES, min_s)
    )
    return samples
