"""What an export leaves on disk: the record that the report and the model card are made from.

In: counts and differences measured by gfr/export/saved_model.py. Out: ExportResult, one JSON file
beside the
exported model, and the rule that chooses its precision. Never measures, never imports TensorFlow.

    runs/<run_id>/export/<trial>/
      export.json          ExportResult
      model.keras          the fused Keras model, float32
      tfjs/                the TensorFlow.js graph model in the chosen precision
      model_card.json, .md
      golden.json, golden/ a few images with Keras' probabilities
      page.json            PageResult, if benchmarks/page.py was run
"""

from dataclasses import dataclass
from typing import Annotated, Literal

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
class JavaScript:
    """The written files in TensorFlow.js: images one at a time, p_male against two references.

    `from_keras`, `from_graph`: largest difference from the fused Keras model in float32, and from
    TensorFlow running the same graph with the same weights. `values_s`: seconds an image.
    """

    backend: str
    version: str
    num_images: Positive
    from_keras: Share
    from_graph: Share
    num_other_answers: Count  # than Keras', where p_male is further than TOLERANCE from 0.5
    values_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]


@dataclass(frozen=True)
class WebModel:
    """One precision: written shards, read back, in the written graph, run by TensorFlow.

    Differences are of p_male from the fused Keras model in float32, over the whole test set.
    `only_keras_right`, `only_this_right`: images on which the two answers differ in being right.
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
        """Exact McNemar test of this precision's answers against Keras'."""
        return mcnemar(self.only_keras_right, self.only_this_right)

    @property
    def is_faithful(self) -> bool:
        """Whether it may be exported without being asked for by name."""
        return self.max_difference <= MAX_DIFFERENCE and self.p_value >= MIN_P_VALUE


@dataclass(frozen=True)
class ExportResult:
    """The exported trial: what every precision costs, and which one was written.

    `keras_right`: test images that the fused Keras model in float32 gets right, of `num_images`;
    `recorded_right`: those of the trial itself, whose features may be bfloat16's.
    """

    schema: Literal[1]
    run_id: str
    trial: Trial
    precision: WebPrecision
    is_asked_for: bool  # by name, instead of the rule
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
    """Seconds an image, one after the other, on the page in a browser; after warm-up."""

    backend: str
    is_software: bool  # a graphics card that is none
    values_s: Annotated[tuple[Seconds, ...], Field(min_length=1)]

    @property
    def title(self) -> str:
        """As people read it."""
        return self.backend + (" in software" if self.is_software else "")


@dataclass(frozen=True)
class PageResult:
    """What benchmarks/page.py measured of the model with this `digest`."""

    schema: Literal[1]
    digest: str
    browser: str
    cpu_model: str
    timings: tuple[PageTiming, ...]
