"""Read a benchmark file (TOML) into one frozen object, or refuse it with a clear message.

Trials and feature sets follow from its rows. Does not import TensorFlow and does not look at images
or weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from gfr.types import NAME, Above0, Amount, Share


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


SCHEMA = 1

MAX_SIDE_PX = 2048

_Label = Annotated[str, Field(pattern=NAME)]

_Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]

_Fraction = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Backbone:
    """One row `[[backbone]]`; empty `scaling` and `label` mean the backbone's own."""

    name: str
    scaling: str = ""
    weights: str = ""  # auto | imagenet | random | a directory; empty: as the run says
    label: _Label | Literal[""] = ""
    file: str = ""  # a user's own .keras model (gfr/models/custom_model.py); absolute once loaded


@dataclass(frozen=True)
class Iteration:
    """One row `[[iteration]]`: `size` is (height, width) in px, as Keras orders it."""

    number: Annotated[int, Field(ge=1, le=999)]
    size: tuple[_Side, _Side]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    input: Literal["fixed", "any"] = "fixed"  # the backbone's input shape: (*size, 3) or its own
    backbones: tuple[str, ...] = ()  # labels; empty: every backbone


# identity: no person is in two splits; official: the partition that comes with CelebA
SplitRule = Literal["random", "identity", "official"]


@dataclass(frozen=True)
class Data:
    """Table `[data]`: the number of images and their split; `splits`: 1 + repetitions.

    `compare_rules`: also train each head with the other rule, if identities are known.
    """

    images: Annotated[int, Field(ge=10)] | Literal["all"]
    test_fraction: _Fraction
    validation_fraction: _Fraction
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
    fractions: tuple[_Fraction, ...] = (0.125, 0.25, 0.5)


@dataclass(frozen=True)
class Features:
    """Table `[features]`: the arithmetic of the frozen backbone (gfr/models/precision.py)."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"


@dataclass(frozen=True)
class Latency:
    """Table `[latency]`: the minimum number of single images timed, and of seconds.

    `accelerated`: also time the arithmetic that this machine accelerates, if there is one.
    """

    calls: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    accelerated: bool = True


WebPrecision = Literal["float32", "uint16", "float16", "uint8"]


@dataclass(frozen=True)
class Export:
    """Table `[export]`: the precisions measured for the browser; none: no export.

    `javascript_images`: test images that each precision classifies in TensorFlow.js.
    """

    precisions: tuple[WebPrecision, ...] = ("float32", "uint16", "float16", "uint8")
    javascript_images: Annotated[int, Field(ge=1, le=1_000_000)] = 50


@dataclass(frozen=True)
class Selecting:
    """Table `[selection]`: limits of a selected model; none: only accuracy counts.

    `max_latency_ms`: p50 of one image in float32, on the machine that times it. `max_size_mb`: size
    of the parameters in float32.
    """

    max_latency_ms: Above0 | None = None
    max_size_mb: Above0 | None = None


@dataclass(frozen=True)
class FeatureSet:
    """One backbone at one image size (height, width), which iterations can share."""

    backbone: Backbone
    size: tuple[int, int]
    input: Literal["fixed", "any"]
    precision: Literal["auto", "float32", "bfloat16"]

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
    name: _Label
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


def problems(benchmark: Benchmark) -> Iterator[str]:
    """Yield a sentence for everything that contradicts another part of the file."""
    data, fractions = benchmark.data, benchmark.training.fractions
    precisions = benchmark.export.precisions
    own = [row.name for row in benchmark.backbone if row.file]
    sizes = {(row.backbone.label, row.size) for row in benchmark.feature_sets}
    if not benchmark.training.freeze:
        yield (
            "training.freeze = false: gfr computes each feature once, which is correct only for a "
            "frozen backbone; set freeze = true"
        )
    if data.test_fraction + data.validation_fraction >= 1:
        yield "data: test_fraction + validation_fraction leave nothing to train on"
    if data.split == "official" and data.splits > 1:
        yield (
            f'data: splits = {data.splits} is impossible with split = "official", which is one '
            "split. Set splits = 1"
        )
    if len(sizes) < len(benchmark.feature_sets):
        yield '[[iteration]]: one size with input "fixed" and "any"; choose one of the two'
    if len(set(precisions)) < len(precisions):
        yield "export: a precision is listed twice"
    if precisions and "float32" not in precisions:
        yield 'export: precisions lack "float32", with which the others are compared'
    if own and benchmark.features.precision == "bfloat16":
        yield (
            f'features.precision = "bfloat16": {own[0]} is an own model, which is computed only in '
            'float32; set "auto"'
        )
    if list(fractions) != sorted(set(fractions)):
        yield "training: fractions must increase, each listed once"


Precision = Literal["float32", "bfloat16"]
