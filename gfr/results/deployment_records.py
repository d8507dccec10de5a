"""Records of runtime engines and file formats: latency in each engine, answers of each format.

Latencies are looked up by (feature set, engine, precision, threads), never by position. Does not
import any runtime.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gfr.config.schema import FeatureSet, Precision, Trial
from gfr.evaluation.statistics import mcnemar, wilson
from gfr.measurement.latency import Samples
from gfr.measurement.resources import Cost
from gfr.types import Above0, Count, Positive, Seconds, Share

KERAS = "keras"  # the format of the reference: the fused Keras model in TensorFlow, float32

MIN_P_VALUE = 0.05  # a smaller one is a significant difference in accuracy

# An eligible format classifies at most one image in so many fewer correctly: 0.5 points.
ONE_LOST_IN = 200


@dataclass(frozen=True)
class EngineModel:
    """A model file that an engine loads; not part of any record.

    `format`: its name in gfr/engines/formats.py; "" for a Keras model. `precision`: as people read
    it. `arithmetic`: what the engine is to compute a float32 file in, where it can choose.
    `num_threads`: of an engine that has no choice, which is then timed once; else 0.
    """

    engine: str
    format: str
    precision: str
    path: Path
    num_bytes: int
    arithmetic: Precision = "float32"
    num_threads: int = 0


@dataclass(frozen=True)
class EngineTiming:
    """One engine on single images, in turn with the other engines in one process.

    `precision`: as people read it, e.g. `dynamic int8`. `max_difference`: of the probabilities of
    the timed images from those recorded for the trial. `witness_s`: reference workload with as many
    threads, before and after, p10. The CPU time of an engine that runs outside the measuring
    process is unknown, 0.
    """

    engine: str
    engine_version: str
    precision: str
    num_threads: Positive
    single: Samples
    num_attempts: Positive
    max_difference: Share
    witness_s: Above0

    @property
    def key(self) -> tuple[str, str, int]:
        """What a row of a feature set is looked up by: engine, precision, threads."""
        return self.engine, self.precision, self.num_threads

    @property
    def p50_ms(self) -> float:
        """Median latency of one image, milliseconds."""
        return 1000 * self.single.percentile_s(50)


@dataclass(frozen=True)
class EngineLatency:
    """The model of one feature set, with the head of `trial_id`, in all engines that ran it.

    `size_bytes`: of the model files by format; "" is a Keras model. `unavailable`: engines or
    precisions that could not be timed, with the reasons.
    """

    schema: Literal[1]
    feature_set: FeatureSet
    trial_id: str
    rows: tuple[EngineTiming, ...]
    size_bytes: dict[str, Positive]
    unavailable: tuple[tuple[str, str], ...]
    cost: Cost

    def __post_init__(self) -> None:
        """Raise ValueError if a row is there twice."""
        if len({row.key for row in self.rows}) < len(self.rows):
            raise ValueError("two rows of one engine, precision and number of threads")

    def row(self, engine: str, precision: str, num_threads: int) -> EngineTiming | None:
        """Return the row of an engine, or None if it was not timed."""
        key = engine, precision, num_threads
        return next((row for row in self.rows if row.key == key), None)


@dataclass(frozen=True)
class FreshProcess:
    """An engine in a process of its own that only loads one model and classifies.

    `load_s`: import of the runtime and loading of the file. `peak_memory_bytes`: largest resident
    size, Python included, before any batch. `batches`: calls on `batch_size` images each.
    """

    engine: str
    engine_version: str
    num_threads: Positive
    load_s: Seconds
    first_answer_s: Seconds
    peak_memory_bytes: Positive
    batch_size: Positive
    batches: Samples

    @property
    def cold_start_s(self) -> float:
        """Seconds from the start of loading to the first answer."""
        return self.load_s + self.first_answer_s

    @property
    def images_per_s(self) -> float:
        """Throughput in batches."""
        return self.batch_size * len(self.batches.values_s) / sum(self.batches.values_s)


@dataclass(frozen=True)
class Agreement:
    """The answers of a format on the images of one split, compared with Keras in float32.

    `only_keras_right`, `only_this_right`: images that one of the two classifies correctly and the
    other does not. Differences are those of p_male. `calibration_error`: of this format (ECE).
    """

    num_images: Positive
    num_right: Count
    keras_right: Count
    only_keras_right: Count
    only_this_right: Count
    max_difference: Share
    mean_difference: Share
    calibration_error: Share

    @property
    def num_changed(self) -> int:
        """Images with another answer than Keras': of two answers one is right."""
        return self.only_keras_right + self.only_this_right

    @property
    def accuracy(self) -> float:
        """Share 0..1 of the images classified correctly."""
        return self.num_right / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95% interval of the accuracy, 0..1."""
        return wilson(self.num_right, self.num_images)

    @property
    def p_value(self) -> float:
        """Exact McNemar test of this format's answers against Keras'."""
        return mcnemar(self.only_keras_right, self.only_this_right)

    @property
    def is_as_good(self) -> bool:
        """Whether the accuracy is at most 0.5 points lower and the difference not significant."""
        num_lost = self.keras_right - self.num_right
        return ONE_LOST_IN * num_lost <= self.num_images and self.p_value >= MIN_P_VALUE


@dataclass(frozen=True)
class CalibrationImages:
    """The training images that set the ranges of full int8; `digest` is SHA-256 of their names."""

    num_images: Positive
    digest: str


@dataclass(frozen=True)
class FormatResult:
    """A trial's model in one file format, or in Keras' own (`KERAS`), run by its own engine.

    `precision`: the same text as in `EngineTiming`, such as `dynamic int8`. `reason`: why there is
    no such file, or why its engine cannot run it; "" if it can, and then everything else is known.
    `model_digest` identifies what the files were made from. `calibration`: of full int8.
    `processes`: in a process of its own, with one thread and with all; empty until measured.
    """

    schema: Literal[1]
    run_id: str
    trial: Trial
    format: str
    engine: str
    engine_version: str  # "missing" if it is not installed
    precision: str
    model_digest: str
    reason: str
    num_bytes: Count = 0
    validation: Agreement | None = None  # None also in exports made before it was measured
    test: Agreement | None = None
    calibration: CalibrationImages | None = None
    processes: tuple[FreshProcess, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for a model that was not measured, or a reason beside measurements."""
        if (self.test is None) == (not self.reason):
            raise ValueError("test results are expected, or else the reason why there are none")

    @property
    def is_eligible(self) -> bool:
        """Whether it may be recommended: as good as Keras on the validation images."""
        return self.validation is not None and self.validation.is_as_good

    def process(self, num_threads: int) -> FreshProcess | None:
        """Return what was measured in a process of its own with that many threads."""
        return next((row for row in self.processes if row.num_threads == num_threads), None)
