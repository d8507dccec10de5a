"""The records of a run.

Each record is a JSON file with a schema number (gfr/storage/run_directory.py lists them). The
report is made from these files alone. Does not import TensorFlow.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from gfr.config.schema import Benchmark, FeatureSet, Precision, Preference, Refit, Trial
from gfr.data.layouts import SOURCES
from gfr.data.records import DataRecord, SplitRecord
from gfr.errors import InputError
from gfr.evaluation.metrics import History, Metrics, probabilities
from gfr.evaluation.statistics import ALPHA
from gfr.measurement import latency, reference_workload, resources, software
from gfr.measurement.hardware import Hardware
from gfr.models.feature_store import Extracted, Part
from gfr.models.precision import Check, Choice
from gfr.models.weights import Weights
from gfr.results import (
    deployment_records,
    export_records,
    reference_records,
    regression_records,
)
from gfr.types import Above0, BySplit, Count, Logit, NonEmpty, Positive, Scale, Share


@dataclass(frozen=True)
class RunRecord:
    """The request for a run, and the data, weights and machine that it started with."""

    schema: Literal[3]
    run_id: str
    created_utc: str
    command: str
    data_request: str
    weights_request: str
    benchmark: Benchmark
    data: DataRecord
    split: SplitRecord
    weights: tuple[Weights, ...]
    rates: reference_workload.Rates | None  # None: the machine accelerates no arithmetic
    choices: tuple[Choice, ...]  # the arithmetic of each feature set
    cache: str
    cache_id: str  # written in the cache, so that a worker can recognise it
    fresh: bool
    provenance: software.Provenance
    hardware: Hardware
    cost: resources.Cost
    # Both are None in the first records of this schema.
    settings: dict[str, str] | None = None  # that change speed (gfr/measurement/hardware.py)
    num_usable_threads: Positive | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if weights or arithmetic are not those of the benchmark."""
        if {row.label for row in self.benchmark.backbone} != {row.backbone for row in self.weights}:
            raise ValueError("weights of other backbones than the benchmark's")
        chosen = {row.feature_set_id for row in self.choices}
        if {row.id for row in self.benchmark.feature_sets} != chosen:
            raise ValueError("arithmetic of other feature sets than the benchmark's")

    def choice_of(self, feature_set: FeatureSet) -> Choice:
        """The arithmetic chosen for a feature set."""
        return next(row for row in self.choices if row.feature_set_id == feature_set.id)

    def weights_of(self, label: str) -> Weights:
        """The weights of the backbone with this label."""
        return next(row for row in self.weights if row.backbone == label)


@dataclass(frozen=True)
class PartResult:
    """One worker's part of a feature set; `worker` is `machine/process`."""

    schema: Literal[3]
    feature_set: FeatureSet
    part: Part
    worker: str
    hardware: Hardware
    extracted: Extracted
    check: Check | None
    cost: resources.Cost


@dataclass(frozen=True)
class FeatureResult:
    """One feature set: `scale` is the constant on the pooled output, 1 but for random weights."""

    schema: Literal[3]
    feature_set: FeatureSet
    weights: Weights
    num_dims: Positive
    num_images: Positive
    precision: Precision
    note: str  # to show beside its numbers
    scale: Scale
    parts: NonEmpty[PartResult]

    @property
    def check(self) -> Check | None:
        """The first comparison of both precisions that a part made."""
        return next((row.check for row in self.parts if row.check), None)

    @property
    def directory(self) -> Path:
        """The directory of its shards."""
        return Path(self.parts[0].extracted.directory)

    @property
    def num_computed(self) -> int:
        """Images that this run computed, in its last attempt at each part."""
        return min(self.num_images, sum(row.extracted.num_computed for row in self.parts))

    @property
    def num_reused(self) -> int:
        """Images whose features were on disk."""
        return self.num_images - self.num_computed

    @property
    def cost(self) -> resources.Cost:
        """The longest part's wall seconds, all parts' CPU seconds, the largest memory."""
        costs = [row.cost for row in self.parts]
        wall_s, cpu_s = max(row.wall_s for row in costs), sum(row.cpu_s for row in costs)
        return resources.Cost(wall_s, cpu_s, max(row.peak_memory_bytes for row in costs))


@dataclass(frozen=True)
class RefitResult:
    """A trial's head after another training (spec.Refit), with its `metrics` by split."""

    refit: Refit
    metrics: BySplit[Metrics]

    @property
    def num_train(self) -> int:
        """Number of training images."""
        return self.metrics["train"].num_images


@dataclass(frozen=True)
class TrialResult:
    """One trial: `metrics` by split, logits of p_male by image name.

    `refits`: the same head with another seed, split or number of training images.
    """

    schema: Literal[3]
    run_id: str
    trial: Trial
    data_digest: str
    worker: str  # machine/process
    features: FeatureResult
    history: History
    metrics: BySplit[Metrics]
    train_cost: resources.Cost
    provenance: software.Provenance
    hardware: Hardware
    validation_logits: dict[str, Logit]
    test_logits: dict[str, Logit]
    refits: tuple[RefitResult, ...]
    refit_cost: resources.Cost

    def __post_init__(self) -> None:
        """Raise ValueError if the features are not those of the trial, or logits are missing."""
        if self.features.feature_set != self.trial.feature_set:
            raise ValueError("features of another feature set than the trial's")
        for split, logits in (("validation", self.validation_logits), ("test", self.test_logits)):
            if len(logits) != self.metrics[split].num_images:
                raise ValueError(f"{len(logits)} logits of {split} images")

    @property
    def test_probabilities(self) -> dict[str, float]:
        """p_male of each test image by its name, 0..1."""
        p_male = probabilities(np.array(list(self.test_logits.values())))
        return dict(zip(self.test_logits, p_male.tolist(), strict=True))

    def refits_of(self, changed: str) -> tuple[RefitResult, ...]:
        """The refits in which this was changed, in the order of training."""
        return tuple(row for row in self.refits if row.refit.changed == changed)

    def over_seeds(self, split: str) -> tuple[Metrics, ...]:
        """Metrics on a split: the trial's own, then those of each other seed."""
        others = (row.metrics[split] for row in self.refits_of("seed"))
        return (self.metrics[split], *others)


@dataclass(frozen=True)
class RetimedRow:
    """Another measurement in one precision; `max_difference` is over the timed images only."""

    precision: Precision
    single: latency.Samples
    num_attempts: Positive
    witness_s: Above0
    max_difference: Share


@dataclass(frozen=True)
class Retimed:
    """Another latency measurement of one feature set's fused model on single images.

    It was repeated because the first one looked worse than the history allows.
    """

    schema: Literal[1]
    feature_set: FeatureSet
    rows: NonEmpty[RetimedRow]


@dataclass(frozen=True)
class Failure:
    """A failed trial and the reason."""

    schema: Literal[3]
    trial: Trial
    reason: str


@dataclass(frozen=True)
class ValidationTest:
    """A trial compared with the most accurate one on the same validation images.

    The heads are those with the benchmark's own seed. `p_value`: exact McNemar test; `p_holm`:
    adjusted for all trials that are compared.
    """

    trial_id: str
    only_first_right: Count
    only_this_right: Count
    p_value: Share
    p_holm: Share

    @property
    def is_worse(self) -> bool:
        """Whether the trial is significantly less accurate."""
        return self.only_first_right > self.only_this_right and self.p_holm < ALPHA


@dataclass(frozen=True)
class Choices:
    """What each value of `prefer` selects, by trial id, and `prefer`, the benchmark's.

    Accuracy selects the most accurate trial, with which `tests` compare the other trials, in the
    order of their accuracy; only trials within the limits, or all if none is.
    """

    prefer: Preference
    by_preference: dict[Preference, str]
    tests: tuple[ValidationTest, ...]

    def __post_init__(self) -> None:
        """Raise ValueError if a choice is missing, or is not of a trial that may be chosen."""
        if set(self.by_preference) != set(get_args(Preference)):
            raise ValueError("not one choice for each preference")
        if not set(self.by_preference.values()) <= set(self.equal):
            raise ValueError("a choice that is not among the trials to choose from")

    @property
    def equal(self) -> tuple[str, ...]:
        """The most accurate trial, and those that are not significantly worse on validation."""
        others = (row.trial_id for row in self.tests if not row.is_worse)
        return (self.by_preference["accuracy"], *others)


@dataclass(frozen=True)
class Selection:
    """The selected trial and the ranking of all, best first, by the validation split.

    `beyond`: by trial id, why a trial exceeds the benchmark's limits; such trials come last.
    """

    schema: Literal[3]
    trial_id: str
    ranking: tuple[str, ...]
    beyond: dict[str, str]
    choices: Choices | None = None  # None in records of earlier versions

    def __post_init__(self) -> None:
        """Raise ValueError if another trial leads, or a trial is named that is not ranked."""
        if self.ranking[:1] != (self.trial_id,):
            raise ValueError("the selected trial does not lead the ranking")
        if not set(self.beyond) <= set(self.ranking):
            raise ValueError("a trial beyond the limits is not in the ranking")
        if self.choices is None:
            return
        if self.choices.by_preference[self.choices.prefer] != self.trial_id:
            raise ValueError("the selected trial is not that of the preference")
        named = {*self.choices.equal, *(row.trial_id for row in self.choices.tests)}
        if not named <= set(self.ranking):
            raise ValueError("a compared trial is not in the ranking")


@dataclass(frozen=True)
class Run:
    """All records of one run directory."""

    directory: Path
    record: RunRecord
    trials: tuple[TrialResult, ...]  # in the benchmark's order
    failures: tuple[Failure, ...]
    latencies: dict[str, latency.LatencyResult]  # by feature set id
    selection: Selection | None
    export: export_records.ExportResult | None  # of the selected trial
    page: export_records.PageResult | None  # of this export in a browser
    verdict: regression_records.Verdict | None = None
    # By feature set id.
    engine_latencies: dict[str, deployment_records.EngineLatency] = field(default_factory=dict)
    # Of the selected trial; by name of the format.
    formats: dict[str, deployment_records.FormatResult] = field(default_factory=dict)
    format_latency: deployment_records.EngineLatency | None = None
    # By label, in the benchmark's order.
    references: dict[str, reference_records.ReferenceResult] = field(default_factory=dict)

    @property
    def features(self) -> list[FeatureResult]:
        """The features of the finished trials, each feature set once."""
        return list({row.features.feature_set: row.features for row in self.trials}.values())

    def result_of(self, trial_id: str | None) -> TrialResult:
        """Return a finished trial, the selected one unless named; InputError if there is none."""
        wanted = trial_id or (self.selection.trial_id if self.selection else None)
        by_id = {result.trial.id: result for result in self.trials}
        if wanted in by_id:
            return by_id[wanted]
        known = ", ".join(by_id) or "none has finished"
        what = f"no trial {wanted}" if wanted else "no model is selected; name a trial"
        raise InputError(f"{self.directory}: {what}; known: {known}")

    def notes_of(self, result: TrialResult) -> list[str]:
        """The caveats to show beside any answer of this trial's model."""
        notes = [result.features.weights.note, SOURCES[self.record.data.source].warning]
        if not self.is_better_than_majority(result):
            share = f"{self.record.split.majority_share:.1%} of the test images"
            notes.append(f"not shown to be better than one constant answer, right for {share}")
        return list(filter(None, notes))

    def introduce(self, result: TrialResult) -> str:
        """Name the model in one line: `VGG16 / iteration 3, run ... of benchmark full`."""
        notes = "; ".join(self.notes_of(result))
        run = f"run {self.record.run_id} of benchmark {self.record.benchmark.name}"
        return f"{result.trial.title}, {run}" + (f" ({notes})" if notes else "")

    def is_better_than_majority(self, result: TrialResult) -> bool:
        """Whether Wilson's 95% interval of the test accuracy lies above the majority share."""
        return result.metrics["test"].interval[0] > self.record.split.majority_share

    @property
    def batch_sizes(self) -> str:
        """Batch size of the latency measurement of the test set, as text: `64`."""
        return ", ".join(sorted({str(row.batch_size) for row in self.latencies.values()})) or "-"

    def latency_of(self, trial: Trial) -> latency.LatencyResult | None:
        """Return the latency of a trial's fused model, which its feature set's trials share."""
        return self.latencies.get(trial.feature_set.id)
