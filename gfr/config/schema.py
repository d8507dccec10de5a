"""The tables of a benchmark file as frozen dataclasses, from which trials and feature sets follow.

Does not import TensorFlow and does not look at images or weights.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from gfr.config.references import Reference
from gfr.config.scaling import Scaling
from gfr.types import Above0, Amount, Fraction, Label, Share, Side


@dataclass(frozen=True)
class HardwareConfig:
    """Table `[hardware]` of a benchmark file. It does not change any measured number.

    `cpu_watts`: power of the whole processor with every thread busy, for estimates where no counter
    can be read. `gpu_power_samples`: estimate a GPU without a counter as mean power x seconds.
    `carbon_g_per_kwh`: CO2 equivalent of the electricity.
    """

    cpu_watts: Above0 | None = None
    gpu_power_samples: bool = False
    carbon_g_per_kwh: Amount | None = None


Precision = Literal["float32", "bfloat16"]

RequestedPrecision = Literal["auto", Precision]

InputShape = Literal["fixed", "any"]


@dataclass(frozen=True)
class Backbone:
    """One row `[[backbone]]`; empty `scaling` and `label` mean the backbone's own.

    `file`: a network from elsewhere (gfr/models/external), absolute once loaded. `input` and
    `features`: its nodes, where the file does not settle them; `features` gives the feature vector,
    or a feature map, which is averaged. `license`, `source` and `trained_on` are only shown.
    """

    name: str
    scaling: Scaling = ""
    weights: str = ""  # auto | imagenet | random | a directory; empty: as the run says
    label: Label | Literal[""] = ""
    file: str = ""
    input: str = ""
    features: str = ""
    license: str = ""
    source: str = ""
    trained_on: str = ""


@dataclass(frozen=True)
class Iteration:
    """One row `[[iteration]]`: `size` is (height, width) in px, as Keras orders it."""

    number: Annotated[int, Field(ge=1, le=999)]
    size: tuple[Side, Side]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    input: InputShape = "fixed"  # the backbone's input shape: (*size, 3) or its own
    backbones: tuple[str, ...] = ()  # labels; empty: every backbone


# identity: no person is in two splits; official: the partition that comes with CelebA
SplitRule = Literal["random", "identity", "official"]


@dataclass(frozen=True)
class Data:
    """Table `[data]`: the number of images and their split; `splits`: 1 + repetitions.

    `compare_rules`: also train each head with the other rule, if identities are known.
    """

    images: Annotated[int, Field(ge=10)] | Literal["all"]
    test_fraction: Fraction
    validation_fraction: Fraction
    split: SplitRule = "random"
    splits: Annotated[int, Field(ge=1, le=100)] = 1
    compare_rules: bool = True

    @property
    def fractions(self) -> tuple[float, float]:
        """The fractions of test and of validation images."""
        return self.test_fraction, self.validation_fraction


@dataclass(frozen=True)
class Training:
    """Table `[training]`. The head, Adam and the loss are fixed: gfr/models/head.py.

    `seeds`: heads per trial; the first has the benchmark's seed and is the trial, the others count
    upwards and show how much the seed matters. `fractions`: of the training images, for the curve
    of accuracy against their number.
    """

    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    freeze: bool = True
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    fractions: tuple[Fraction, ...] = (0.125, 0.25, 0.5)


@dataclass(frozen=True)
class Features:
    """Table `[features]`: the arithmetic of the frozen backbone (gfr/models/precision.py)."""

    precision: RequestedPrecision = "auto"


# Runtime engines by name, with their titles (gfr/engines).
ENGINES = {
    "tensorflow": "TensorFlow",
    "litert": "LiteRT",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "tfjs": "TensorFlow.js",
}


@dataclass(frozen=True)
class Latency:
    """Table `[latency]`: the minimum number of single images timed, and of seconds.

    `accelerated`: also time the arithmetic that this machine accelerates, if there is one.
    `engines`: those that time the model of every feature set in turn; none: no such timing.
    """

    calls: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    accelerated: bool = True
    engines: tuple[str, ...] = ("tensorflow", "litert")


WebPrecision = Literal["float32", "uint16", "float16", "uint8"]

TFJS = "tfjs"

# File formats of a model by name (gfr/engines/formats.py).
FORMATS = (
    *(TFJS, "litert", "litert-float16", "litert-dynamic", "litert-int8"),
    *("onnx", "openvino"),
)


@dataclass(frozen=True)
class Export:
    """Table `[export]`: the precisions measured for the browser; none: no TensorFlow.js.

    `javascript_images`: test images that each precision classifies in TensorFlow.js. `formats`:
    those in which the selected model is written. None: all, but nothing at all without precisions,
    as in benchmark files that were written when TensorFlow.js was the only format.
    """

    precisions: tuple[WebPrecision, ...] = ("float32", "uint16", "float16", "uint8")
    javascript_images: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    formats: tuple[str, ...] | None = None

    @property
    def written(self) -> tuple[str, ...]:
        """Names of the formats to write."""
        if self.formats is None:
            return FORMATS if self.precisions else ()
        return tuple(name for name in self.formats if name != TFJS or self.precisions)


Preference = Literal["accuracy", "loss", "latency", "size"]


@dataclass(frozen=True)
class Selecting:
    """Table `[selection]`: limits of a selected model, and the quantity that decides within them.

    `max_latency_ms`: p50 of one image in the fastest engine that times every model. `max_size_mb`:
    size of the file of that engine, for TensorFlow of the parameters. `prefer` decides among the
    trials that are not significantly less accurate on validation than the most accurate one
    (gfr/pipeline/selection.py).
    """

    max_latency_ms: Above0 | None = None
    max_size_mb: Above0 | None = None
    prefer: Preference = "accuracy"

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        limits = {"max_latency_ms": self.max_latency_ms, "max_size_mb": self.max_size_mb}
        return {name: value for name, value in limits.items() if value is not None}


@dataclass(frozen=True)
class FeatureSet:
    """One backbone at one image size (height, width), which iterations can share."""

    backbone: Backbone
    size: tuple[int, int]
    input: InputShape
    precision: RequestedPrecision

    @property
    def id(self) -> str:
        """Name of its files, e.g. `VGG16-128x128`."""
        height, width = self.size
        return f"{self.backbone.label}-{height}x{width}" + ("-any" if self.input == "any" else "")

    @property
    def title(self) -> str:
        """As people read it, e.g. `VGG16 at 128x128`."""
        return "{} at {}x{}".format(self.backbone.label, *self.size)


@dataclass(frozen=True)
class Trial:
    """One backbone x one iteration."""

    backbone: Backbone
    iteration: Iteration
    feature_set: FeatureSet
    batch_size: int
    seed: int

    @property
    def id(self) -> str:
        """Name of its files, e.g. `VGG16-iteration-3`."""
        return f"{self.backbone.label}-iteration-{self.iteration.number}"

    @property
    def title(self) -> str:
        """As people read it, e.g. `VGG16 / iteration 3`."""
        return f"{self.backbone.label} / iteration {self.iteration.number}"


@dataclass(frozen=True)
class Refit:
    """Another training of a trial's head, with one thing changed, named by `changed`.

    `seed`: of initialisation and batch order; `split_seed`: of the split, by `rule`; `fraction`: of
    the training images, 0..1.
    """

    changed: Literal["seed", "split", "rule", "fraction"]
    seed: int
    rule: SplitRule
    split_seed: int
    fraction: Share


@dataclass(frozen=True)
class Benchmark:
    """A validated benchmark file."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # also for the tables in it
    schema: Literal[1]
    name: Label
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    data: Data
    training: Training
    backbone: Annotated[tuple[Backbone, ...], Field(min_length=1)]
    iteration: Annotated[tuple[Iteration, ...], Field(min_length=1)]
    features: Features = field(default_factory=Features)
    latency: Latency = field(default_factory=Latency)
    selection: Selecting = field(default_factory=Selecting)
    export: Export = field(default_factory=Export)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)
    reference: tuple[Reference, ...] = ()

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every backbone x iteration, in the file's order."""
        return tuple(
            self._trial(backbone, iteration)
            for backbone in self.backbone
            for iteration in self.iteration
            if not iteration.backbones or backbone.label in iteration.backbones
        )

    def _trial(self, backbone: Backbone, iteration: Iteration) -> Trial:
        precision = self.features.precision
        feature_set = FeatureSet(backbone, iteration.size, iteration.input, precision)
        return Trial(backbone, iteration, feature_set, self.training.batch_size, self.seed)

    @property
    def feature_sets(self) -> tuple[FeatureSet, ...]:
        """The feature sets of the trials, each once, in the order of first use."""
        return tuple(dict.fromkeys(trial.feature_set for trial in self.trials))

    def refits(self, has_identity: bool) -> tuple[Refit, ...]:
        """The further trainings of each trial."""
        seed, rule = self.seed, self.data.split
        other: SplitRule = "identity" if rule == "random" else "random"
        has_other = has_identity and self.data.compare_rules
        return (
            *(Refit("seed", seed + k, rule, seed, 1.0) for k in range(1, self.training.seeds)),
            *(Refit("split", seed, rule, seed + k, 1.0) for k in range(1, self.data.splits)),
            *([Refit("rule", seed, other, seed, 1.0)] if has_other else []),
            *(Refit("fraction", seed, rule, seed, share) for share in self.training.fractions),
        )
