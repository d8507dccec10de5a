"""The results of a run as a table for the terminal and for Prefect."""

from typing import Any

from tabulate import tabulate

from gfr.data.layouts import SOURCES
from gfr.report import facts
from gfr.report.metric_columns import Head, ReferenceRow, heads, references, shown_in
from gfr.results import reference_analysis, store
from gfr.results.records import Run

_HEADER_WIDTH = 10  # characters: longer headers wrap, so that a terminal holds the table
_WEAK = ", NOT SIGNIFICANTLY BETTER THAN THE MAJORITY CLASS (95% interval)"


def rows(run: Run) -> list[dict[str, Any]]:
    """Return one row a trial, finished ones first, then the references; failures have a reason."""
    trials = [
        {
            "trial": head.trial.title + (" *" if head.is_selected else ""),
            **{column.name: column.value(head) for column in shown_in("console")},
            "features": head.features,
            "note": _note(head),
        }
        for head in sorted(heads(run), key=lambda head: head.result is None)
    ]
    return trials + [_reference(row) for row in references(run)]


def _reference(row: ReferenceRow) -> dict[str, Any]:
    reason, is_contended = row.result.reason, row.latency and row.latency.is_contended
    notes = ["not trained here", *(["latency CONTENDED"] if is_contended else [])]
    return {
        "trial": row.title,
        **{column.name: column.value(row) for column in shown_in("console")},
        "features": None,
        "note": f"FAILED: {reason}" if reason else "; ".join([*notes, *row.result.warnings]),
    }


def _note(head: Head) -> str:
    if head.result is None:
        return f"FAILED: {head.reason}"
    is_contended = head.latency and head.latency.is_contended
    return "; ".join(filter(None, (head.note, "latency CONTENDED" if is_contended else "")))


def text(run: Run) -> str:
    """Return the table with what has to be read beside it; long notes stand below it."""
    data, split = run.record.data, run.record.split
    table, columns, numbers = rows(run), shown_in("console"), {"": ""}
    for row in table:
        row |= {column.name: column.printed(row[column.name]) for column in columns}
        number = numbers.setdefault(row["note"], f"({len(numbers)})")
        row |= {"features": row["features"] or "-", "note": number}
    titles = {column.name: column.title for column in columns}
    align = ["left", *["right"] * len(columns), "left", "left"]
    drawn = tabulate(
        table, titles, colalign=align, disable_numparse=True, maxheadercolwidths=_HEADER_WIDTH
    )
    lines = [
        f"{run.record.run_id}: {SOURCES[data.source].title}, {data.num_used:,} images, "
        f"test n = {split.num_male['test'] + split.num_female['test']:,}",
        "",
        drawn,
        "",
        *(f"{number} {note}" for note, number in numbers.items() if note),
        f"majority class on test: {split.majority_share:.3f}; inference time: the whole test set "
        f"in batches of {run.batch_sizes}; p50 latency: one image",
    ]
    if run.selection:
        weak = "" if run.is_better_than_majority(run.result_of(None)) else _WEAK
        rule, choices = "validation accuracy", run.selection.choices
        if choices and choices.prefer != "accuracy":
            quantity = "validation loss" if choices.prefer == "loss" else choices.prefer
            rule = f"{quantity}, among those not significantly worse on validation"
        lines.append(f"* selected by {rule}: {run.selection.trial_id}{weak}")
        if words := facts.recommendation(run):
            lines.append(f"recommended format: {words}")
        lines += filter(None, [_better_references(run)])
    return "\n".join([*lines, f"records: {run.directory}"])


def _better_references(run: Run) -> str:
    """Name the references that are better than the selected trial; "" without any."""
    if not reference_analysis.answered(run):
        return ""
    _, faces, splits = store.open_run(run.directory)
    return facts.better_references(run, reference_analysis.compare(run, faces, splits))
