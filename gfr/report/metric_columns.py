"""The columns of a run's results, each defined once, and results.csv and results.parquet.

`COLUMNS` feeds those two files, summary.json, the comparison in the report, the console table and
Prefect's artifact: a new metric is one entry. docs/results-table.md explains the columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gfr.config.schema import Refit, Trial
from gfr.evaluation.metrics import Metrics
from gfr.evaluation.statistics import Spread
from gfr.measurement.latency import LatencyResult
from gfr.models.weights import Weights
from gfr.report.analysis import Analysis, Study
from gfr.report.formatting import interval, spread
from gfr.results.records import Run, TrialResult
from gfr.results.reference_records import PairedLatency, ReferenceResult
from gfr.storage import atomic
from gfr.types import SPLITS

View = Literal["comparison", "fitting", "console"]

# The order in which people read the splits.
_TITLES = {"test": "Test", "train": "Training", "validation": "Validation"}
_COUNTS = ("num_images", "male_as_male", "male_as_female", "female_as_male", "female_as_female")
_MD: tuple[View, ...] = ("comparison",)
_BOTH: tuple[View, ...] = ("comparison", "console")
_SAME = "="


@dataclass(frozen=True)
class Head:
    """One trained head: the trial's own or one of its refits; no result if the trial failed."""

    run: Run
    trial: Trial
    result: TrialResult | None = None
    study: Study | None = None  # of a trial's own head
    metrics: dict[str, Metrics] | None = None  # by split
    fit: Refit | None = None  # seed, split and fraction of the images that it was trained with
    changed: str = "nothing"  # from the trial's own head
    reason: str | None = None  # why the trial failed

    @property
    def status(self) -> str:
        """Whether the trial finished."""
        return "finished" if self.result else "failed"

    @property
    def is_selected(self) -> bool | None:
        """Whether the trial is the selected one; None before a selection."""
        selection = self.run.selection
        return selection.trial_id == self.trial.id if selection else None

    @property
    def rank(self) -> int | None:
        """The place of the trial in the ranking of the selection, from 1."""
        ranking = self.run.selection.ranking if self.run.selection else ()
        return ranking.index(self.trial.id) + 1 if self.trial.id in ranking else None

    @property
    def latency(self) -> LatencyResult | None:
        """The latency of the trial's fused model."""
        return self.run.latency_of(self.trial) if self.result else None

    @property
    def features(self) -> str | None:
        """Whether the run computed features of the trial."""
        if self.result is None:
            return None
        return "computed" if self.result.features.num_computed else "reused"

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of the latency of one image."""
        latency = self.latency
        return 1000 * latency.float32.single.percentile_s(95) if latency else None

    @property
    def weights(self) -> Weights:
        """The weights of the backbone."""
        return self.run.record.weights_of(self.trial.backbone.label)

    @property
    def note(self) -> str:
        """What must be read beside the numbers."""
        return self.result.features.note if self.result else self.weights.note


@dataclass(frozen=True)
class ReferenceLatency:
    """Latency and size of a reference under the names that they have in a trial."""

    float32: PairedLatency | None  # in turn with the selected model
    num_parameters: int | None
    size_bytes: int | None

    accelerated: None = None

    @property
    def is_contended(self) -> bool:
        """Whether other processes disturbed the timing."""
        return self.float32 is not None and self.float32.is_contended


@dataclass(frozen=True)
class ReferenceRow:
    """A reference among the rows of the tables for people: the sources of a Head that it has."""

    result: ReferenceResult
    study: None = None

    @property
    def title(self) -> str:
        """As people read it beside the trials."""
        return f"{self.result.label} (reference)"

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics by split; None where there are none."""
        return {split: self.result.metrics.get(split) for split in SPLITS}

    @property
    def latency(self) -> ReferenceLatency | None:
        """Latency and size; None if its answers are from a CSV file, or it failed."""
        if not self.result.reference.file or self.result.reason:
            return None
        parameters = self.result.num_parameters or None
        return ReferenceLatency(self.result.latency, parameters, self.result.num_bytes)


_UNITS = {"": (3, 1.0), "ms": (1, 1.0), "s": (2, 1.0), "M": (1, 1e6), "MB": (0, 1e6)}


@dataclass(frozen=True)
class Column:
    """One column.

    `source` is the path from a Head to the value. `dtype` is the type in results.csv, "" for a
    column that is not in that file. People read `header (unit)` and the value with the decimals of
    its unit (`_UNITS`: decimals, divisor) in the tables named by `views`. `path` is the place of
    the value in a trial of summary.json, `_SAME` if it is the source.
    """

    name: str
    dtype: str
    source: str
    header: str = ""
    unit: str = ""
    views: tuple[View, ...] = ()
    path: str = ""

    @property
    def title(self) -> str:
        """The header with its unit."""
        return f"{self.header} ({self.unit})" if self.unit else self.header

    def best(self, heads: Sequence[Head]) -> float | None:
        """Return the highest accuracy, or the lowest of any other number; None without any."""
        numbers = [value for value in map(self.value, heads) if isinstance(value, int | float)]
        return (max if self.name.endswith("accuracy") else min)(numbers, default=None)

    def value(self, head: Head | ReferenceRow) -> Any:
        """Follow the source; None from the first part that is None."""
        value: Any = head
        for name in self.source.split("."):
            if isinstance(value, tuple):
                value = value[int(name)]
            elif isinstance(value, dict):
                value = value[name]
            elif value is not None:
                value = getattr(value, name)
        return value

    def printed(self, value: Any) -> str:
        """Return a value as people read it, `-` where there is none."""
        match value:
            case None:
                return "-"
            case Spread():
                return spread(value)
            case tuple():
                return interval(value)
        num_decimals, divisor = _UNITS[self.unit]
        return f"{value / divisor:.{num_decimals}f}"


def _counts(split: str) -> Iterator[Column]:
    for name in _COUNTS:
        column = f"{split}_{name.removeprefix('num_')}"
        yield Column(column, "Int64", f"metrics.{split}.{name}", path=_SAME)


def _metric(split: str, name: str, *views: View) -> Column:
    """Return a column of the test set, or one of another split for these tables."""
    header, shown = f"{_TITLES[split]} {name}", _BOTH if split == "test" else views
    source = f"metrics.{split}.{name}"
    return Column(f"{split}_{name}", "Float64", source, header, views=shown, path=_SAME)


def _accuracies(split: str) -> Iterator[Column]:
    yield _metric(split, "accuracy", "fitting", "console")
    for number, end in enumerate(("low", "high")):
        source = f"metrics.{split}.interval.{number}"
        yield Column(f"{split}_accuracy_{end}", "Float64", source)


COLUMNS = (
    Column("run_id", "string", "run.record.run_id"),
    Column("created_utc", "string", "run.record.created_utc"),
    Column("benchmark", "string", "run.record.benchmark.name"),
    Column("data_source", "string", "run.record.data.source"),
    Column("data_digest", "string", "run.record.data.digest"),
    Column("trial", "string", "trial.id", path="trial"),
    Column("backbone", "string", "trial.backbone.label", path="backbone"),
    Column("iteration", "Int64", "trial.iteration.number", path="iteration"),
    Column("height_px", "Int64", "trial.iteration.size.0"),
    Column("width_px", "Int64", "trial.iteration.size.1"),
    Column("epochs", "Int64", "trial.iteration.epochs"),
    Column("batch_size", "Int64", "trial.batch_size"),
    *(Column(name, "string", name) for name in ("status", "reason", "changed")),
    Column("seed", "Int64", "fit.seed"),
    Column("rule", "string", "fit.rule"),
    Column("split_seed", "Int64", "fit.split_seed"),
    Column("fraction", "Float64", "fit.fraction"),
    Column("selected", "boolean", "is_selected"),
    Column("rank", "Int64", "rank"),
    *(column for split in SPLITS for column in _counts(split)),
    *(column for split in SPLITS for column in _accuracies(split)),
    Column("test_accuracy_95", "", "metrics.test.interval", "95% interval", "", _MD),
    Column("test_accuracy_seeds", "", "study.seeds", "Mean over seeds (range)", "", _MD),
    # The terminal has no room for the losses of training and validation.
    *(_metric(split, "loss", "fitting") for split in SPLITS),
    Column("test_roc_auc", "Float64", "study.roc.area", path=_SAME),
    Column("test_average_precision", "Float64", "study.precision_recall.average"),
    Column("test_ece", "Float64", "study.calibration.expected_error"),
    Column("test_brier", "Float64", "study.calibration.brier"),
    Column("temperature", "Float64", "study.temperature.value"),
    Column("p50_ms", "Float64", "latency.float32.p50_ms", "p50 latency", "ms", _BOTH),
    Column("p95_ms", "Float64", "p95_ms"),
    Column("inference_s", "Float64", "latency.float32.inference_s", "Inference time", "s", _BOTH),
    Column(
        "bfloat16_p50_ms",
        "Float64",
        "latency.accelerated.p50_ms",
        "p50 latency, bfloat16",
        "ms",
        _MD,
    ),
    Column("contended", "boolean", "latency.is_contended", path="latency.contended"),
    Column("num_parameters", "Int64", "latency.num_parameters", "Parameters", "M", _MD, _SAME),
    Column("size_bytes", "Int64", "latency.size_bytes", "Size", "MB", _MD, _SAME),
    Column("weights_source", "string", "weights.source", path="weights"),
    Column("note", "string", "note", path="note"),
    Column("precision", "string", "result.features.precision", path="precision"),
)


def shown_in(view: View) -> list[Column]:
    """Return the columns of a table for people: test first, then training and validation."""
    columns = [column for column in COLUMNS if view in column.views]
    ranks = {split: rank for rank, split in enumerate(_TITLES)}
    return sorted(columns, key=lambda column: ranks.get(column.name.split("_")[0], len(ranks)))


def heads(run: Run, analysis: Analysis | None = None) -> list[Head]:
    """Return the trials' own heads in the benchmark's order, failed trials among them."""
    benchmark, studies = run.record.benchmark, analysis.studies if analysis else {}
    own = Refit("seed", benchmark.seed, benchmark.data.split, benchmark.seed, 1.0)
    by_id = {row.trial.id: Head(run, row.trial, reason=row.reason) for row in run.failures}
    for row in run.trials:
        study = studies.get(row.trial.id)
        by_id[row.trial.id] = Head(run, row.trial, row, study, row.metrics, own)
    return [by_id[trial.id] for trial in benchmark.trials if trial.id in by_id]


def references(run: Run) -> list[ReferenceRow]:
    """Return the references of a run in the benchmark's order."""
    return list(map(ReferenceRow, run.references.values()))


def frame(run: Run, analysis: Analysis) -> pd.DataFrame:
    """Return one row a head: each trial's own, then its refits, and one a failed trial."""
    every = []
    for own in heads(run, analysis):
        every.append(own)
        for row in own.result.refits if own.result else ():
            again = replace(own, study=None, metrics=row.metrics, fit=row.refit)
            every.append(replace(again, changed=row.refit.changed))
    columns = [column for column in COLUMNS if column.dtype]
    values = {column.name: [column.value(head) for head in every] for column in columns}
    return pd.DataFrame(values).astype({column.name: column.dtype for column in columns})


def place(trial: dict[str, Any], head: Head) -> None:
    """Add the values to a trial of summary.json; where a part is None, so are its values."""
    for column in COLUMNS:
        *parts, name = (column.source if column.path == _SAME else column.path).split(".")
        target: Any = trial
        for part in parts:
            target = target and target[part]
        if name and target is not None:
            target[name] = column.value(head)


def write(directory: Path, table: pd.DataFrame) -> None:
    """Write `results.csv` and `results.parquet` atomically."""
    atomic.write_text(directory / "results.csv", table.to_csv(index=False, lineterminator="\n"))
    atomic.write_bytes(directory / "results.parquet", table.to_parquet(index=False))
