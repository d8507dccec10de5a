"""How long a call takes.

In: a callable and its inputs. Out: raw seconds of every call, warm-ups apart, percentiles of them,
and what tells a quiet machine from a busy one. Imports no Keras, never decides what is fast enough.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

from gfr.ranges import Above0, Seconds, Share

# Above this share of the machine's CPU time in other hands a row is called contended. An idle
# Prefect server takes 1 to 2 % of two cores.
MAX_OTHERS_SHARE = 0.10


@dataclass(frozen=True)
class Samples:
    """Seconds of single calls in the order made.

    `wall_s`, `cpu_s`: of all values together, on the clock and of this process.
    `others_share`: share 0..1 of the machine's CPU time that other processes took meanwhile.
    """

    warmups_s: tuple[Seconds, ...]
    values_s: tuple[Above0, ...]
    wall_s: Seconds
    cpu_s: Seconds
    others_share: Share

    def percentile_s(self, percent: float) -> float:
        """Linearly interpolated percentile of the values, seconds."""
        return float(np.percentile(self.values_s, percent))

    @property
    def is_contended(self) -> bool:
        """Whether other processes took enough of the machine to spoil the values."""
        return self.others_share > MAX_OTHERS_SHARE


def time_calls(
    call: Callable[[Any], object], inputs: Sequence, num_warmups: int, num_values: int
) -> Samples:
    """Time single calls, going round the inputs; nothing else happens inside the clock."""
    warmups = tuple(_seconds(call, inputs[i % len(inputs)]) for i in range(num_warmups))
    wall_s, cpu_s, busy_s = time.perf_counter(), time.process_time(), _busy_s()
    values = tuple(_seconds(call, inputs[i % len(inputs)]) for i in range(num_values))
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    others_s = max(0.0, _busy_s() - busy_s - cpu_s)
    machine_s = max(wall_s * (psutil.cpu_count() or 1), 1e-9)
    return Samples(warmups, values, wall_s, cpu_s, min(1.0, others_s / machine_s))


def joined(parts: Sequence[Samples]) -> Samples:
    """Several stretches of timing as one; the share of others is weighted by their length."""
    wall_s = sum(part.wall_s for part in parts)
    others_s = sum(part.others_share * part.wall_s for part in parts)
    return Samples(
        warmups_s=tuple(value for part in parts for value in part.warmups_s),
        values_s=tuple(value for part in parts for value in part.values_s),
        wall_s=wall_s,
        cpu_s=sum(part.cpu_s for part in parts),
        others_share=others_s / wall_s if wall_s else 0.0,
    )


def _busy_s() -> float:
    """CPU seconds of all processes since boot, time stolen by other guests of the host included."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def _seconds(call: Callable[[Any], object], value: object) -> float:
    start_s = time.perf_counter()
    call(value)
    return time.perf_counter() - start_s
