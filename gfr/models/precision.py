"""In which arithmetic a frozen backbone is computed, and why.

In: what a benchmark asks for, the machine's rates, the weights, the gates that were run
(benchmarks/precision.json). Out: a Choice for each feature set, made once for a run so that all its
workers compute alike. Never computes, never imports TensorFlow.

A gate compares the accuracy of heads on bfloat16 features with that of heads on float32 features,
on real faces and ImageNet weights, over several seeds (benchmarks/studies/precision.py). It passes
if the 95 % interval of the mean difference lies within +-0.5 points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from gfr.config.schema import FeatureSet, Precision
from gfr.errors import BadInput, reason
from gfr.measurement.hardware import Hardware
from gfr.measurement.reference_workload import Rates
from gfr.models.weights import Weights
from gfr.types import Above0, Amount, Positive

Gate = Literal["passed", "failed", "not run", "means nothing"]

MAX_DIFFERENCE = 0.005  # of the accuracy, either way

MAX_RELATIVE_ERROR = 0.03  # of the features of CHECKED images, in every run

NUM_CHECKED_IMAGES = 64

BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")  # by /proc/cpuinfo's names

BFLOAT16_CAPABILITY = (8, 0)  # CUDA compute capability of the first GPUs with bfloat16 (Ampere)


@dataclass(frozen=True)
class GateTrial:
    """One trial of a gate: accuracy differences bfloat16 - float32 by head seed, -1..1."""

    iteration: int
    beats_majority: bool
    float32_accuracies: tuple[float, ...]
    differences: Annotated[tuple[float, ...], Field(min_length=2)]
    mean: float
    low: float
    high: float

    @property
    def has_passed(self) -> bool:
        """Whether the interval lies within the limits; a head that learnt nothing is left out."""
        return not self.beats_majority or -MAX_DIFFERENCE <= self.low <= self.high <= MAX_DIFFERENCE


@dataclass(frozen=True)
class GateRow:
    """The gate of one backbone at one size with one engine."""

    backbone: str
    size: tuple[int, int]
    scaling: str
    weights_sha256: str
    engine: str
    relative_error: float
    trials: Annotated[tuple[GateTrial, ...], Field(min_length=1)]

    @property
    def has_passed(self) -> bool:
        """Whether every trial has."""
        return all(trial.has_passed for trial in self.trials)


@dataclass(frozen=True)
class Choice:
    """What a feature set is computed in; `gate` is "means nothing" for random weights."""

    feature_set_id: str
    precision: Precision
    why: str
    gate: Gate

    @property
    def note(self) -> str:
        """What must stand beside its numbers; nothing for float32."""
        if self.precision == "float32":
            return ""
        return {
            "passed": "bfloat16 features",
            "not run": "bfloat16 features, gate not run",
            "failed": "bfloat16 features, GATE FAILED",
            "means nothing": "bfloat16 features",
        }[self.gate]


@dataclass(frozen=True)
class Check:
    """A few images of a run in both precisions.

    `relative_error`: norm of the difference of their features over that of the float32 features.
    Images a second are of these few, to show which arithmetic is the faster here.
    """

    num_images: Positive
    relative_error: Amount
    float32_images_per_s: Above0
    bfloat16_images_per_s: Above0

    @property
    def objection(self) -> str:
        """Why bfloat16 is not to be used after all; "" if it is."""
        if self.relative_error > MAX_RELATIVE_ERROR:
            return f"bfloat16 features differ by {self.relative_error:.1%}"
        return ""


def may_accelerate_bfloat16(machine: Hardware) -> str:
    """What of the machine may, e.g. `amx_bf16`; "" if nothing does: measuring is then idle."""
    if machine.gpus:
        capabilities = [gpu.compute_capability for gpu in machine.gpus]
        has_all = all(row is not None and row >= BFLOAT16_CAPABILITY for row in capabilities)
        return "GPU" if has_all else ""
    return next((flag for flag in BFLOAT16_FLAGS if flag in machine.cpu_flags), "")


def choose(
    feature_set: FeatureSet,
    weights: Weights,
    rates: Rates | None,
    gates: Sequence[GateRow],
    engine: str,
) -> Choice:
    """auto: bfloat16 where the machine accelerates it and no gate of this engine has failed.

    `rates` None: the machine has no arithmetic for it.
    """
    gate = _gate_of(feature_set, weights, gates, engine)
    if weights.source == "own":
        return Choice(feature_set.id, "float32", "own models are computed in float32", gate)
    if feature_set.precision != "auto":
        return Choice(feature_set.id, feature_set.precision, "asked for", gate)
    if rates is None:
        return Choice(feature_set.id, "float32", "no bfloat16 arithmetic on this machine", gate)
    measured = f"a convolution is {rates.speedup:.1f} times as fast in bfloat16 here"
    if rates.fastest == "float32":
        return Choice(feature_set.id, "float32", measured, gate)
    if gate == "failed":
        return Choice(feature_set.id, "float32", "its bfloat16 gate has failed", gate)
    return Choice(feature_set.id, "bfloat16", measured, gate)


def _gate_of(
    feature_set: FeatureSet, weights: Weights, gates: Sequence[GateRow], engine: str
) -> Gate:
    if weights.source == "random":
        return "means nothing"
    backbone = feature_set.backbone
    for row in gates:
        same = (row.backbone, row.size, row.scaling) == (
            backbone.name, feature_set.size, backbone.scaling,
        )  # fmt: skip
        if same and (row.weights_sha256, row.engine) == (weights.sha256, engine):
            return "passed" if row.has_passed else "failed"
    return "not run"


def load_gates(path: Path) -> tuple[GateRow, ...]:
    """The gates that were run; BadInput if the file is damaged, none if there is no file."""
    if not path.exists():
        return ()
    try:
        return TypeAdapter(tuple[GateRow, ...]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BadInput(
            f"{path}: no list of gates ({reason(error)}); make it again with "
            "benchmarks/studies/precision.py"
        ) from None


def dump_gates(gates: Sequence[GateRow]) -> str:
    """As JSON, for `load_gates`."""
    return TypeAdapter(tuple[GateRow, ...]).dump_json(tuple(gates), indent=1).decode() + "\n"
