"""Every head of a run as one table for pandas: `results.csv` and `results.parquet`.

In: a Run and its Analysis. Out: a DataFrame with one row a head (each trial's own, then each of its
refits) and one a failed trial; its columns are explained in docs/results-table.md. The same records
give the same bytes. Never measures, imports no TensorFlow.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gfr.analysis import Analysis, Study
from gfr.config.schema import Refit, Trial
from gfr.evaluation.metrics import Metrics
from gfr.results.records import Run, TrialResult
from gfr.storage import atomic
from gfr.types import SPLITS

OWN = "nothing"  # what is changed in a trial's own head

_COUNTS = ("images", "male_as_male", "male_as_female", "female_as_male", "female_as_female")
_OF_SPLIT = tuple(f"{split}_{name}" for split in SPLITS for name in _COUNTS)
_SHARES = tuple(
    f"{split}_{name}" for split in SPLITS for name in ("accuracy", "accuracy_low", "accuracy_high")
)
_LOSSES = tuple(f"{split}_loss" for split in SPLITS)

# Columns in their order, by type.
COLUMNS: dict[str, str] = {
    **dict.fromkeys(("run_id", "created_utc", "benchmark", "data_source", "data_digest"), "string"),
    **dict.fromkeys(("trial", "backbone"), "string"),
    **dict.fromkeys(("iteration", "height_px", "width_px", "epochs", "batch_size"), "Int64"),
    **dict.fromkeys(("status", "reason", "changed"), "string"),
    **{"seed": "Int64", "rule": "string", "split_seed": "Int64", "fraction": "Float64"},
    **{"selected": "boolean", "rank": "Int64"},
    **dict.fromkeys(_OF_SPLIT, "Int64"),
    **dict.fromkeys((*_SHARES, *_LOSSES), "Float64"),
    **dict.fromkeys(
        ("test_roc_auc", "test_average_precision", "test_ece", "test_brier", "temperature"),
        "Float64",
    ),
    **dict.fromkeys(("p50_ms", "p95_ms", "inference_s", "bfloat16_p50_ms"), "Float64"),
    **{"contended": "boolean", "num_parameters": "Int64", "size_bytes": "Int64"},
    **dict.fromkeys(("weights_source", "note", "precision"), "string"),
}


def frame(run: Run, analysis: Analysis) -> pd.DataFrame:
    """Rows in the benchmark's order; what does not apply is missing."""
    finished = {row.trial.id: row for row in run.trials}
    failed = {row.trial.id: row.reason for row in run.failures}
    rows: list[dict[str, object]] = []
    for trial in run.record.benchmark.trials:
        about = _about(run, trial)
        if trial.id in finished:
            study = analysis.studies[trial.id]
            rows += [about | row for row in _heads(run, finished[trial.id], study)]
        elif trial.id in failed:
            rows.append(about | {"status": "failed", "reason": failed[trial.id], "changed": OWN})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _about(run: Run, trial: Trial) -> dict[str, object]:
    record, chosen = run.record, run.selection
    ranking = chosen.ranking if chosen else ()
    height_px, width_px = trial.iteration.size
    weights = record.weights_of(trial.backbone.label)
    return {
        "run_id": record.run_id,
        "created_utc": record.created_utc,
        "benchmark": record.benchmark.name,
        "data_source": record.data.source,
        "data_digest": record.data.digest,
        "trial": trial.id,
        "backbone": trial.backbone.label,
        "iteration": trial.iteration.number,
        "height_px": height_px,
        "width_px": width_px,
        "epochs": trial.iteration.epochs,
        "batch_size": trial.batch_size,
        "selected": None if chosen is None else chosen.trial_id == trial.id,
        "rank": ranking.index(trial.id) + 1 if trial.id in ranking else None,
        "weights_source": weights.source,
        "note": weights.note,
    }


def _heads(run: Run, result: TrialResult, study: Study) -> list[dict[str, object]]:
    """The trial's own head, then its refits in the order in which they were trained."""
    benchmark = run.record.benchmark
    own = Refit("seed", benchmark.seed, benchmark.data.split, benchmark.seed, 1.0)
    shared = {
        "status": "finished",
        "note": result.features.note,
        "precision": result.features.precision,
        **_latency(run, result),
    }
    rows = [shared | _changed(own) | {"changed": OWN} | _metrics(result.metrics) | _study(study)]
    rows += [shared | _changed(row.refit) | _metrics(row.metrics) for row in result.refits]
    return rows


def _changed(refit: Refit) -> dict[str, object]:
    return {
        "changed": refit.changed,
        "seed": refit.seed,
        "rule": refit.rule,
        "split_seed": refit.split_seed,
        "fraction": refit.fraction,
    }


def _metrics(metrics: dict[str, Metrics]) -> dict[str, object]:
    row: dict[str, object] = {}
    for split in SPLITS:
        found = metrics[split]
        low, high = found.interval
        row[f"{split}_images"] = found.num_images
        row |= {f"{split}_{name}": getattr(found, name) for name in _COUNTS[1:]}
        row |= {f"{split}_accuracy": found.accuracy, f"{split}_loss": found.loss}
        row |= {f"{split}_accuracy_low": low, f"{split}_accuracy_high": high}
    return row


def _study(study: Study) -> dict[str, object]:
    return {
        "test_roc_auc": study.roc and study.roc.area,
        "test_average_precision": study.precision_recall and study.precision_recall.average,
        "test_ece": study.calibration.expected_error,
        "test_brier": study.calibration.brier,
        "temperature": study.temperature.value,
    }


def _latency(run: Run, result: TrialResult) -> dict[str, object]:
    latency = run.latency_of(result.trial)
    if latency is None:
        return {}
    faster = latency.accelerated
    return {
        "p50_ms": latency.float32.p50_ms,
        "p95_ms": 1000 * latency.float32.single.percentile_s(95),
        "inference_s": latency.float32.inference_s,
        "bfloat16_p50_ms": faster.p50_ms if faster else None,
        "contended": latency.is_contended,
        "num_parameters": latency.num_parameters,
        "size_bytes": latency.size_bytes,
    }


def write(directory: Path, table: pd.DataFrame) -> None:
    """`results.csv` and `results.parquet`, each whole or not at all."""
    atomic.write_text(directory / "results.csv", table.to_csv(index=False, lineterminator="\n"))
    columns = pa.Table.from_pandas(table, preserve_index=False)
    atomic.write(directory / "results.parquet", lambda file: pq.write_table(columns, file))
