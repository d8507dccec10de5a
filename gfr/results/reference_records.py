"""Records of references: classifiers that are measured in a run but were not trained in it.

Does not import any runtime.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from gfr.config import scaling as config_scaling
from gfr.config.references import Crop, Reference
from gfr.config.scaling import Scaling
from gfr.evaluation.references import Scores
from gfr.measurement.latency import Samples
from gfr.measurement.resources import Cost
from gfr.types import Count, Positive, Share


@dataclass(frozen=True)
class Tried:
    """A way to use a reference, on the validation images: scaling and crop, or a CSV file.

    `scores` is None if it failed, with the reason.
    """

    scores: Scores | None
    scaling: Scaling = ""
    crop: Crop = "none"
    predictions: str = ""
    is_inverted: bool = False
    reason: str = ""

    @property
    def title(self) -> str:
        """As people read it: `scaling caffe, crop 100 px`, or the name of the CSV file."""
        parts = [Path(self.predictions).name] if self.predictions else []
        if self.scaling:
            parts.append(f"scaling {config_scaling.title(self.scaling)}")
        if isinstance(self.crop, int):
            parts.append(f"crop {self.crop} px")
        elif self.crop != "none":
            parts.append("crop " + ", ".join(f"{share:g}" for share in self.crop))
        return ", ".join(parts + (["inverted"] if self.is_inverted else []))

    @property
    def rank(self) -> tuple[int, float]:
        """Lower is better: images classified correctly, then loss."""
        if self.scores is None:
            return 1, 0.0
        loss = self.scores.loss
        return -self.scores.num_right, float("inf") if loss is None else loss


@dataclass(frozen=True)
class PairedLatency:
    """Single images classified by a reference and by the model of `trial_id`, call by call in turn.

    Both from decoded uint8 pixels in memory to p_male, in one process.
    """

    trial_id: str
    single: Samples
    selected: Samples
    num_attempts: Positive
    cost: Cost

    @property
    def p50_ms(self) -> float:
        """Median latency of the reference on one image, milliseconds."""
        return 1000 * self.single.percentile_s(50)

    @property
    def inference_s(self) -> None:
        """Not measured: seconds of the whole test set in batches."""

    @property
    def selected_p50_ms(self) -> float:
        """Median latency of the trial's model on one image, milliseconds."""
        return 1000 * self.selected.percentile_s(50)

    @property
    def is_contended(self) -> bool:
        """Whether other processes took enough CPU time to spoil the values."""
        return self.single.is_contended

    @property
    def is_faster(self) -> bool:
        """Whether the 95% interval of the reference's median lies below that of the trial's."""
        ours, theirs = self.single.interval_s(50), self.selected.interval_s(50)
        return bool(ours and theirs and ours[1] < theirs[0])


@dataclass(frozen=True)
class ReferenceResult:
    """One reference. `reason`: why it failed, in which case it has not classified any image.

    `digest`: SHA-256 of all its files, `num_bytes` their size. `tried`: in the order of the
    benchmark file; `chosen`: the place of the one that was used, by validation alone. `validation`
    and `test`: p_male by image name; images without an answer are absent. `notes`: what was assumed
    of a CSV file. `warnings`: what suggests that it is not used as meant; `attempts`: other ways
    that were tried for that reason, none of which was used.
    """

    schema: Literal[1]
    run_id: str
    reference: Reference
    digest: str = ""
    num_bytes: Count = 0
    num_parameters: Count = 0
    runtime: str = ""
    runtime_version: str = ""
    reason: str = ""
    tried: tuple[Tried, ...] = ()
    chosen: Count | None = None
    validation: dict[str, Share] = field(default_factory=dict)
    test: dict[str, Share] = field(default_factory=dict)
    metrics: dict[str, Scores] = field(default_factory=dict)  # of these two splits
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    attempts: tuple[Tried, ...] = ()
    latency: PairedLatency | None = None
    latency_reason: str = ""
    cost: Cost | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if a result is incomplete."""
        if self.reason:
            return
        if self.chosen is None or self.chosen >= len(self.tried):
            raise ValueError("nothing is chosen of what was tried")
        if set(self.metrics) != {"validation", "test"}:
            raise ValueError("metrics of other splits than validation and test")
        for split, answers in (("validation", self.validation), ("test", self.test)):
            if len(answers) != self.metrics[split].num_found:
                raise ValueError(f"{len(answers)} answers to {split} images")

    @property
    def label(self) -> str:
        """Its name in the benchmark file."""
        return self.reference.label

    @property
    def used(self) -> Tried | None:
        """What was used of what was tried; None if the reference failed."""
        return None if self.chosen is None else self.tried[self.chosen]

    @property
    def gives_probabilities(self) -> bool:
        """Whether its answers are probabilities, not only 0 and 1."""
        return bool(self.metrics) and self.metrics["test"].loss is not None

    def answers(self, split: str, names: list[str]) -> np.ndarray:
        """Return p_male of these images, float64 (N,); NaN for an image without one."""
        found = self.validation if split == "validation" else self.test
        return np.array([found.get(name, np.nan) for name in names], np.float64)
