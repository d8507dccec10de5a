"""What the page draws of trials beside each other: costs, differences, subgroups, repetitions.

In: a Run and its Analysis. Out: HTML with charts of gfr/charts.py, empty where there is nothing to
draw. Every number follows from the records. Pure: reads no file, imports no TensorFlow.
"""

from collections.abc import Callable, Sequence
from html import escape
from itertools import pairwise

from gfr import charts
from gfr.analysis import ALPHA, Analysis
from gfr.charts import NARROW_PX, WIDE_PX, Axis, Frame, Look, Row
from gfr.evaluation.metrics import Metrics
from gfr.results.records import Run, TrialResult


def percent(value: float) -> str:
    """`90 %`, with decimals where they say something."""
    return f"{100 * value:.4g} %"


def look(run: Run, result: TrialResult) -> Look:
    """Colour and shape tell the backbone, dashes the iteration; hollow: random weights."""
    benchmark, trial = run.record.benchmark, result.trial
    number = [row.label for row in benchmark.backbone].index(trial.backbone.label)
    dash = [row.number for row in benchmark.iteration].index(trial.iteration.number)
    return Look(number, number, dash, result.features.weights.source == "random")


def figure(drawn: str, caption: str, legend: Sequence[str] = (), kind: str = "") -> str:
    """A chart with what it says and how its series are told apart."""
    entries = "".join(f"<li>{entry}</li>" for entry in legend)
    legend_html = f'<ul class="legend">{entries}</ul>' if legend else ""
    return (
        f'<figure class="{kind}"><figcaption>{escape(caption)}</figcaption>{legend_html}'
        f"{drawn}</figure>"
    )


def both(draw: Callable[[float], str]) -> str:
    """A chart for desktops and one for phones, of which the page shows one."""
    return f'<div class="wide">{draw(WIDE_PX)}</div><div class="narrow">{draw(NARROW_PX)}</div>'


def backbones(run: Run) -> list[str]:
    """The legend where trials stand by their backbone's colour and shape."""
    entries = [
        charts.swatch(Look(number, number), has_line=False) + escape(row.label)
        for number, row in enumerate(run.record.benchmark.backbone)
    ]
    if any(look(run, row).is_hollow for row in run.trials):
        entries.append("hollow: random weights")
    return entries


def told(found: Metrics) -> str:
    """`0.9060 [0.8863, 0.9226], n = 1,000`."""
    low, high = found.interval
    return f"{found.accuracy:.4f} [{low:.4f}, {high:.4f}], n = {found.num_images:,}"


def scatter(run: Run) -> str:
    """Test accuracy over latency of one image."""
    timed = [row for row in run.trials if run.latency_of(row.trial)]
    if not timed:
        return ""
    bounds = [bound for row in timed for bound in row.metrics["test"].interval]
    share = run.record.split.majority_share
    y = charts.linear("test accuracy, 95 % interval", [*bounds, share], percent, (0.0, 1.0))
    p50_ms = [row.float32.p50_ms for row in run.latencies.values()]
    x = charts.logarithmic("p50 latency of one image, ms (log scale)", p50_ms, 1.25)
    legend = [*backbones(run), "number: iteration", "dotted: one model, one latency"]
    legend.append("dashed: majority class")
    return figure(
        both(lambda width: _scatter(run, timed, x, y, width)),
        "Test accuracy against latency of one image",
        legend,
    )


def _scatter(run: Run, timed: list[TrialResult], x: Axis, y: Axis, width: float) -> str:
    frame = Frame(width, 380 if width > NARROW_PX else 330, x, y)
    _, level = frame.at(x.low, share := run.record.split.majority_share)
    parts = [charts.axes(frame)]
    parts.append(charts.line(frame.left, level, frame.at(x.high, share)[0], level, "majority"))
    by_set: dict[str, list[TrialResult]] = {}
    for row in timed:
        by_set.setdefault(row.trial.feature_set.id, []).append(row)
    marks = []
    for key, rows in by_set.items():
        middle, _ = frame.at(run.latencies[key].float32.p50_ms, y.low)
        places = []
        for number, row in enumerate(rows):
            # Trials of one model share a latency: they stand side by side about it.
            place = middle + 14 * (number - (len(rows) - 1) / 2)
            low, high = (frame.at(x.low, each)[1] for each in _test(row).interval)
            _, at = frame.at(x.low, _test(row).accuracy)
            places.append((place, at))
            parts.append(charts.whisker(place, low, place, high, look(run, row)))
            number_told = str(row.trial.iteration.number)
            parts.append(charts.text(place, high - 4, number_told, "middle", "beside"))
            marks.append(charts.mark(place, at, look(run, row), _cost(run, row)))
        for (x1, y1), (x2, y2) in pairwise(places):
            parts.append(charts.line(x1, y1, x2, y2, f"shared c{look(run, rows[0]).colour}"))
    label = f"Test accuracy against latency of {len(timed)} trials"
    return charts.svg(width, frame.height, [*parts, *marks], label)


def _test(result: TrialResult) -> Metrics:
    return result.metrics["test"]


def _cost(run: Run, result: TrialResult) -> str:
    """Accuracy, latency and what limits them."""
    lines = [result.trial.title, f"test accuracy {told(_test(result))}"]
    latency = run.latency_of(result.trial)
    if latency is not None:
        lines.append(f"p50 {latency.float32.p50_ms:.2f} ms, {latency.size_bytes / 1e6:.1f} MB")
        if latency.is_contended:
            lines.append("contended")
    if result.features.note:
        lines.append(result.features.note)
    return "\n".join(lines)


def against(run: Run, analysis: Analysis) -> str:
    """By how much the selected trial is better than each other."""
    found = [
        Row(
            run.result_of(row.trial_id).trial.title,
            100 * row.difference,
            100 * row.low,
            100 * row.high,
            f"{run.result_of(row.trial_id).trial.title}\nselected is better by "
            f"{100 * row.difference:+.2f} points [{100 * row.low:+.2f}, {100 * row.high:+.2f}]\n"
            f"p (Holm) {row.p_holm:.3g}: {'' if row.is_told_apart else 'not '}told apart",
            look(run, run.result_of(row.trial_id)),
        )
        for row in analysis.against
    ]
    if not found:
        return ""
    caption = f"Points of test accuracy by which {run.result_of(None).trial.title} is better"
    return _forest(found, caption, "points of test accuracy, 95 % interval", backbones(run))


def _forest(found: list[Row], caption: str, label: str, legend: Sequence[str]) -> str:
    ends = [end for row in found for end in (row.low, row.high)]
    axis = charts.linear(label, [*ends, 0.0], lambda value: f"{value:+g}" if value else "0")
    return figure(
        both(lambda width: charts.rows(found, axis, width, caption, 0.0)), caption, legend
    )


def gaps(run: Run, analysis: Analysis) -> str:
    """The gap of every attribute, the largest first."""
    if analysis.subgroups is None:
        return ""
    found = [
        Row(
            row.attribute.replace("_", " "),
            100 * row.difference,
            100 * row.low,
            100 * row.high,
            f"{row.attribute}\naccuracy {row.having.accuracy.share:.4f} with "
            f"(n = {row.having.num_images:,}), {row.lacking.accuracy.share:.4f} without "
            f"(n = {row.lacking.num_images:,})\ngap {100 * row.difference:+.2f} points "
            f"[{100 * row.low:+.2f}, {100 * row.high:+.2f}], p (Holm) {row.p_holm:.3g}, "
            f"within each sex {row.p_within_sex_holm:.3g}",
            Look(0, 0, 0, row.p_within_sex_holm >= ALPHA),
        )
        for row in analysis.subgroups.gaps
    ]
    if not found:
        return ""
    legend = [
        charts.swatch(Look(), has_line=False) + "told apart within each sex (p, Holm)",
        charts.swatch(Look(is_hollow=True), has_line=False) + "not told apart within each sex",
    ]
    caption = "Accuracy with the attribute minus without"
    return _forest(found, caption, "points of test accuracy, 95 % interval", legend)


def repetitions(run: Run, analysis: Analysis) -> str:
    """What other seeds, and fewer training images, make of each trial."""
    return f'<div class="charts">{_seeds(run, analysis)}{_sizes(run)}</div>'


def _seeds(run: Run, analysis: Analysis) -> str:
    found = []
    for result in run.trials:
        spread = analysis.studies[result.trial.id].seeds
        if spread.num < 2 or spread.low is None or spread.high is None:
            continue
        seeds = (run.record.benchmark.seed, *(row.refit.seed for row in result.refits_of("seed")))
        dots = tuple(
            (row.accuracy, f"{result.trial.title}\nseed {seed}: test accuracy {row.accuracy:.4f}")
            for seed, row in zip(seeds, result.over_seeds("test"), strict=True)
        )
        tip = f"{result.trial.title}\nmean of {spread.num} seeds {spread.mean:.4f} "
        tip += f"[{spread.low:.4f}, {spread.high:.4f}]"
        bounds = (max(spread.low, 0.0), min(spread.high, 1.0))
        found.append(Row(result.trial.title, spread.mean, *bounds, tip, look(run, result), dots))
    if not found:
        return ""
    caption = "Test accuracy over seeds of the head"
    ends = [end for row in found for end in (row.low, row.high)]
    label = "test accuracy; mean, Student's 95 % interval"
    axis = charts.linear(label, ends, percent, (0.0, 1.0))
    legend = [*backbones(run), charts.swatch(charts.DOT, has_line=False) + "one seed"]
    return figure(
        both(lambda width: charts.rows(found, axis, width, caption, None)), caption, legend, "full"
    )


def _sizes(run: Run) -> str:
    """A chart a backbone, all on one scale."""
    curves = {row.trial.id: _points(row) for row in run.trials if row.refits_of("fraction")}
    if not curves:
        return ""
    every = [point for points in curves.values() for point in points]
    bounds = [bound for _, found in every for bound in found.interval]
    y = charts.linear("test accuracy, 95 % interval", bounds, percent, (0.0, 1.0), num_ticks=8)
    numbers = sorted({num for num, _ in every})
    x = charts.logarithmic("training images (log scale)", numbers, 1.2)
    x = Axis(x.label, x.low, x.high, tuple((num, f"{num:,}") for num in numbers), is_log=True)
    figures = []
    for backbone in run.record.benchmark.backbone:
        rows = [row for row in run.trials if row.trial.backbone.label == backbone.label]
        rows = [row for row in rows if row.trial.id in curves]
        if rows:
            drawn = _sizes_of(run, rows, curves, Frame(350, 270, x, y))
            caption = f"{backbone.label}: accuracy by number of training images"
            figures.append(figure(drawn, caption, iterations(run, rows)))
    return "".join(figures)


def _points(result: TrialResult) -> list[tuple[int, Metrics]]:
    fewer = [(row.num_train, row.metrics["test"]) for row in result.refits_of("fraction")]
    return [*fewer, (result.metrics["train"].num_images, _test(result))]


def iterations(run: Run, rows: Sequence[TrialResult]) -> list[str]:
    """The legend where trials of one backbone stand by their dashes."""
    return [
        charts.swatch(look(run, row)) + f"iteration {row.trial.iteration.number}" for row in rows
    ]


def _sizes_of(
    run: Run,
    rows: list[TrialResult],
    curves: dict[str, list[tuple[int, Metrics]]],
    frame: Frame,
) -> str:
    parts, marks = [charts.axes(frame)], []
    for number, row in enumerate(rows):
        style, aside = look(run, row), 6 * (number - (len(rows) - 1) / 2)
        points = [(float(num), found.accuracy) for num, found in curves[row.trial.id]]
        drawn = charts.curve(frame, points, style.stroke)
        parts.append(f'<g transform="translate({aside:g},0)">{drawn}</g>')
        for num, found in curves[row.trial.id]:
            x, y = frame.at(num, found.accuracy)
            low, high = (frame.at(num, bound)[1] for bound in found.interval)
            parts.append(charts.whisker(x + aside, low, x + aside, high, style))
            tip = f"{row.trial.title}\n{num:,} training images: test accuracy {told(found)}"
            marks.append(charts.mark(x + aside, y, style, tip))
    label = f"{rows[0].trial.backbone.label}: test accuracy by number of training images"
    return charts.svg(frame.width, frame.height, [*parts, *marks], label)
