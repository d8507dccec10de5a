"""Speed of this machine: convolutions in float32 and bfloat16, and a reference workload.

The rates are measured because processor flags do not determine them: without AMX, TensorFlow
computes in bfloat16 too, but more slowly than in float32 (docs/LOG.md). gfr/models/precision.py
chooses the precision by them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gfr.config.schema import Precision
from gfr.types import Above0

if TYPE_CHECKING:
    import tensorflow as tf

MIN_SPEEDUP = 1.5  # of a convolution; below it the other operations cancel the gain


@dataclass(frozen=True)
class Rates:
    """GFLOP/s of one convolution on the machine of a run."""

    float32_gflops: Above0
    bfloat16_gflops: Above0

    @property
    def speedup(self) -> float:
        """Speed of bfloat16 divided by that of float32."""
        return self.bfloat16_gflops / self.float32_gflops

    @property
    def fastest(self) -> Precision:
        """bfloat16 only if the machine accelerates it."""
        return "bfloat16" if self.speedup >= MIN_SPEEDUP else "float32"


@dataclass(frozen=True)
class MachineRates:
    """The rates that decide for all runs of one machine with one cache; `machine` describes it."""

    schema: Literal[1]
    machine: dict[str, str]
    rates: Rates


_NUM_ROUNDS = 10

_NUM_IMAGES, _SIDE_PX, _NUM_CHANNELS, _KERNEL_PX = 16, 32, 256, 3

_WORKLOAD_LAYERS, _WORKLOAD_SIDE_PX, _WORKLOAD_CHANNELS = 6, 8, 512


def measure() -> Rates:
    """Measure both precisions, alternating so that other load affects both; takes about 1 s."""
    import tensorflow as tf

    calls = [_convolution(tf.float32), _convolution(tf.bfloat16)]
    for call in calls:
        call()
    rounds = [[_seconds(call) for call in calls] for _ in range(_NUM_ROUNDS)]
    num_outputs = _NUM_IMAGES * _SIDE_PX**2 * _NUM_CHANNELS
    gflop = 2e-9 * num_outputs * _KERNEL_PX**2 * _NUM_CHANNELS
    return Rates(*(gflop / min(column) for column in zip(*rounds, strict=True)))


def timed(precision: Precision) -> Callable[[], float]:
    """Return the reference workload: a function that does fixed work and returns its seconds.

    The work is six convolutions of one small image whose kernels (57 MB in float32) exceed the
    inner caches, as a network's weights do, so its speed is that of a model that classifies one
    image. It shares no code with the models, so it tells a slower machine from a slower model.
    """
    import tensorflow as tf

    dtype = tf.as_dtype(precision)
    shape = (_KERNEL_PX, _KERNEL_PX, _WORKLOAD_CHANNELS, _WORKLOAD_CHANNELS)
    kernels = [tf.fill(shape, tf.cast(1e-3, dtype)) for _ in range(_WORKLOAD_LAYERS)]
    image = tf.ones((1, _WORKLOAD_SIDE_PX, _WORKLOAD_SIDE_PX, _WORKLOAD_CHANNELS), dtype)

    @tf.function
    def run(layer: tf.Tensor) -> tf.Tensor:
        for kernel in kernels:
            layer = tf.nn.relu6(tf.nn.conv2d(layer, kernel, 1, "SAME"))
        return layer

    return lambda: _seconds(lambda: run(image))


def _convolution(dtype: "tf.DType") -> "Callable[[], tf.Tensor]":
    import tensorflow as tf

    images = tf.ones((_NUM_IMAGES, _SIDE_PX, _SIDE_PX, _NUM_CHANNELS), dtype)
    kernel = tf.ones((_KERNEL_PX, _KERNEL_PX, _NUM_CHANNELS, _NUM_CHANNELS), dtype)
    run = tf.function(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"))
    return lambda: run(images, kernel)


def _seconds(call: "Callable[[], tf.Tensor]") -> float:
    start = time.perf_counter()
    call().numpy()
    return time.perf_counter() - start
