"""What is measured: a benchmark file becomes one frozen object.

In: a TOML file (benchmarks/*.toml). Out: Benchmark, whose trials and feature sets follow from its
rows. Never imports TensorFlow, never looks at images or weights; whatever is wrong with the file
is refused here, by name.
"""

import json
import math
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from gfr import own_file, spec_problems
from gfr.applications import APPLICATIONS, OWN_MODEL, OWN_PREPROCESSING, SCALINGS
from gfr.energy import Stated
from gfr.errors import BadInput, did_you_mean, reason
from gfr.types import NAME, Above0, Share

SCHEMA = 1
MAX_SIDE_PX = 2048

_FORBID = ConfigDict(extra="forbid")
_Label = Annotated[str, Field(pattern=NAME)]
_Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
_Fraction = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Backbone:
    """One row `[[backbone]]`; empty `scaling` and `label` mean the backbone's own."""

    __pydantic_config__ = _FORBID
    name: str
    scaling: str = ""
    weights: str = ""  # auto | imagenet | random | a directory; empty: as the run says
    label: _Label | Literal[""] = ""
    file: str = ""  # a user's own .keras model (gfr/own_file.py); absolute once loaded


@dataclass(frozen=True)
class Iteration:
    """One row `[[iteration]]`: `size` is (height, width) in px, as Keras orders it."""

    __pydantic_config__ = _FORBID
    number: Annotated[int, Field(ge=1, le=999)]
    size: tuple[_Side, _Side]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    input: Literal["fixed", "any"] = "fixed"  # the backbone's input shape: (*size, 3) or its own
    backbones: tuple[str, ...] = ()  # labels; empty: every backbone


SplitRule = Literal["random", "identity"]  # identity: nobody is in two splits


@dataclass(frozen=True)
class Data:
    """Table `[data]`: how many images, and how they are split; `splits`: 1 + repetitions.

    `compare_rules`: train each head once more with the other rule, where identities are known.
    """

    __pydantic_config__ = _FORBID
    images: Annotated[int, Field(ge=10)] | Literal["all"]
    test_fraction: _Fraction
    validation_fraction: _Fraction
    split: SplitRule = "random"
    splits: Annotated[int, Field(ge=1, le=100)] = 1
    compare_rules: bool = True

    @property
    def fractions(self) -> tuple[float, float]:
        """Of the test and of the validation images."""
        return self.test_fraction, self.validation_fraction


@dataclass(frozen=True)
class Training:
    """Table `[training]`. The head, Adam and the loss are fixed: gfr/head.py.

    `seeds`: heads a trial; the first has the benchmark's own seed and is the trial, the others
    count upwards and say how far the seed moves it. `fractions`: of the training images, for the
    curve of accuracy against their number.
    """

    __pydantic_config__ = _FORBID
    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    freeze: bool = True
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    fractions: tuple[_Fraction, ...] = (0.125, 0.25, 0.5)


@dataclass(frozen=True)
class Features:
    """Table `[features]`: the arithmetic of the frozen backbone (gfr/precision.py)."""

    __pydantic_config__ = _FORBID
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


@dataclass(frozen=True)
class Latency:
    """Table `[latency]`: how many single images are timed, and for how many seconds, at least.

    `accelerated`: also in the arithmetic that this machine accelerates, if there is any.
    """

    __pydantic_config__ = _FORBID
    calls: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    accelerated: bool = True


WebPrecision = Literal["float32", "uint16", "float16", "uint8"]


@dataclass(frozen=True)
class Export:
    """Table `[export]`: what the selected model is measured in for the browser; none: no export.

    `javascript_images`: test images that each precision classifies in TensorFlow.js.
    """

    __pydantic_config__ = _FORBID
    precisions: tuple[WebPrecision, ...] = ("float32", "uint16", "float16", "uint8")
    javascript_images: Annotated[int, Field(ge=1, le=1_000_000)] = 50


@dataclass(frozen=True)
class Selecting:
    """Table `[selection]`: what a model may cost to be selected; none: only accuracy counts.

    `max_latency_ms`: p50 of one image in float32, on the machine that times it. `max_size_mb`: of
    the parameters in float32.
    """

    __pydantic_config__ = _FORBID
    max_latency_ms: Above0 | None = None
    max_size_mb: Above0 | None = None


@dataclass(frozen=True)
class FeatureSet:
    """One backbone at one image size (height, width): what iterations can share."""

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
    """A trial's head trained once more, with one thing changed: what `changed` names.

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
    """All that a benchmark file says, checked."""

    __pydantic_config__ = _FORBID
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
    hardware: Stated = field(default_factory=Stated)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every backbone x iteration, in the file's order."""
        return tuple(
            Trial(backbone, iteration, self._feature_set(backbone, iteration), batch_size, seed)
            for batch_size, seed in [(self.training.batch_size, self.seed)]
            for backbone in self.backbone
            for iteration in self.iteration
            if not iteration.backbones or backbone.label in iteration.backbones
        )

    @property
    def feature_sets(self) -> tuple[FeatureSet, ...]:
        """What the trials need, each once, in the order of first use."""
        return tuple(dict.fromkeys(trial.feature_set for trial in self.trials))

    def refits(self, has_identity: bool) -> tuple[Refit, ...]:
        """How often each trial is trained again, and with what changed."""
        seed, rule = self.seed, self.data.split
        other: SplitRule = "random" if rule == "identity" else "identity"
        has_other = has_identity and self.data.compare_rules
        return (
            *(Refit("seed", seed + k, rule, seed, 1.0) for k in range(1, self.training.seeds)),
            *(Refit("split", seed, rule, seed + k, 1.0) for k in range(1, self.data.splits)),
            *([Refit("rule", seed, other, seed, 1.0)] if has_other else []),
            *(Refit("fraction", seed, rule, seed, share) for share in self.training.fractions),
        )

    def _feature_set(self, backbone: Backbone, iteration: Iteration) -> FeatureSet:
        return FeatureSet(backbone, iteration.size, iteration.input, self.features.precision)


def load(path: Path) -> Benchmark:
    """Read and check a benchmark file; BadInput names the file, the place and the cure."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device has no end
        raise BadInput(f"{path}: is no file; name a benchmark file")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); name a benchmark file, or one of "
            "benchmarks/ without .toml"
        ) from None
    # Beside its own error tomllib lets a ValueError (a number of 5,000 digits) and, for deep
    # nesting, a RecursionError through.
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not valid TOML ({error})") from None
    try:
        _refuse_what_breaks_features_once(document)
        own_file.locate(document, path.parent)
        return check(document)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def limited(benchmark: Benchmark, limits: Selecting) -> Benchmark:
    """The benchmark with those limits of a selected model that are given, in place of its own."""
    given = {name: value for name, value in vars(limits).items() if value is not None}
    for name, value in given.items():
        if not 0 < value < math.inf:
            raise BadInput(f"{name} = {value}: must be above 0")
    return replace(benchmark, selection=replace(benchmark.selection, **given))


def check(document: object) -> Benchmark:
    """A parsed benchmark document -> Benchmark with every default filled in."""
    try:
        text = json.dumps(document, default=str)
        benchmark = TypeAdapter(Benchmark).validate_json(text, strict=True)
    except ValidationError as error:
        raise BadInput(spec_problems.line(error, document, Benchmark)) from None
    except ValueError as error:  # a whole number of more digits than Python writes
        raise BadInput(reason(error)) from None
    filled = tuple(
        _fill(row, spec_problems.row_name("backbone", place, document))
        for place, row in enumerate(benchmark.backbone)
    )
    benchmark = Benchmark(**{**vars(benchmark), "backbone": filled})
    _check_rows(benchmark)
    return benchmark


def _refuse_what_breaks_features_once(document: dict[str, Any]) -> None:
    tables = [("", document)]
    for name, value in document.items():
        rows = value if isinstance(value, list) else [value]
        tables += [(f"{name}.", row) for row in rows if isinstance(row, dict)]
    for place, table in tables:
        if table.get("freeze") is False:
            raise BadInput(
                f"{place}freeze = false: gfr computes each feature once, which holds only for a "
                "frozen backbone; set freeze = true"
            )
        for key in table:
            if key.lower().startswith("augment"):
                raise BadInput(
                    f"{place}{key}: gfr computes each feature once, which holds only for "
                    "unaugmented images; remove it"
                )


def _fill(row: Backbone, where: str) -> Backbone:
    application = OWN_MODEL if row.file else APPLICATIONS.get(row.name)
    if row.file:
        own_file.check_row(row.name, row.file, row.weights, where)
    if application is None:
        raise BadInput(
            f"{where}: unknown name {row.name!r:.80}; {did_you_mean(row.name, APPLICATIONS)}"
            f"known: {', '.join(APPLICATIONS)}"
        )
    scaling = row.scaling or application.scaling
    if scaling not in SCALINGS:
        raise BadInput(f"{where}: unknown scaling {scaling!r}; known: {', '.join(SCALINGS)}")
    scales_itself = application.scaling == OWN_PREPROCESSING and not row.file
    if scales_itself and scaling != OWN_PREPROCESSING:
        raise BadInput(f"{where}: {row.name} scales its input itself; remove scaling = {scaling!r}")
    return Backbone(row.name, scaling, row.weights, row.label or row.name, row.file)


def _check_rows(benchmark: Benchmark) -> None:
    _refuse_repeats([row.label for row in benchmark.backbone], "backbone", "label")
    _refuse_repeats([row.number for row in benchmark.iteration], "iteration", "number")
    labels = {row.label for row in benchmark.backbone}
    for row in benchmark.iteration:
        for unknown in sorted(set(row.backbones) - labels):
            raise BadInput(
                f"iteration {row.number}: unknown backbone {unknown!r:.80}; "
                f"{did_you_mean(unknown, labels)}known: {', '.join(sorted(labels))}"
            )
    if benchmark.data.test_fraction + benchmark.data.validation_fraction >= 1:
        raise BadInput("data: test_fraction + validation_fraction leave nothing to train on")
    sizes = {(row.backbone.label, row.size) for row in benchmark.feature_sets}
    if len(sizes) < len(benchmark.feature_sets):
        raise BadInput(
            '[[iteration]]: one size with input "fixed" and "any"; choose one of the two'
        )
    _check_export(benchmark.export)
    fractions = benchmark.training.fractions
    own = [row.name for row in benchmark.backbone if row.file]
    if own and benchmark.features.precision == "bfloat16":
        raise BadInput(
            f'features.precision = "bfloat16": {own[0]} is an own model, computed in float32 '
            'alone; set "auto"'
        )
    if list(fractions) != sorted(set(fractions)):
        raise BadInput("training: fractions are to rise, each once")
    for trial in benchmark.trials:
        _check_size(trial.backbone, trial.iteration)


def _check_export(asked: Export) -> None:
    if len(set(asked.precisions)) < len(asked.precisions):
        raise BadInput("export: a precision stands twice")
    if asked.precisions and "float32" not in asked.precisions:
        raise BadInput('export: precisions lack "float32", against which the others are held')


def _check_size(backbone: Backbone, iteration: Iteration) -> None:
    name = backbone.name
    application = OWN_MODEL if backbone.file else APPLICATIONS[name]
    if min(iteration.size) < application.min_side_px:
        raise BadInput(
            f"iteration {iteration.number}: size {list(iteration.size)} is impossible, {name} "
            f"needs at least {application.min_side_px} px a side"
        )
    if iteration.input == "any" and not application.any_size:
        raise BadInput(
            f'iteration {iteration.number}: {name} cannot take any size; set input = "fixed"'
        )


def _refuse_repeats(values: list[str] | list[int], table: str, key: str) -> None:
    # Labels become file names: not every disk tells `a` from `A`.
    folded = [value.casefold() if isinstance(value, str) else value for value in values]
    for value, plain in zip(values, folded, strict=True):
        if folded.count(plain) > 1:
            raise BadInput(f"[[{table}]]: {key} {value!r} stands twice; give each its own {key}")
