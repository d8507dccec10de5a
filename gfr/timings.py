"""What timing a fused model leaves on disk; part of a run's records (gfr/results.py).

In: samples of gfr/latency.py. Out: LatencyResult, one for each feature set. Never measures.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from gfr.config.schema import FeatureSet, Precision
from gfr.latency import Samples
from gfr.metering import Cost
from gfr.types import Above0, Positive, Seconds, Share


@dataclass(frozen=True)
class Timing:
    """The fused model in one precision.

    `single`: calls on one image each. `batches`: calls on a batch each, over the whole test set.
    Both from decoded uint8 pixels in memory to probabilities. `num_attempts`: measurements of each,
    of which the least disturbed is kept. `max_difference`: of the test probabilities from those
    recorded for the trial whose head the model carries.
    """

    precision: Precision
    build_s: Seconds
    first_call_s: Seconds
    single: Samples
    batches: Samples
    num_attempts: tuple[Positive, Positive]
    max_difference: Share
    witness_s: Above0 | None = None  # of `arithmetic.witness` beside `single`, p10; None: not noted

    def __post_init__(self) -> None:
        """ValueError if nothing was timed."""
        if not (self.single.values_s and self.batches.values_s):
            raise ValueError("no timed call")

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
    timings: Annotated[tuple[Timing, ...], Field(min_length=1)]
    cost: Cost

    def __post_init__(self) -> None:
        """ValueError if float32 is not the first."""
        if self.float32.precision != "float32":
            raise ValueError("the first timing is not of float32")

    @property
    def float32(self) -> Timing:
        """What trials are compared by."""
        return self.timings[0]

    @property
    def accelerated(self) -> Timing | None:
        """In the machine's faster arithmetic."""
        return self.timings[1] if len(self.timings) > 1 else None

    @property
    def size_bytes(self) -> int:
        """Of the fused model's parameters in float32."""
        return 4 * self.num_parameters

    @property
    def is_contended(self) -> bool:
        """Whether other processes disturbed any timing."""
        return any(timing.is_contended for timing in self.timings)
