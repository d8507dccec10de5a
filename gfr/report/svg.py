"""Charts as SVG text, for print and screens of any width, in light and dark.

Colours, dashes and fonts are classes of assets/charts.css. Series differ in shape or dash as well
as in colour, and the <title> of a mark has its exact values. All text is escaped.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby, pairwise

import numpy as np

from gfr import text as gfr_text

NUM_COLOURS = 7  # c0 to c6 in assets/charts.css
NUM_DASHES = 4
WIDE_PX, NARROW_PX = 920.0, 350.0  # a desktop's column, a phone's
_CHARACTER_SHARE = 0.57  # mean width of a character, of the font's size
_REACH_PX = 11  # around a mark: a finger's

_SHAPES: tuple[str, ...] = (
    "M-4.2,0a4.2,4.2 0 1,0 8.4,0a4.2,4.2 0 1,0 -8.4,0z",  # circle
    "M-3.8,-3.8h7.6v7.6h-7.6z",  # square
    "M0,-4.8L4.6,3.6H-4.6z",  # triangle
    "M0,-5.2L5.2,0L0,5.2L-5.2,0z",  # diamond
    "M0,4.8L4.6,-3.6H-4.6z",  # triangle, downwards
    "M-1.6,-4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z",  # plus
    "M0,-2.2L2.6,-4.8L4.8,-2.6L2.2,0L4.8,2.6L2.6,4.8L0,2.2L-2.6,4.8L-4.8,2.6L-2.2,0L-4.8,-2.6"
    "L-2.6,-4.8z",  # cross
)


@dataclass(frozen=True)
class Look:
    """What distinguishes a series: the numbers of its colour, shape and dash."""

    colour: int = 0
    shape: int = 0
    dash: int = 0
    is_hollow: bool = False
    is_small: bool = False

    @property
    def colour_class(self) -> str:
        """CSS class of its colour."""
        return f"c{self.colour % NUM_COLOURS}"

    @property
    def stroke(self) -> str:
        """CSS classes of its line."""
        return f"{self.colour_class} d{self.dash % NUM_DASHES}"

    @property
    def path(self) -> str:
        """Path of its mark around 0, 0."""
        return _SHAPES[self.shape % len(_SHAPES)]

    @property
    def fill(self) -> str:
        """CSS classes of its mark."""
        return f"mark {self.colour_class}" + (" hollow" if self.is_hollow else "")


DOT = Look(colour=NUM_COLOURS - 1, is_hollow=True, is_small=True)  # behind a mean


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high` with (value, label) of each tick."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Position of a value, 0..1, clipped to the ends."""
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = (math.log(max(each, 1e-12)) for each in (value, low, high))
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5


def linear(
    label: str,
    values: Sequence[float],
    form: Callable[[float], str] = "{:g}".format,
    within: tuple[float, float] = (-math.inf, math.inf),
    num_ticks: int = 5,
) -> Axis:
    """An axis that covers the values and ends at round ones, but not beyond `within`."""
    low, high = min(values), max(values)
    raw = ((high - low) or abs(high) or 1.0) / num_ticks
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last += first == last
    places = [round(number * step, 12) for number in range(first, last + 1)]
    low, high = max(places[0], within[0]), min(places[-1], within[1])
    return Axis(label, low, high, tuple((x, form(x)) for x in places if low <= x <= high))


def logarithmic(label: str, values: Sequence[float], margin: float = 1.0) -> Axis:
    """A logarithmic axis around positive values, wider by a factor on either side."""
    low, high = min(values) / margin, max(values) * margin
    if high / low < 3:  # where a logarithmic scale has hardly a round value
        ticks = linear(label, [low, high]).ticks
    else:
        digits = (1, 2, 3, 5, 7) if high / low < 12 else (1, 2, 5) if high / low < 300 else (1,)
        tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        places = [digit * 10.0**ten for ten in tens for digit in digits]
        ticks = tuple((place, f"{place:g}") for place in places)
    shown = tuple(tick for tick in ticks if low <= tick[0] <= high)
    return Axis(label, low, high, shown, is_log=True)


@dataclass(frozen=True)
class Frame:
    """A chart's size and margins, px, and its axes."""

    width: float
    height: float
    x: Axis
    y: Axis
    left: float = 42
    right: float = 18
    top: float = 24
    bottom: float = 38

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Position of a point, px from the upper left corner."""
        across = self.width - self.left - self.right
        down = self.height - self.top - self.bottom
        return self.left + across * self.x.share(x), self.top + down * (1 - self.y.share(y))

    def rule(self, start: tuple[float, float], end: tuple[float, float]) -> str:
        """A dashed line from one point to another, to compare with."""
        return line(*self.at(*start), *self.at(*end), "rule")


def element(name: str, content: str = "", **attributes: float | str) -> str:
    """An SVG element. `kind` is its class, `data_key` its data-key; empty ones are left out."""
    attributes = {"class": attributes.pop("kind", ""), **attributes}
    words = {
        key.replace("_", "-"): escaped(value) if isinstance(value, str) else px(value)
        for key, value in attributes.items()
        if value != ""
    }
    inner = "".join(f' {key}="{value}"' for key, value in words.items())
    return f"<{name}{inner}>{content}</{name}>"


@dataclass(frozen=True)
class Drawing:
    """The elements of a chart and its size, px; `label` is its text for screen readers."""

    width: float
    height: float
    parts: Sequence[str]
    label: str

    def svg(self, **attributes: float | str) -> str:
        """The chart as an element."""
        size = {"width": self.width, "height": self.height}
        attributes |= {"viewBox": f"0 0 {px(self.width)} {px(self.height)}", **size}
        parts = "".join(self.parts)
        return element("svg", parts, kind="chart", role="img", aria_label=self.label, **attributes)


def axes(frame: Frame) -> str:
    """Grid, ticks and the labels of both axes; the grid is vertical without ticks of y."""
    left, bottom = frame.at(frame.x.low, frame.y.low)
    right, top = frame.at(frame.x.high, frame.y.high)
    parts = []
    for value, name in frame.y.ticks:
        _, y = frame.at(frame.x.low, value)
        parts.append(line(left, y, right, y, "grid"))
        parts.append(text(left - 6, y + 3.5, name, "end"))
    for value, name in frame.x.ticks:
        x, _ = frame.at(value, frame.y.low)
        grid = (bottom + 4, "tick") if frame.y.ticks else (top, "grid")
        parts.append(line(x, bottom, x, *grid))
        parts.append(text(x, bottom + 16, name, "middle"))
    parts.append(line(left, bottom, right, bottom, "tick"))
    parts.append(text(0, 11, frame.y.label, "start", "name"))
    parts.append(text(right, frame.height - 4, frame.x.label, "end", "name"))
    return "".join(parts)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line, px."""
    return element("line", kind=kind, x1=x1, y1=y1, x2=x2, y2=y2)


def text(x: float, y: float, words: str, anchor: str = "", kind: str = "") -> str:
    """Words at a position, px."""
    return element("text", escaped(words), kind=kind, x=x, y=y, text_anchor=anchor)


def title(tip: str) -> str:
    """The exact values of a mark, shown by the page's script or, without it, by the browser."""
    return element("title", escape(gfr_text.lines(tip))) if tip else ""


def curve(
    frame: Frame,
    points: Sequence[tuple[float, float | None]],
    kind: str,
    tip: str = "",
    key: str = "",
) -> str:
    """A line through values with gaps where one is None; `key` names its series to the legend."""
    path = ""
    for is_gap, group in groupby(points, lambda point: point[1] is None):
        if not is_gap:
            run = [frame.at(x, y) for x, y in group if y is not None]
            path += f"M{'L'.join(f'{px(x)},{px(y)}' for x, y in _corners(run))}"
    return element("path", title(tip), kind=f"line {kind}", data_key=key, d=path)


def _corners(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """Round to 0.1 px and leave out points on the way along a vertical or horizontal line."""
    places = np.round(points, 1)  # (N, 2)
    steps = np.diff(places, axis=0)
    before, after = steps[:-1], steps[1:]
    is_along_axis = ((before == 0) & (after == 0)).any(axis=1)
    turns_back = (before * after < 0).any(axis=1)
    is_kept = np.pad(~is_along_axis | turns_back, 1, constant_values=True)
    return places[is_kept[: len(places)]]


def mark(x: float, y: float, look: Look, tip: str = "", key: str = "") -> str:
    """A point with its values, px."""
    place = f"translate({px(x)},{px(y)}){' scale(0.65)' if look.is_small else ''}"
    content = f'{title(tip)}<circle class="reach" r="{_REACH_PX}"/><path d="{look.path}"/>'
    return element("g", content, kind=look.fill, data_key=key, transform=place)


def strips(frame: Frame, tips: Mapping[float, str]) -> str:
    """Transparent vertical strips, one at each x, whose tips say what all lines show there."""
    places = [frame.at(x, frame.y.low)[0] for x in tips]
    middles = [(a + b) / 2 for a, b in pairwise(places)]
    starts, ends = [places[0], *middles], [*middles, places[-1]]
    y, height = frame.top, frame.height - frame.top - frame.bottom
    return "".join(
        element("rect", title(tip), kind="strip", x=a, y=y, width=max(b - a, 1), height=height)
        for a, b, tip in zip(starts, ends, tips.values(), strict=True)
    )


@dataclass(frozen=True)
class Point:
    """A marked value with its exact text and, if given, its interval."""

    x: float
    y: float
    tip: str = ""
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Series:
    """A line with marked points; `aside`: px to the right, so that equal x do not overlap."""

    look: Look
    line: Sequence[tuple[float, float | None]] = ()
    points: Sequence[Point] = ()
    tip: str = ""
    key: str = ""
    aside: float = 0

    @classmethod
    def through(cls, points: Sequence[Point], look: Look, aside: float = 0) -> "Series":
        """A line through its marked points."""
        return cls(look, [(point.x, point.y) for point in points], points, aside=aside)


def plot(
    frame: Frame,
    series: Sequence[Series],
    label: str,
    behind: Sequence[str] = (),
    tips: Mapping[float, str] | None = None,
) -> Drawing:
    """Lines, then all marks above them; `behind` is drawn first, `tips` as vertical strips.

    Intervals are of y, or of x where the y axis is without ticks.
    """
    parts, marks = [axes(frame), *behind], []
    for each in series:
        shift = replace(frame, left=frame.left + each.aside, right=frame.right - each.aside)
        if each.line:
            parts.append(curve(shift, each.line, each.look.stroke, each.tip, each.key))
        for point in each.points:
            if point.interval:
                ends = [
                    (point.x, end) if frame.y.ticks else (end, point.y) for end in point.interval
                ]
                kind = f"whisker {each.look.colour_class}"
                parts.append(line(*shift.at(*ends[0]), *shift.at(*ends[1]), kind))
            marks.append(mark(*shift.at(point.x, point.y), each.look, point.tip, each.key))
    over = [strips(frame, tips)] if tips else []
    return Drawing(frame.width, frame.height, [*parts, *marks, *over], label)


@dataclass(frozen=True)
class Row:
    """One line of `rows`: a value with its interval; `dots` are single values with their tips."""

    name: str
    value: float
    low: float
    high: float
    tip: str
    look: Look = Look()
    dots: tuple[tuple[float, str], ...] = ()


def rows(
    values: Sequence[Row], axis: Axis, width: float, label: str, rule: float | None
) -> Drawing:
    """Intervals below each other, names on the left or, on a narrow chart, above them.

    `rule`: the value to compare with, drawn as a vertical line.
    """
    is_narrow = width <= NARROW_PX
    left, height, share = 10 + max(text_px(row.name) for row in values), 22.0, 0.5
    if is_narrow:
        left, height, share = 8.0, 36.0, 0.72
    last = len(values)
    frame = Frame(width, height * last + 50, axis, Axis("", 0, last, ()), left, 14, 8, 42)
    behind = [] if rule is None else [frame.rule((rule, 0), (rule, last))]
    series = []
    for number, row in enumerate(values):
        place = last - number - share
        _, y = frame.at(axis.low, place)
        if is_narrow:
            behind.append(text(0, y - 12, row.name, kind="over"))
        else:
            behind.append(text(left - 8, y + 4, row.name, "end"))
        series.append(Series(DOT, points=[Point(dot, place, tip) for dot, tip in row.dots]))
        point = Point(row.value, place, row.tip, (row.low, row.high))
        series.append(Series(row.look, points=[point]))
    return plot(frame, series, label, behind)


def swatch(look: Look, has_line: bool = True, has_mark: bool = True) -> str:
    """A series as the legend shows it."""
    drawn = f'<path class="line {look.stroke}" d="M1,7H25"/>' if has_line else ""
    shape = f'<g class="{look.fill}" transform="translate(13,7)"><path d="{look.path}"/></g>'
    return (
        '<svg class="swatch" viewBox="0 0 26 14" width="26" height="14" aria-hidden="true">'
        f"{drawn}{shape if has_mark else ''}</svg>"
    )


def text_px(words: str, size_px: float = 11) -> float:
    """Approximate width of words in a font of that size."""
    return len(words) * size_px * _CHARACTER_SHARE


def escaped(words: str) -> str:
    """Words on one line for SVG and HTML, without the control characters that XML forbids."""
    return escape(gfr_text.line(words))


def px(value: float) -> str:
    """A length with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
