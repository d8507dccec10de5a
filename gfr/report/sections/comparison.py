"""Comparison: accuracy, loss, latency and size of every trial."""

from collections.abc import Sequence
from itertools import pairwise

from gfr.measurement.latency import LatencyResult
from gfr.report import facts, figures, markdown, svg
from gfr.report.figures import Entry, Figure
from gfr.report.formatting import CONTENDED, RANDOM, UNGATED
from gfr.report.metric_columns import (
    Column,
    Head,
    ReferenceRow,
    View,
    heads,
    references,
    shown_in,
)
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import NARROW_PX, Axis, Drawing, Frame, Point, Series
from gfr.results.records import Run, TrialResult
from gfr.results.reference_records import ReferenceResult
from gfr.types import SPLITS

_SMALL_BYTES = 10e6  # of a reference: below, its size has decimals

_CAPTION = "Test accuracy against latency of one image"


def section(report: Report) -> Section:
    """Return two tables, of the test set and of the fit, and accuracy against latency."""
    drawn = scatter(report.run)
    blocks: list[Block] = [
        _table(report, "comparison", ""),
        *_notes(report),
        _table(report, "fitting", "Training and validation"),
        Chart([drawn] if drawn else [], "accuracy-latency", _CAPTION),
    ]
    return Section("comparison", "Comparison", blocks)


def _table(report: Report, view: View, caption: str) -> Table:
    """Return every trial, references and the majority class; the best trial's value is bold.

    Leaves out what no trial has: bfloat16 latencies, and means where there is one seed.
    """
    every, run = heads(report.run, report.analysis), report.run
    columns = [
        column
        for column in shown_in(view)
        if (report.has_seeds or column.source != "study.seeds")
        and (column.name != "bfloat16_p50_ms" or any(map(column.value, every)))
    ]
    rows = [[_name(head), *(_cell(row, head, every) for row in columns)] for head in every]
    for outside in references(run):
        name = f"{outside.title}{': failed' if outside.result.reason else ''}"
        rows.append([name, *(_reference_cell(row, outside) for row in columns)])
    majority = {
        f"{split}_{name}": f"{value:.3f}"
        for split in SPLITS
        for name, value in run.record.split.constant_answer(split).items()
    }
    rows.append(["Majority class", *(majority.get(column.name, "") for column in columns)])
    return Table(["Trial", *(column.title for column in columns)], rows, caption)


def _cell(column: Column, head: Head, every: Sequence[Head]) -> str:
    value = column.value(head)
    cell = column.printed(value)
    if value is not None and value == column.best(every):
        cell = f"**{cell}**"
    is_contended = head.latency and head.latency.is_contended
    return f"{cell} {CONTENDED}" if column.unit in ("s", "ms") and is_contended else cell


def _reference_cell(column: Column, row: ReferenceRow) -> str:
    value = column.value(row)
    cell = column.printed(value)
    if column.unit == "MB" and value is not None and value < _SMALL_BYTES:
        cell = f"{value / 1e6:.2f}"
    is_contended = row.latency and row.latency.is_contended
    return f"{cell} {CONTENDED}" if column.unit == "ms" and cell != "-" and is_contended else cell


def _name(head: Head) -> str:
    name = head.trial.title
    if head.weights.source == "random":
        name += f" {RANDOM}"
    if facts.is_ungated(head.run, head.trial.backbone.label):
        name += f" {UNGATED}"
    if head.result is None:
        return f"{name}: failed"
    return f"{name} (selected)" if head.is_selected else name


def _notes(report: Report) -> list[str]:
    """Return the paragraphs that apply to this run."""
    run = report.run
    seeds = "; in parentheses the lowest and the highest seed" if report.has_seeds else ""
    precisions = list(map(markdown.text, facts.precisions(run)))
    notes: dict[str, object] = {
        "Bold: the best trial in each column. Accuracies and losses are for the "
        f"seed-{run.record.benchmark.seed} head; intervals are Wilson intervals{seeds}. "
        f"Inference time: the whole test set in batches of {run.batch_sizes}, from decoded "
        "pixels to probabilities. p50 latency: one image. Iterations with the same backbone and "
        "image size share one latency measurement. Models run in float32 unless stated "
        "otherwise. Size: float32 parameters. Majority class: a baseline that always predicts "
        "the more frequent class of the training set, with its share there as the probability.": (
            True
        ),
        "Reference: a classifier that was not trained here (see References); its p50 latency is "
        "measured in turn with the selected model, its size is that of its files.": run.references,
        f"{RANDOM} Random weights: these results say nothing about the backbone with ImageNet "
        "weights and must not be compared with ImageNet-weight results.": any(
            row.source == "random" for row in run.record.weights
        ),
        f"{UNGATED} bfloat16 features, {facts.GATE_NOT_RUN}.": any(
            facts.is_ungated(run, row.label) for row in run.record.benchmark.backbone
        ),
        f"Feature precision:\n\n{markdown.bullets(precisions)}": precisions,
        f"{CONTENDED} Contended: measured under background load. The model is probably faster on "
        "an idle machine.": any(row.is_contended for row in run.latencies.values()),
    }
    return [note for note, applies in notes.items() if applies] + _majority_notes(run)


def _majority_notes(run: Run) -> list[str]:
    """Name the trials that are not better than the majority class, with this or another seed."""
    share = run.record.split.majority_share
    weak = [row for row in run.trials if not run.is_better_than_majority(row)]
    others = [row for row in run.trials if row not in weak]
    unstable = [row for row in others if min(x.accuracy for x in row.over_seeds("test")) <= share]
    claims = {
        "**Not significantly better than the majority class** (95% interval)": weak,
        "**No better than the majority class with another seed**": unstable,
    }
    names = {text: ", ".join(row.trial.title for row in rows) for text, rows in claims.items()}
    return [f"{text}: {trials}." for text, trials in names.items() if trials]


def scatter(run: Run) -> Figure | None:
    """Test accuracy over latency of one image; None without a latency."""
    timed = [row for row in run.trials if run.latency_of(row.trial)]
    if not timed:
        return None
    outside = _timed_references(run)
    bounds = [bound for row in timed for bound in row.metrics["test"].interval]
    bounds += [bound for row in outside for bound in row.metrics["test"].interval]
    share = run.record.split.majority_share
    y = svg.linear("test accuracy, 95% interval", [*bounds, share], figures.percent, (0.0, 1.0))
    p50_ms = [row.float32.p50_ms for row in run.latencies.values()]
    p50_ms += [row.latency.p50_ms for row in outside if row.latency]
    x = svg.logarithmic("p50 latency of one image, ms (log scale)", p50_ms, 1.25)
    notes = ["number: iteration", "dotted: trials that share a model", "dashed: majority class"]
    if any(row.is_contended for row in run.latencies.values()):
        notes.append("‖: contended latency")
    return figures.both(
        lambda width: _scatter(run, timed, x, y, width),
        _CAPTION,
        [*figures.backbones(run), *figures.references(outside), *map(Entry, notes)],
    )


def _timed_references(run: Run) -> list[ReferenceResult]:
    return [row for row in run.references.values() if row.latency and not row.reason]


def _scatter(run: Run, timed: list[TrialResult], x: Axis, y: Axis, width: float) -> Drawing:
    frame = Frame(width, 380 if width > NARROW_PX else 330, x, y)
    share = run.record.split.majority_share
    behind = [frame.rule((x.low, share), (x.high, share))]
    series = []
    for key, latency in run.latencies.items():
        rows, places = [row for row in timed if row.trial.feature_set.id == key], []
        for number, row in enumerate(rows):
            # Trials of one model share a latency: they stand side by side about it.
            aside = 14 * (number - (len(rows) - 1) / 2)
            test = row.metrics["test"]
            point = Point(latency.float32.p50_ms, test.accuracy, _tip(row, latency), test.interval)
            series.append(Series(figures.look(run, row), points=[point], aside=aside))
            place, high = frame.at(point.x, test.interval[1])
            name = f"{row.trial.iteration.number}{' ‖' if latency.is_contended else ''}"
            behind.append(svg.text(place + aside, high - 4, name, "middle", "beside"))
            places.append((place + aside, frame.at(point.x, point.y)[1]))
        for start, end in pairwise(places):
            kind = f"shared {series[-1].look.colour_class}"
            behind.append(svg.line(*start, *end, kind))
    outside = _timed_references(run)
    for result in outside:
        series.append(Series(figures.REFERENCE, points=[figures.reference_point(result)]))
        place, high = frame.at(series[-1].points[0].x, result.metrics["test"].interval[1])
        behind.append(svg.text(place, high - 4, result.label, "middle", "beside"))
    num = f"{len(timed)} trials" + (f" and {len(outside)} references" if outside else "")
    return svg.plot(frame, series, f"Test accuracy and latency of {num}", behind)


def _tip(result: TrialResult, latency: LatencyResult) -> str:
    """Accuracy, latency and what limits them."""
    lines = [
        result.trial.title,
        f"test accuracy {figures.accuracy_tip(result.metrics['test'])}",
        f"p50 {latency.float32.p50_ms:.2f} ms, {latency.size_bytes / 1e6:.1f} MB",
        "contended" if latency.is_contended else "",
        result.features.note,
    ]
    return "\n".join(filter(None, lines))
