"""The results of a run as a plain table.

In: a Run. Out: text. Pure: reads no file, imports no TensorFlow.
"""

import pandas as pd

from gfr.data.sources import SOURCES
from gfr.measurement.latency import LatencyResult
from gfr.results.records import Run, TrialResult

_WEAK = ", NOT SHOWN TO BE BETTER THAN THE MAJORITY CLASS (95 % interval)"
_FORMATS = ("", ".3f", ".3f", ".2f", ".3f", ".3f", ".3f", ".3f", ".1f", "", "")
_HEADERS = {
    "test_accuracy": "test acc",
    "test_loss": "loss",
    "inference_s": "inference s",
    "train_accuracy": "train acc",
    "train_loss": "loss",
    "validation_accuracy": "val acc",
    "validation_loss": "loss",
    "p50_ms": "p50 ms",
}


def rows(run: Run) -> pd.DataFrame:
    """One row a trial, in the benchmark's order; failed trials carry their reason."""
    selected = run.selection.trial_id if run.selection else None
    table = []
    for result in run.trials:
        latency = run.latency_of(result.trial)
        metrics = result.metrics
        table.append(
            {
                "trial": result.trial.title + (" *" if result.trial.id == selected else ""),
                "test_accuracy": metrics["test"].accuracy,
                "test_loss": metrics["test"].loss,
                "inference_s": latency.float32.inference_s if latency else None,
                "train_accuracy": metrics["train"].accuracy,
                "train_loss": metrics["train"].loss,
                "validation_accuracy": metrics["validation"].accuracy,
                "validation_loss": metrics["validation"].loss,
                "p50_ms": latency.float32.p50_ms if latency else None,
                "features": "computed" if result.features.num_computed else "reused",
                "note": _note(result, latency),
            }
        )
    table += [{"trial": row.trial.title, "note": f"FAILED: {row.reason}"} for row in run.failures]
    return pd.DataFrame(table, columns=["trial", *_HEADERS, "features", "note"])


def _numbered(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A number for each note, and what it says: in full, a line would be wider than a terminal."""
    notes = list(dict.fromkeys(filter(None, table["note"])))
    numbers = {note: f"({number})" for number, note in enumerate(notes, 1)}
    return (
        table.assign(note=table["note"].map(lambda note: numbers.get(note, ""))),
        [f"{numbers[note]} {note}" for note in notes],
    )


def _note(result: TrialResult, latency: LatencyResult | None) -> str:
    contended = "latency CONTENDED" if latency and latency.is_contended else ""
    return "; ".join(filter(None, (result.features.note, contended)))


def text(run: Run) -> str:
    """The table with what must be said beside it."""
    data, split = run.record.data, run.record.split
    table, notes = _numbered(rows(run))
    lines = [
        f"{run.record.run_id}: {SOURCES[data.source].title}, {data.num_used:,} images, "
        f"test n = {split.num_male['test'] + split.num_female['test']:,}",
        "",
        table.astype(object)
        .where(table.notna(), None)
        .rename(columns=_HEADERS)
        .to_markdown(index=False, floatfmt=_FORMATS, tablefmt="simple", missingval="-"),
        "",
        *notes,
        f"majority class on test: {split.majority_share:.3f}; inference: the whole test set in "
        f"batches of {run.batch_sizes}; p50: one image",
    ]
    if run.selection:
        weak = "" if run.is_better_than_majority(run.result_of(None)) else _WEAK
        lines.append(f"* selected by validation accuracy: {run.selection.trial_id}{weak}")
    return "\n".join([*lines, f"records: {run.directory}"])
