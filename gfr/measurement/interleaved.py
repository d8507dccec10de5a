"""Latency of several callables measured call by call in turn, in one process.

A change of the machine's speed then affects all of them alike, so that their ratios are steadier
than those of measurements one after the other. Does not import any runtime.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gfr.measurement import allowance, latency

Call = Callable[[Any], object]


@dataclass(frozen=True)
class Interleaved:
    """One measurement: the samples of each callable; all have the same background load."""

    rows: tuple[latency.Samples, ...]

    @property
    def others_share(self) -> float:
        """Share 0..1 of the CPU time that other processes took over the whole measurement."""
        return self.rows[0].others_share

    @property
    def is_contended(self) -> bool:
        """Whether other processes took enough CPU time to spoil the values."""
        return self.rows[0].is_contended


def measure(
    calls: Sequence[Call], inputs: Sequence, num_values: int, min_s: float
) -> tuple[tuple[latency.Samples, ...], int]:
    """Warm each callable up, then time all in turn, again while the machine is busy.

    Args:
        calls: at least one callable of one input.
        inputs: given to every callable in the same order, over and over.
        num_values: least number of calls of each.
        min_s: least duration of the whole measurement, seconds.

    Returns:
        The samples of each callable from the least disturbed attempt, and the number of attempts.
    """
    warmups = [latency.warm_up(call, inputs) for call in calls]
    best, num_attempts = latency.least_disturbed(
        lambda: time_calls(calls, inputs, num_values, min_s)
    )
    rows = zip(best.rows, warmups, strict=True)
    return tuple(replace(row, warmups_s=values) for row, values in rows), num_attempts


def time_calls(
    calls: Sequence[Call], inputs: Sequence, num_values: int, min_s: float = 0.0
) -> Interleaved:
    """Time rounds of one call of each callable, without warm-up; see `measure`.

    `wall_s` of each is the sum of its values, and `cpu_s` what this process used during its calls:
    threads of another callable that still spin count too.
    """
    values: list[list[float]] = [[] for _ in calls]
    cpu_s = [0.0] * len(calls)
    rounds = zip(itertools.cycle(inputs), itertools.cycle(orders(len(calls))), strict=False)
    share_of_others, begun_s = allowance.meter_others(), time.perf_counter()
    while len(values[0]) < num_values or time.perf_counter() - begun_s < min_s:
        value, order = next(rounds)
        for place in order:
            before_s, start_s = time.process_time(), time.perf_counter()
            calls[place](value)
            values[place].append(time.perf_counter() - start_s)
            cpu_s[place] += time.process_time() - before_s
    others_share = share_of_others()
    return Interleaved(
        tuple(
            latency.Samples((), tuple(row), sum(row), used_s, others_share)
            for row, used_s in zip(values, cpu_s, strict=True)
        )
    )


def orders(num: int) -> list[tuple[int, ...]]:
    """Return orders of `num` callables, one for each round.

    Over all orders, each callable is equally often at each place, and equally often right after
    each other one: E. J. Williams, "Experimental designs balanced for the estimation of residual
    effects of treatments" (1949).
    """
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(num)]
    rotated = [tuple((place + shift) % num for place in zigzag) for shift in range(num)]
    return rotated + [order[::-1] for order in rotated] if num % 2 else rotated
