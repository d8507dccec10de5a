"""How long a call takes.

In: a callable and its inputs. Out: raw seconds of every call, warm-ups apart, and percentiles of
them. Imports no Keras, never decides what is fast enough.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Samples:
    """Seconds of single calls in the order made; `cpu_s`: this process' CPU seconds over values."""

    warmups_s: tuple[float, ...]
    values_s: tuple[float, ...]
    cpu_s: float

    def percentile_s(self, percent: float) -> float:
        """Linearly interpolated percentile of the values, seconds."""
        return float(np.percentile(self.values_s, percent))


def time_calls(
    call: Callable[[Any], object], inputs: Sequence, num_warmups: int, num_values: int
) -> Samples:
    """Time single calls, going round the inputs; nothing else happens inside the clock."""
    warmups = [_seconds(call, inputs[i % len(inputs)]) for i in range(num_warmups)]
    cpu_s = time.process_time()
    values = [_seconds(call, inputs[i % len(inputs)]) for i in range(num_values)]
    return Samples(tuple(warmups), tuple(values), time.process_time() - cpu_s)


def _seconds(call: Callable[[Any], object], value: object) -> float:
    start_s = time.perf_counter()
    call(value)
    return time.perf_counter() - start_s
