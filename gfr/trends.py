"""The figure of a history: accuracy, latency and duration over the runs of one key.

In: a Verdict, which carries its series. Out: a matplotlib Figure in the manner of gfr/figures.py:
an alarm is a cross and a word. Writes nothing, reads no file, imports no TensorFlow.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from gfr.figures import COLOURS, MARKERS, plain
from gfr.results.regression_records import Series, Verdict

_COLUMN_INCHES, _MIN_INCHES, _MAX_INCHES = 3.3, 7.2, 13.2
_MAX_TICKS, _MAX_MARKS = 4, 20
_NARROW = 8


def over_the_runs(verdict: Verdict) -> Figure:
    """A column a backbone: accuracy above, latency below; across both the seconds of the stages."""
    backbones = list(dict.fromkeys(row.backbone for row in verdict.series if row.backbone))
    columns = max(1, len(backbones))
    width = min(_MAX_INCHES, max(_MIN_INCHES, _COLUMN_INCHES * columns))
    figure = Figure(figsize=(width, 9.6), layout="constrained")
    grid = figure.add_gridspec(3, columns, height_ratios=(1.0, 1.0, 0.7))
    for column, backbone in enumerate(backbones):
        rows = [row for row in verdict.series if row.backbone == backbone]
        top, bottom = (figure.add_subplot(grid[row, column]) for row in (0, 1))
        top.set_title(backbone, fontsize=10)
        _panel(top, verdict, [row for row in rows if row.figure == "accuracy"])
        top.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.1f} %"))
        _panel(bottom, verdict, [row for row in rows if row.figure == "p10_ms"])
        _dashed(bottom, [row for row in rows if row.figure == "p50_ms"])
        _logarithmic(bottom)
        if column == 0:
            top.set_ylabel("test accuracy")
            bottom.set_ylabel("one image, ms (log scale)\np10 with its band, p50 dotted")
    seconds = figure.add_subplot(grid[2, :])
    _panel(seconds, verdict, [row for row in verdict.series if row.figure == "duration_s"])
    _logarithmic(seconds)
    seconds.set_ylabel("stage, s (log scale)")
    figure.suptitle(
        f"{verdict.key}: {verdict.status}. Runs by the day they were begun, the last is this one",
        fontsize=10,
    )
    return figure


def _panel(axes: Axes, verdict: Verdict, rows: Sequence[Series]) -> None:
    plain(axes)
    for number, row in enumerate(rows):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        places = range(len(row.values))
        values = [float("nan") if value is None else value for value in row.values]
        if row.low is not None and row.high is not None:
            axes.axhspan(row.low, row.high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(places, values, "-", color=colour, linewidth=1)
        (marks,) = axes.plot(places, values, marker, color=colour, markersize=4)
        marks.set_label(_label(row))
        marks.set_markevery(-(-len(values) // _MAX_MARKS))
        for place, (value, is_alarm) in enumerate(zip(row.values, row.alarms, strict=True)):
            if is_alarm and value is not None:
                _alarm(axes, place, value, len(row.values))
    _ticks(axes, verdict)
    if rows:
        axes.legend(
            fontsize=8,
            frameon=False,
            handletextpad=0.2,
            loc="upper left",
            bbox_to_anchor=(0.0, -0.1),
            ncols=1 if rows[0].backbone else len(rows),
        )


def _dashed(axes: Axes, rows: Sequence[Series]) -> None:
    """p50 in the colours of p10: it has no say, so it has neither marks nor a band."""
    for number, row in enumerate(rows):
        values = [float("nan") if value is None else value for value in row.values]
        axes.plot(values, ":", color=COLOURS[number % len(COLOURS)], linewidth=1)


def _alarm(axes: Axes, place: int, value: float, num_runs: int) -> None:
    axes.plot([place], [value], "X", color="black", markersize=9, zorder=5, clip_on=False)
    side = "right" if place > num_runs / 2 else "left"
    axes.annotate(
        "regression",
        (place, value),
        xytext=(-8 if side == "right" else 8, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        fontsize=8,
        fontweight="bold",
    )


def _label(row: Series) -> str:
    """Without the backbone, which stands above: `iteration 2`, `128x128, float32`."""
    return row.subject.removeprefix(row.backbone).removeprefix(" / ").removeprefix(" at ")


def _ticks(axes: Axes, verdict: Verdict) -> None:
    """A few days under the axis, the last run always among them."""
    last = len(verdict.runs) - 1
    step = max(1, -(-len(verdict.runs) // _MAX_TICKS))
    places = list(range(last, -1, -step))
    axes.set_xticks(places, [verdict.runs[place].created_utc[5:10] for place in places])
    axes.tick_params(labelsize=8)
    room = max(0.5, 0.03 * last)
    axes.set_xlim(-room, last + room)


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    few_decades = high < _NARROW * low  # where a logarithmic locator finds hardly a tick
    axes.yaxis.set_major_locator(
        MaxNLocator(5) if few_decades else LogLocator(subs=(1, 2, 3, 5, 7))
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
