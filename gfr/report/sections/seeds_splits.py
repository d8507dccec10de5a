"""Seeds and splits: test accuracy with other seeds, other splits and fewer training images."""

from dataclasses import replace
from itertools import groupby

from gfr.report import figures, svg
from gfr.report.figures import Entry, Figure, backbones, look
from gfr.report.formatting import bounds, spread, title, with_interval
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import DOT, Axis, Frame, Point, Row, Series
from gfr.results.records import TrialResult


def section(report: Report) -> Section | None:
    """Return a row a trial and, on the page, charts of seeds and numbers of images."""
    run, studies = report.run, report.analysis.studies
    columns, notes = _columns(report)
    if not columns:
        return None
    names = [title(run, trial_id) for trial_id in studies]
    rows = [list(row) for row in zip(names, *columns.values(), strict=True)]
    notes = [
        "Test accuracy unless stated otherwise.",
        *notes,
        f"Figures, paired tests and the exported model are for seed {run.record.benchmark.seed}.",
    ]
    blocks: list[Block] = [
        Table(["Trial", *columns], rows),
        " ".join(notes),
        Chart([*_seeds(report), *_sizes(report)], layout="auto"),
    ]
    return Section("seeds-and-splits", "Seeds and splits", blocks)


def _columns(report: Report) -> tuple[dict[str, list[str]], list[str]]:
    """Return the columns for the refits that the run has, which all trials share, and notes."""
    studies, columns, notes = list(report.analysis.studies.values()), {}, []
    if report.has_seeds:
        num = studies[0].seeds.num
        columns[f"Accuracy, {num} seeds"] = [spread(study.seeds) for study in studies]
        columns[f"Loss, {num} seeds"] = [spread(study.seed_losses) for study in studies]
        notes.append(
            "Seeds set the initialisation and the batch order of the head: mean (lowest to "
            "highest)."
        )
    if splits := [study.splits for study in studies if study.splits]:
        columns[f"Accuracy, {splits[0].num} splits"] = list(map(spread, splits))
        notes.append("Splits: other images in each part, mean (lowest to highest).")
    if rules := [study.rule for study in studies if study.rule]:
        tests = [row.metrics["test"] for row in report.run.trials]
        is_random = report.run.record.benchmark.data.split == "random"
        other = "Split by identity" if is_random else "Split by image"
        columns["Accuracy"] = [f"{test.accuracy:.3f}" for test in tests]
        columns[other] = [with_interval(rule.accuracy, rule.interval) for rule in rules]
        notes.append(
            "Split by identity: no person is in two parts. The other split rule has other test "
            "images; its interval is Wilson's."
        )
    sizes = [study.sizes for study in studies if study.sizes]
    for points in zip(*sizes, strict=True):
        header = f"{points[0][0]:,} training images"
        columns[header] = [f"{test.accuracy:.3f}" for _, test in points]
    if sizes:
        as_seeds = ", by about as much as the first column shows" if report.has_seeds else ""
        notes.append(
            "Smaller training sets: one head was trained per size, for the same number of epochs "
            "and therefore for fewer steps. Other seeds would give different results"
            f"{as_seeds}."
        )
    return columns, notes


def _seeds(report: Report) -> list[Figure]:
    if not report.has_seeds:
        return []
    rows = [_seed_row(report, result) for result in report.run.trials]
    caption = "Test accuracy over the seeds of the head"
    ends = [end for row in rows for end in (row.low, row.high)]
    label = "test accuracy; mean, Student's 95% interval"
    axis = svg.linear(label, ends, figures.percent, (0.0, 1.0))
    legend = [*backbones(report.run), Entry("one seed", DOT, has_line=False)]
    return [figures.both(lambda width: svg.rows(rows, axis, width, caption, None), caption, legend)]


def _seed_row(report: Report, result: TrialResult) -> Row:
    name, seeds = result.trial.title, report.analysis.studies[result.trial.id].seeds
    numbers = (result.trial.seed, *(row.refit.seed for row in result.refits_of("seed")))
    dots = tuple(
        (row.accuracy, f"{name}\nseed {seed}: test accuracy {row.accuracy:.4f}")
        for seed, row in zip(numbers, result.over_seeds("test"), strict=True)
    )
    low, high = bounds(seeds.low, seeds.high) or (seeds.mean, seeds.mean)
    tip = f"{name}\nmean of {seeds.num} seeds {with_interval(seeds.mean, (low, high), '.4f')}"
    style = look(report.run, result)
    return Row(name, seeds.mean, max(low, 0.0), min(high, 1.0), tip, style, dots)


def _sizes(report: Report) -> list[Figure]:
    """Draw accuracy by number of training images, one chart a backbone on the same scales."""
    every = [point for study in report.analysis.studies.values() for point in study.sizes]
    if not every:
        return []
    ends = [end for _, metrics in every for end in metrics.interval]
    label = "test accuracy, 95% interval"
    y = svg.linear(label, ends, figures.percent, (0.0, 1.0), num_ticks=8)
    numbers = sorted({num for num, _ in every})
    x = svg.logarithmic("training images (log scale)", numbers, 1.2)
    x = replace(x, ticks=tuple((num, f"{num:,}") for num in numbers))
    by_backbone = groupby(report.run.trials, lambda row: row.trial.backbone.label)
    return [_size_figure(report, label, list(rows), x, y) for label, rows in by_backbone]


def _size_figure(report: Report, label: str, rows: list[TrialResult], x: Axis, y: Axis) -> Figure:
    caption = f"{label}: accuracy by number of training images"
    series, legend = [], []
    for number, row in enumerate(rows):
        style = look(report.run, row)
        points = []
        for num, metrics in report.analysis.studies[row.trial.id].sizes:
            accuracy = f"test accuracy {figures.accuracy_tip(metrics)}"
            tip = f"{row.trial.title}\n{num:,} training images: {accuracy}"
            points.append(Point(num, metrics.accuracy, tip, metrics.interval))
        series.append(Series.through(points, style, aside=6 * (number - (len(rows) - 1) / 2)))
        legend.append(Entry(f"iteration {row.trial.iteration.number}", style))
    return Figure(caption, [svg.plot(Frame(350, 270, x, y), series, caption)], legend)
