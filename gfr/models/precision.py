"""Precision of each frozen backbone: float32 or bfloat16, and the reason.

A Choice is made once per run, so that all its workers compute alike. It depends on the benchmark,
the machine's rates, the weights and the accuracy gates in benchmarks/precision.json. Does not
import TensorFlow.

A gate compares the accuracy of heads on bfloat16 features with that of heads on float32 features,
on real faces and ImageNet weights, over several seeds (benchmarks/studies/precision.py). It passes
if the 95% interval of the mean difference lies within +-0.5 points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gfr.config.schema import FeatureSet, Precision
from gfr.errors import InputError, reason
from gfr.measurement.hardware import Hardware
from gfr.measurement.reference_workload import Rates
from gfr.models.weights import Weights
from gfr.types import Amount, Positive

Gate = Literal["passed", "failed", "not run", "means nothing"]

MAX_DIFFERENCE = 0.005  # of the accuracy, in either direction

MAX_RELATIVE_ERROR = 0.03  # of the features of NUM_CHECKED_IMAGES, in every run

NUM_CHECKED_IMAGES = 64

BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")  # in /proc/cpuinfo

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
        """Whether the interval lies within the limits; heads that learnt nothing always pass."""
        return not self.beats_majority or -MAX_DIFFERENCE <= self.low <= self.high <= MAX_DIFFERENCE


@dataclass(frozen=True)
class GateRow:
    """The gate of one backbone at one image size, computed by one version of TensorFlow."""

    backbone: str
    size: tuple[int, int]
    scaling: str
    weights_sha256: str
    engine: str
    relative_error: float
    trials: Annotated[tuple[GateTrial, ...], Field(min_length=1)]

    @property
    def has_passed(self) -> bool:
        """Whether every trial has passed."""
        return all(trial.has_passed for trial in self.trials)


@dataclass(frozen=True)
class Choice:
    """The precision of a feature set; `gate` is "means nothing" for random weights."""

    feature_set_id: str
    precision: Precision
    why: str
    gate: Gate

    @property
    def note(self) -> str:
        """Text to be shown beside its results; empty for float32."""
        if self.precision == "float32":
            return ""
        gate = {"not run": ", gate not run", "failed": ", GATE FAILED"}.get(self.gate, "")
        return f"bfloat16 features{gate}"


@dataclass(frozen=True)
class Check:
    """Comparison of both precisions on a few images of a run.

    `relative_error`: norm of the features' difference divided by that of the float32 features.
    """

    num_images: Positive
    relative_error: Amount

    @property
    def objection(self) -> str:
        """The reason not to use bfloat16 after all; "" if there is none."""
        if self.relative_error > MAX_RELATIVE_ERROR:
            return f"bfloat16 features differ by {self.relative_error:.1%}"
        return ""


def may_accelerate_bfloat16(machine: Hardware) -> str:
    """Return what may accelerate bfloat16, e.g. `amx_bf16`; "" if nothing: no need to measure."""
    if machine.gpus:
        capabilities = [gpu.compute_capability for gpu in machine.gpus]
        has_all = all(each is not None and each >= BFLOAT16_CAPABILITY for each in capabilities)
        return "GPU" if has_all else ""
    return next((flag for flag in BFLOAT16_FLAGS if flag in machine.cpu_flags), "")


def choose(
    feature_set: FeatureSet,
    weights: Weights,
    rates: Rates | None,
    gates: Sequence[GateRow],
    engine: str,
) -> Choice:
    """Choose a precision; auto: bfloat16 if the machine accelerates it and its gate did not fail.

    `rates` None: the machine has no bfloat16 arithmetic.
    """
    gate = _gate_of(feature_set, weights, gates, engine)
    precision: Precision = "float32"
    if weights.source == "own":
        why = "own models are computed in float32"
    elif feature_set.precision != "auto":
        precision, why = feature_set.precision, "as requested"
    elif rates is None:
        why = "no bfloat16 arithmetic on this machine"
    elif rates.fastest == "bfloat16" and gate == "failed":
        why = "its bfloat16 gate has failed"
    else:
        precision = rates.fastest
        why = f"on this machine a convolution is {rates.speedup:.1f} times as fast in bfloat16"
    return Choice(feature_set.id, precision, why, gate)


def _gate_of(
    feature_set: FeatureSet, weights: Weights, gates: Sequence[GateRow], engine: str
) -> Gate:
    if weights.source == "random":
        return "means nothing"
    backbone = feature_set.backbone
    for row in gates:
        wanted = (backbone.name, feature_set.size, backbone.scaling, weights.sha256, engine)
        if wanted == (row.backbone, row.size, row.scaling, row.weights_sha256, row.engine):
            return "passed" if row.has_passed else "failed"
    return "not run"


def load_gates(path: Path) -> tuple[GateRow, ...]:
    """Return the recorded gates, none without the file; InputError if the file is damaged."""
    if not path.exists():
        return ()
    try:
        return TypeAdapter(tuple[GateRow, ...]).validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of gates ({reason(error)}); restore it") from None


def dump_gates(gates: Sequence[GateRow]) -> str:
    """Return the gates as JSON for `load_gates`."""
    return TypeAdapter(tuple[GateRow, ...]).dump_json(tuple(gates), indent=1).decode() + "\n"
