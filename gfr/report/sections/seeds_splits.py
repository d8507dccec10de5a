"""Seeds and splits: test accuracy with other seeds, other splits and fewer training images."""

from collections.abc import Sequence
from dataclasses import replace

from gfr.evaluation.metrics import Metrics
from gfr.evaluation.statistics import Spread
from gfr.report import figures, svg
from gfr.report.analysis import Study
from gfr.report.figures import Entry, Figure, backbones, look
from gfr.report.formatting import spread, title, with_interval
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import DOT, Axis, Frame, Point, Row, Series
from gfr.results.records import Run, TrialResult


def section(report: Report) -> Section | None:
    """Return a row a trial and, on the page, charts of seeds and numbers of images."""
    studies = list(report.analysis.studies.values())
    columns = _columns(report.run, studies)
    if not columns:
        return None
    names = [title(report.run, study.trial_id) for study in studies]
    rows = [list(row) for row in zip(names, *columns.values(), strict=True)]
    charts = [*_seeds(report), *_sizes(report.run)]
    blocks: list[Block] = [
        Table(["Trial", *columns], rows),
        f"Test accuracy unless stated otherwise. {_notes(studies)}Figures, paired tests and the "
        f"exported model are those of seed {report.run.record.benchmark.seed}.",
        Chart(charts, layout="auto"),
    ]
    return Section("seeds-and-splits", "Seeds and splits", blocks)


def _columns(run: Run, studies: Sequence[Study]) -> dict[str, list[str]]:
    """Return the columns for the refits that the run has."""
    columns: dict[str, list[str]] = {}
    num_seeds = max((study.seeds.num for study in studies), default=1)
    if num_seeds > 1:
        columns[f"Accuracy, {num_seeds} seeds"] = [spread(study.seeds) for study in studies]
        columns[f"Loss, {num_seeds} seeds"] = [spread(study.seed_losses) for study in studies]
    num_splits = max((study.splits.num for study in studies if study.splits), default=0)
    if num_splits:
        columns[f"Accuracy, {num_splits} splits"] = [
            spread(study.splits) if study.splits else "-" for study in studies
        ]
    if any(study.rule for study in studies):
        is_random = run.record.benchmark.data.split == "random"
        columns["Accuracy"] = [
            f"{run.result_of(study.trial_id).metrics['test'].accuracy:.3f}" for study in studies
        ]
        columns["Split by identity" if is_random else "Split by image"] = [
            with_interval(study.rule.accuracy, study.rule.interval) if study.rule else "-"
            for study in studies
        ]
    for place, (num_train, _) in enumerate(studies[0].sizes if studies else ()):
        columns[f"{num_train:,} training images"] = [
            f"{study.sizes[place][1].accuracy:.3f}" for study in studies if study.sizes
        ]
    return columns


def _notes(studies: Sequence[Study]) -> str:
    """Explain the columns that are there."""
    has_seeds = any(study.seeds.num > 1 for study in studies)
    notes = []
    if has_seeds:
        notes.append(
            "Seeds set the initialisation and the batch order of the head: mean (lowest to "
            "highest)."
        )
    if any(study.splits for study in studies):
        notes.append("Splits: other images in each part, mean (lowest to highest).")
    if any(study.rule for study in studies):
        notes.append(
            "Split by identity: no person is in two parts. The other split rule has other test "
            "images; its interval is Wilson's."
        )
    if any(len(study.sizes) > 1 for study in studies):
        spread = ", by about as much as the first column shows" if has_seeds else ""
        notes.append(
            "Fewer training images: one head each, trained for as many epochs and so for fewer "
            f"steps; other seeds would change it{spread}."
        )
    return "".join(f"{note} " for note in notes)


def _seeds(report: Report) -> list[Figure]:
    rows = [
        row
        for result in report.run.trials
        if (row := _seed_row(report.run, result, report.analysis.studies[result.trial.id].seeds))
    ]
    if not rows:
        return []
    caption = "Test accuracy over the seeds of the head"
    ends = [end for row in rows for end in (row.low, row.high)]
    label = "test accuracy; mean, Student's 95 % interval"
    axis = svg.linear(label, ends, figures.percent, (0.0, 1.0))
    legend = [*backbones(report.run), Entry("one seed", DOT, has_line=False)]
    return [figures.both(lambda width: svg.rows(rows, axis, width, caption, None), caption, legend)]


def _seed_row(run: Run, result: TrialResult, seeds: Spread) -> Row | None:
    if seeds.num < 2 or seeds.low is None or seeds.high is None:
        return None
    numbers = (run.record.benchmark.seed, *(row.refit.seed for row in result.refits_of("seed")))
    dots = tuple(
        (row.accuracy, f"{result.trial.title}\nseed {seed}: test accuracy {row.accuracy:.4f}")
        for seed, row in zip(numbers, result.over_seeds("test"), strict=True)
    )
    tip = f"{result.trial.title}\nmean of {seeds.num} seeds "
    tip += with_interval(seeds.mean, (seeds.low, seeds.high), ".4f")
    ends = (max(seeds.low, 0.0), min(seeds.high, 1.0))
    return Row(result.trial.title, seeds.mean, *ends, tip, look(run, result), dots)


def _sizes(run: Run) -> list[Figure]:
    """Draw accuracy by number of training images, one chart a backbone on the same scales."""
    curves = {row.trial.id: _by_size(row) for row in run.trials if row.refits_of("fraction")}
    if not curves:
        return []
    every = [point for points in curves.values() for point in points]
    bounds = [bound for _, metrics in every for bound in metrics.interval]
    label = "test accuracy, 95 % interval"
    y = svg.linear(label, bounds, figures.percent, (0.0, 1.0), num_ticks=8)
    numbers = sorted({num for num, _ in every})
    x = svg.logarithmic("training images (log scale)", numbers, 1.2)
    x = replace(x, ticks=tuple((num, f"{num:,}") for num in numbers))
    trials = [row for row in run.trials if row.trial.id in curves]
    return [
        _size_figure(run, label, [row for row in trials if row.trial.backbone.label == label], x, y)
        for label in dict.fromkeys(row.trial.backbone.label for row in trials)
    ]


def _size_figure(run: Run, label: str, rows: list[TrialResult], x: Axis, y: Axis) -> Figure:
    caption = f"{label}: accuracy by number of training images"
    series = [
        _size_series(run, row, 6 * (number - (len(rows) - 1) / 2))
        for number, row in enumerate(rows)
    ]
    legend = [Entry(f"iteration {row.trial.iteration.number}", look(run, row)) for row in rows]
    return Figure(caption, [svg.plot(Frame(350, 270, x, y), series, caption)], legend)


def _by_size(result: TrialResult) -> list[tuple[int, Metrics]]:
    fewer = [(row.num_train, row.metrics["test"]) for row in result.refits_of("fraction")]
    return [*fewer, (result.metrics["train"].num_images, result.metrics["test"])]


def _size_series(run: Run, result: TrialResult, aside: float) -> Series:
    points = [
        Point(
            num,
            metrics.accuracy,
            f"{result.trial.title}\n{num:,} training images: test accuracy "
            f"{figures.accuracy_tip(metrics)}",
            metrics.interval,
        )
        for num, metrics in _by_size(result)
    ]
    return Series(look(run, result), [(point.x, point.y) for point in points], points, aside=aside)
