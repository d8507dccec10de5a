"""How fast this machine convolves in float32 and in bfloat16.

In: nothing. Out: Rates of one convolution that oneDNN does well. It is measured because processor
flags say only what could be: without AMX TensorFlow computes bfloat16 too, slower than float32
(docs/LOG.md). Never looks at a backbone: what follows from the rates is decided in
gfr/precision.py.
"""

import time
from collections.abc import Callable

import tensorflow as tf

from gfr.precision import Rates

_NUM_ROUNDS = 5
_NUM_IMAGES, _SIDE_PX, _NUM_CHANNELS, _KERNEL_PX = 16, 32, 256, 3


def measure() -> Rates:
    """Both precisions in turn, so that other load slows both; takes about half a second."""
    calls = [_convolution(tf.float32), _convolution(tf.bfloat16)]
    for call in calls:
        call()
    rounds = [[_seconds(call) for call in calls] for _ in range(_NUM_ROUNDS)]
    num_outputs = _NUM_IMAGES * _SIDE_PX**2 * _NUM_CHANNELS
    gflop = 2e-9 * num_outputs * _KERNEL_PX**2 * _NUM_CHANNELS
    return Rates(*(gflop / min(column) for column in zip(*rounds, strict=True)))


def _convolution(dtype: tf.DType) -> Callable[[], tf.Tensor]:
    images = tf.ones((_NUM_IMAGES, _SIDE_PX, _SIDE_PX, _NUM_CHANNELS), dtype)
    kernel = tf.ones((_KERNEL_PX, _KERNEL_PX, _NUM_CHANNELS, _NUM_CHANNELS), dtype)
    run = tf.function(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"))
    return lambda: run(images, kernel)


def _seconds(call: Callable[[], tf.Tensor]) -> float:
    start = time.perf_counter()
    call().numpy()
    return time.perf_counter() - start
