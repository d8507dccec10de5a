"""Records of runtime engines: the latency of a model's files in each of them.

Rows are looked up by (feature set, engine, precision, threads), never by position. Does not import
any runtime.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gfr.config.schema import FeatureSet, Precision
from gfr.measurement.latency import Samples
from gfr.measurement.resources import Cost
from gfr.types import Above0, Positive, Seconds, Share


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
