"""Latency measurement: raw seconds of every call, with warm-ups kept apart, and background load.

Does not import Keras and does not judge what is fast enough.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from gfr.config.schema import FeatureSet, Precision
from gfr.evaluation.statistics import quantile_ranks
from gfr.measurement import allowance
from gfr.measurement.resources import Cost
from gfr.types import Above0, NonEmpty, Positive, Seconds, Share

# A row is contended if other processes take more than this share of the CPU time. An idle
# Prefect server takes 1 to 2% of two cores.
MAX_OTHERS_SHARE = 0.10

MAX_ATTEMPTS, MAX_ROW_S = 3, 30.0  # at a row that was contended

MIN_WARMUPS, MAX_WARMUPS = 10, 60

STEADY = 0.1  # a fall of the median by less is no longer warming up


@dataclass(frozen=True)
class Samples:
    """Seconds of single calls, in order.

    `wall_s`, `cpu_s`: of all values together, on the clock and of this process. `others_share`:
    share 0..1 of the CPU time this process may use that other processes took meanwhile.
    """

    warmups_s: tuple[Seconds, ...]
    values_s: NonEmpty[Above0]
    wall_s: Seconds
    cpu_s: Seconds
    others_share: Share

    def percentile_s(self, percent: float) -> float:
        """Linearly interpolated percentile of the values, seconds."""
        return float(np.percentile(self.values_s, percent))

    def interval_s(self, percent: float) -> tuple[float, float] | None:
        """Two-sided 95% interval of that quantile, seconds; None where too few calls give none."""
        ranks = quantile_ranks(len(self.values_s), percent / 100)
        if ranks is None:
            return None
        ordered = sorted(self.values_s)
        return ordered[ranks[0] - 1], ordered[ranks[1] - 1]

    @property
    def iqr_s(self) -> float:
        """Interquartile range of the values, seconds."""
        return self.percentile_s(75) - self.percentile_s(25)

    @property
    def cpu_per_call_s(self) -> float:
        """CPU seconds of this process per call, all threads; hardly changes under load."""
        return self.cpu_s / len(self.values_s)

    @property
    def is_contended(self) -> bool:
        """Whether other processes took enough CPU time to spoil the values."""
        return self.others_share > MAX_OTHERS_SHARE


def time_calls(
    call: Callable[[Any], object],
    inputs: Sequence,
    num_warmups: int,
    num_values: int,
    min_s: float = 0.0,
) -> Samples:
    """Time single calls, cycling through the inputs.

    At least `num_values` of them, and for at least `min_s`.
    """
    first = itertools.islice(itertools.cycle(inputs), num_warmups)
    warmups = tuple(_seconds(call, value) for value in first)
    around = itertools.cycle(inputs)
    share_of_others = allowance.meter_others()
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    values: list[float] = []
    while len(values) < num_values or time.perf_counter() - begun_s < min_s:
        values.append(_seconds(call, next(around)))
    wall_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - cpu_s
    return Samples(warmups, tuple(values), wall_s, cpu_s, share_of_others())


def warm_up(call: Callable[[Any], object], inputs: Sequence) -> tuple[float, ...]:
    """Make 10 to 60 calls until they no longer get faster; return their seconds.

    The calls are steady when the median of the last five is no more than a tenth below that of the
    five before.
    """
    seconds: list[float] = []
    for value in itertools.islice(itertools.cycle(inputs), MAX_WARMUPS):
        seconds.append(_seconds(call, value))
        last, before = seconds[-5:], seconds[-10:-5]
        if len(seconds) >= MIN_WARMUPS and median(last) > (1 - STEADY) * median(before):
            break
    return tuple(seconds)


class Attempt(Protocol):
    """A measurement that knows how much other processes disturbed it."""

    @property
    def others_share(self) -> float:
        """Share 0..1 of the CPU time that other processes took."""

    @property
    def is_contended(self) -> bool:
        """Whether that is enough to measure again."""


AnyAttempt = TypeVar("AnyAttempt", bound=Attempt)


def least_disturbed(measure: Callable[[], AnyAttempt]) -> tuple[AnyAttempt, int]:
    """Return the first undisturbed measurement, or the best of a few, and their number.

    Makes at most `MAX_ATTEMPTS`, and starts none after `MAX_ROW_S`.
    """
    begun_s, attempts = time.perf_counter(), [measure()]
    while attempts[-1].is_contended and len(attempts) < MAX_ATTEMPTS:
        if time.perf_counter() - begun_s >= MAX_ROW_S:
            break
        attempts.append(measure())
    return min(attempts, key=lambda row: row.others_share), len(attempts)


def joined(parts: Sequence[Samples]) -> Samples:
    """Join several measurements; the share of others is weighted by their length."""
    wall_s = sum(part.wall_s for part in parts)
    others_s = sum(part.others_share * part.wall_s for part in parts)
    return Samples(
        warmups_s=tuple(value for part in parts for value in part.warmups_s),
        values_s=tuple(value for part in parts for value in part.values_s),
        wall_s=wall_s,
        cpu_s=sum(part.cpu_s for part in parts),
        others_share=others_s / wall_s if wall_s else 0.0,
    )


def _seconds(call: Callable[[Any], object], value: object) -> float:
    start_s = time.perf_counter()
    call(value)
    return time.perf_counter() - start_s


@dataclass(frozen=True)
class Timing:
    """The fused model in one precision.

    `single`: calls on one image each. `batches`: calls on a batch each, over the whole test set.
    Both from decoded uint8 pixels in memory to probabilities. `num_attempts`: measurements of each,
    the least disturbed of which is kept. `max_difference`: of the test probabilities from those
    recorded for the trial whose head the model carries.
    """

    precision: Precision
    build_s: Seconds
    first_call_s: Seconds
    single: Samples
    batches: Samples
    num_attempts: tuple[Positive, Positive]
    max_difference: Share
    witness_s: Above0 | None = None  # reference workload beside `single`, p10; None in old records

    @property
    def inference_s(self) -> float:
        """Seconds to classify the whole test set in batches."""
        return sum(self.batches.values_s)

    @property
    def p50_ms(self) -> float:
        """Median latency of one image, milliseconds."""
        return 1000 * self.single.percentile_s(50)

    @property
    def is_contended(self) -> bool:
        """Whether other processes disturbed either row, however often it was measured."""
        return self.single.is_contended or self.batches.is_contended


@dataclass(frozen=True)
class LatencyResult:
    """The fused model of one feature set with the head of `trial_id`, alone on the machine.

    `timings`: in float32, then in what this machine accelerates, if anything. `decode_s`: JPEG
    decoding of the test set, in none of the timings.
    """

    schema: Literal[3]
    feature_set: FeatureSet
    trial_id: str
    num_parameters: Positive
    batch_size: Positive
    decode_s: Seconds
    num_test_images: Positive
    timings: NonEmpty[Timing]
    cost: Cost

    def __post_init__(self) -> None:
        """ValueError without a timing in float32."""
        if not any(timing.precision == "float32" for timing in self.timings):
            raise ValueError("no timing in float32")

    @property
    def float32(self) -> Timing:
        """The timing that trials are compared by."""
        return next(timing for timing in self.timings if timing.precision == "float32")

    @property
    def accelerated(self) -> Timing | None:
        """The timing in the faster precision of this machine, if there is one."""
        return next((timing for timing in self.timings if timing.precision != "float32"), None)

    @property
    def size_bytes(self) -> int:
        """Size of the fused model's parameters in float32."""
        return 4 * self.num_parameters

    @property
    def is_contended(self) -> bool:
        """Whether other processes disturbed any timing."""
        return any(timing.is_contended for timing in self.timings)
