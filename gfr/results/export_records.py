"""The records of an export, and the rule that chooses its precision.

Does not import TensorFlow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from gfr.config.schema import Trial, WebPrecision
from gfr.evaluation.statistics import mcnemar
from gfr.types import Count, Positive, Seconds, Share

STEP = "export"  # as its progress is shown

# Agreement that a runtime with other kernels must reach in the same arithmetic.
TOLERANCE = 1e-4

# What quantisation may cost before a user has to ask for it.
MAX_DIFFERENCE = 0.01

MIN_P_VALUE = 0.05

BITS: dict[WebPrecision, int] = {"float32": 32, "float16": 16, "uint16": 16, "uint8": 8}


@dataclass(frozen=True)
class ExportJob:
    """One export. `precision` is the one to keep; None leaves it to the rule."""

    run_dir: Path
    trial_id: str
    precisions: tuple[WebPrecision, ...]
    precision: WebPrecision | None
    folder: Path
    start_s: float  # time.time()


@dataclass(frozen=True)
class JavaScript:
    """The written files in TensorFlow.js, one image at a time.

    `from_keras`, `from_graph`: largest difference of p_male from the fused Keras model in float32,
    and from TensorFlow running the same graph with the same weights. `values_s`: seconds per image.
    """

    backend: str
    version: str
    num_images: Positive
    from_keras: Share
    from_graph: Share
    num_other_answers: Count  # other than Keras's, where p_male is not within TOLERANCE of 0.5
    values_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]


@dataclass(frozen=True)
class WebModel:
    """One precision: the written graph with the written weights, run by TensorFlow.

    Differences are of p_male from the fused Keras model in float32, over the whole test set.
    `only_keras_right`, `only_this_right`: images that only one of the two classifies correctly.
    """

    precision: WebPrecision
    num_bytes: Positive  # to download: graph and shards
    num_images: Positive
    num_right: Count
    only_keras_right: Count
    only_this_right: Count
    max_difference: Share
    mean_difference: Share
    javascript: JavaScript

    @property
    def p_value(self) -> float:
        """P-value of the exact McNemar test against the Keras model."""
        return mcnemar(self.only_keras_right, self.only_this_right)

    @property
    def is_faithful(self) -> bool:
        """Whether the rule may choose it."""
        return self.max_difference <= MAX_DIFFERENCE and self.p_value >= MIN_P_VALUE


@dataclass(frozen=True)
class ExportResult:
    """The exported trial: the measurements of every precision, and the one that was written.

    `keras_right`: number of the `num_images` test images that the fused Keras model in float32
    classifies correctly; `recorded_right`: the same of the trial, whose features may be bfloat16.
    """

    schema: Literal[1]
    run_id: str
    trial: Trial
    precision: WebPrecision
    is_asked_for: bool  # chosen by the user, not by the rule
    num_parameters: Positive
    num_images: Positive
    keras_right: Count
    recorded_right: Count
    models: Annotated[tuple[WebModel, ...], Field(min_length=1)]
    digest: str  # SHA-256 of the TensorFlow.js files
    wall_s: Seconds  # of the whole export

    def __post_init__(self) -> None:
        """ValueError if the precision written was not measured."""
        if self.precision not in {row.precision for row in self.models}:
            raise ValueError(f"no measurement of {self.precision}")

    @property
    def written(self) -> WebModel:
        """The precision that was written."""
        return next(row for row in self.models if row.precision == self.precision)


@dataclass(frozen=True)
class PageTiming:
    """Seconds per image, one at a time, on the page in a browser; after warm-up."""

    backend: str
    is_software: bool  # WebGL or WebGPU without a graphics card
    values_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]

    @property
    def title(self) -> str:
        """The backend's name for people."""
        return self.backend + (" in software" if self.is_software else "")


@dataclass(frozen=True)
class PageResult:
    """The measurements of benchmarks/page.py of the model with this `digest`."""

    schema: Literal[1]
    digest: str
    browser: str
    cpu_model: str
    timings: tuple[PageTiming, ...]


def milliseconds(values_s: tuple[float, ...]) -> str:
    """`p50 412 ms, p95 440 ms (30 calls)`."""
    p50_ms, p95_ms = (1000 * float(np.percentile(values_s, percent)) for percent in (50, 95))
    return f"p50 {p50_ms:.0f} ms, p95 {p95_ms:.0f} ms ({len(values_s)} calls)"
