"""Figures: one or more charts with a caption and a legend, in the page or as an SVG file.

The SVG file has its style in it, so that it is shown alike in summary.md, on GitHub and alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gfr.evaluation.metrics import Metrics
from gfr.report import svg
from gfr.report.svg import NARROW_PX, NUM_COLOURS, WIDE_PX, Drawing, Look, Point, Row
from gfr.results.records import Run, TrialResult
from gfr.results.reference_records import ReferenceResult

REFERENCE = Look(colour=NUM_COLOURS - 1, shape=6)  # of what was not trained here

_MARGIN_PX, _GAP_PX, _LINE_PX = 14, 24, 20
_CAPTION_FONT_PX, _LEGEND_FONT_PX, _SWATCH_PX = 14, 12, 31


@dataclass(frozen=True)
class Entry:
    """A legend entry: a sample of the series and its name, or words alone.

    `key`: the series that the entry, then a button of the page, highlights.
    """

    name: str
    look: Look | None = None
    has_line: bool = True
    has_mark: bool = True
    key: str = ""

    @property
    def swatch(self) -> str:
        """The sample as SVG."""
        return svg.swatch(self.look, self.has_line, self.has_mark) if self.look else ""


@dataclass(frozen=True)
class Figure:
    """Charts side by side; `narrow` replaces them on phones."""

    caption: str
    drawings: Sequence[Drawing]
    legend: Sequence[Entry] = ()
    narrow: Drawing | None = None


def both(draw: Callable[[float], Drawing], caption: str, legend: Sequence[Entry]) -> Figure:
    """One chart drawn for desktops and for phones."""
    return Figure(caption, [draw(WIDE_PX)], legend, draw(NARROW_PX))


def standalone(figures: Sequence[Figure]) -> str:
    """An SVG file of figures in rows of at most WIDE_PX."""
    x = y = width = height = 0.0
    parts = []
    for figure in figures:
        block = _block(figure)
        if x and x + block.width > WIDE_PX:
            x, y = 0.0, height + _GAP_PX
        place = f"translate({svg.px(x + _MARGIN_PX)},{svg.px(y + _MARGIN_PX)})"
        parts.append(svg.element("g", "".join(block.parts), transform=place))
        width, height = max(width, x + block.width), max(height, y + block.height)
        x += block.width + _GAP_PX
    label = "; ".join(figure.caption for figure in figures)
    style = f"<style>{asset('charts.css')}</style>"
    width, height = width + 2 * _MARGIN_PX, height + 2 * _MARGIN_PX
    size = {"width": svg.px(width - 1), "height": svg.px(height - 1), "rx": "9.5"}
    ground = svg.element("rect", kind="ground", x=0.5, y=0.5, **size)
    return Drawing(width, height, [style, ground, *parts], label).svg(
        xmlns="http://www.w3.org/2000/svg"
    )


def _block(figure: Figure) -> Drawing:
    """Caption, legend and charts below each other."""
    width = sum(each.width for each in figure.drawings) + _GAP_PX * (len(figure.drawings) - 1)
    width = max(width, svg.text_px(figure.caption, _CAPTION_FONT_PX))
    parts, x, y = [svg.text(0, 13, figure.caption, kind="caption")], 0.0, 34.0
    for entry in figure.legend:
        indent = _SWATCH_PX if entry.look else 0
        entry_px = indent + svg.text_px(entry.name, _LEGEND_FONT_PX)
        if x and x + entry_px > width:
            x, y = 0.0, y + _LINE_PX
        swatch = svg.element("g", entry.swatch, transform=f"translate({svg.px(x)},{y - 11})")
        parts += [swatch] if entry.look else []
        parts.append(svg.text(x + indent, y, entry.name, kind="entry"))
        x += entry_px + 14
    y += 12 if figure.legend else -10
    x = 0.0
    for each in figure.drawings:
        parts.append(each.svg(x=x, y=y))
        x += each.width + _GAP_PX
    return Drawing(width, y + max(each.height for each in figure.drawings), parts, figure.caption)


def asset(name: str) -> str:
    """Return the text of a file in assets/."""
    return (Path(__file__).parent / "assets" / name).read_text("utf-8")


def percent(value: float) -> str:
    """`90%`: a tick, with decimals only where needed."""
    return f"{100 * value:.4g}%"


def accuracy_tip(metrics: Metrics) -> str:
    """`0.9060 [0.8863, 0.9226], n = 1,000`: the accuracy."""
    low, high = metrics.interval
    return f"{metrics.accuracy:.4f} [{low:.4f}, {high:.4f}], n = {metrics.num_images:,}"


def look(run: Run, result: TrialResult) -> Look:
    """Return colour and shape of the backbone, dashes of the iteration; hollow: random weights."""
    benchmark, trial = run.record.benchmark, result.trial
    number = [row.label for row in benchmark.backbone].index(trial.backbone.label)
    dash = [row.number for row in benchmark.iteration].index(trial.iteration.number)
    return Look(number, number, dash, result.features.weights.source == "random")


def backbones(run: Run) -> list[Entry]:
    """Return the legend where colour and shape of a mark show the backbone."""
    entries = [
        Entry(row.label, Look(number, number), has_line=False)
        for number, row in enumerate(run.record.benchmark.backbone)
    ]
    is_random = any(look(run, row).is_hollow for row in run.trials)
    return [*entries, Entry("hollow: random weights")] if is_random else entries


def references(results: Sequence[ReferenceResult]) -> list[Entry]:
    """Return the legend of references, if there are any."""
    entry = Entry("reference, not trained here", REFERENCE, has_line=False)
    return [entry] if results else []


def reference_point(result: ReferenceResult) -> Point:
    """Return test accuracy over latency of a reference that was timed."""
    assert result.latency
    test, p50_ms = result.metrics["test"], result.latency.p50_ms
    low, high = test.interval
    lines = [
        f"{result.label}, not trained here",
        f"test accuracy {test.accuracy:.4f} [{low:.4f}, {high:.4f}], n = {test.num_images:,}",
        f"p50 {p50_ms:.2f} ms in turn with the selected model, {result.num_bytes / 1e6:.1f} MB",
        "contended" if result.latency.is_contended else "",
    ]
    return Point(p50_ms, test.accuracy, "\n".join(filter(None, lines)), test.interval)


def forest(rows: Sequence[Row], caption: str, legend: Sequence[Entry]) -> Figure:
    """Return differences of test accuracy, -1..1, with their intervals and a line at 0."""
    ends = [end for row in rows for end in (row.low, row.high)]
    label = "points of test accuracy, 95% interval"
    axis = svg.linear(label, [*ends, 0.0], lambda x: f"{100 * x:+g}" if x else "0")
    return both(lambda width: svg.rows(rows, axis, width, caption, 0.0), caption, legend)
