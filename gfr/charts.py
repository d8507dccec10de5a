"""Charts as SVG text, to be read on paper, on a phone, in light and in dark.

In: numbers, words, an Axis for each direction. Out: SVG elements as text. Colours, dashes and
fonts are classes that gfr/report.css fills in; every distinction is also a shape or a dash, and the
exact values of a mark stand in its <title>. Pure: escapes all text, reads no record and no file.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

NUM_COLOURS = 7  # as in gfr/figures.py
NUM_DASHES = 4
WIDE_PX, NARROW_PX = 920.0, 350.0  # a desktop's column, a phone's
_CHARACTER_PX = 6.3  # of the 11 px font, widely set
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
    """How a series is told from others: `colour` and `shape` are numbers, and so is `dash`."""

    colour: int = 0
    shape: int = 0
    dash: int = 0
    is_hollow: bool = False
    is_small: bool = False

    @property
    def stroke(self) -> str:
        """Classes of a line."""
        return f"c{self.colour % NUM_COLOURS} d{self.dash % NUM_DASHES}"

    @property
    def path(self) -> str:
        """Of a mark around 0, 0."""
        return _SHAPES[self.shape % len(_SHAPES)]

    @property
    def fill(self) -> str:
        """Classes of a mark."""
        return f"mark c{self.colour % NUM_COLOURS}" + (" hollow" if self.is_hollow else "")


DOT = Look(colour=NUM_COLOURS - 1, is_hollow=True, is_small=True)  # behind a mean


@dataclass(frozen=True)
class Axis:
    """One direction: from `low` to `high`, with the words at its ticks."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0..1; what is beyond lies at the end."""
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
    """An axis around the values that begins and ends at round ones, but never beyond `within`."""
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
    digits = (1, 2, 3, 5, 7) if high / low < 12 else (1, 2, 5) if high / low < 300 else (1,)
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    places = [digit * 10.0**ten for ten in tens for digit in digits]
    ticks = tuple((place, f"{place:g}") for place in places if low <= place <= high)
    return Axis(label, low, high, ticks, is_log=True)


@dataclass(frozen=True)
class Frame:
    """The field of a chart between its margins, px."""

    width: float
    height: float
    x: Axis
    y: Axis
    left: float = 42
    right: float = 18
    top: float = 24
    bottom: float = 38

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where values lie, px from the upper left corner."""
        across = self.width - self.left - self.right
        down = self.height - self.top - self.bottom
        return self.left + across * self.x.share(x), self.top + down * (1 - self.y.share(y))


def svg(width: float, height: float, parts: Sequence[str], label: str, kind: str = "") -> str:
    """A chart; the keyboard reaches it, and the script then leads from mark to mark."""
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {_px(width)} {_px(height)}" width="{_px(width)}" '
        f'height="{_px(height)}" role="img" tabindex="0" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def axes(frame: Frame) -> str:
    """Grid, ticks and the names of both directions."""
    left, bottom = frame.at(frame.x.low, frame.y.low)
    right, _ = frame.at(frame.x.high, frame.y.low)
    parts = []
    for value, name in frame.y.ticks:
        _, y = frame.at(frame.x.low, value)
        parts.append(line(left, y, right, y, "grid"))
        parts.append(text(left - 6, y + 3.5, name, "end"))
    for value, name in frame.x.ticks:
        x, _ = frame.at(value, frame.y.low)
        parts.append(line(x, bottom, x, bottom + 4, "tick"))
        parts.append(text(x, bottom + 16, name, "middle"))
    parts.append(line(left, bottom, right, bottom, "tick"))
    parts.append(text(0, 11, frame.y.label, "start", "name"))
    parts.append(text(right, frame.height - 4, frame.x.label, "end", "name"))
    return "".join(parts)


def line(x1: float, y1: float, x2: float, y2: float, kind: str, tip: str = "") -> str:
    """A straight line, px."""
    ends = f'x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}"'
    return f'<line class="{kind}" {ends}>{title(tip)}</line>'


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Words at a place, px."""
    named = f' class="{kind}"' if kind else ""
    anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{_px(x)}" y="{_px(y)}"{anchored}{named}>{escape(words)}</text>'


def title(tip: str) -> str:
    """The exact values of a mark: the script shows them, and a browser without it does too."""
    return f"<title>{escape(tip)}</title>" if tip else ""


def curve(
    frame: Frame, points: Sequence[tuple[float, float]], kind: str, tip: str = "", key: str = ""
) -> str:
    """A line through values; `key` names its series to the legend."""
    places = [(round(x, 1), round(y, 1)) for x, y in (frame.at(*point) for point in points)]
    kept = [
        place
        for i, place in enumerate(places)
        if not 0 < i < len(places) - 1 or not _is_straight(places[i - 1], place, places[i + 1])
    ]
    way = "L".join(f"{_px(x)},{_px(y)}" for x, y in kept)
    named = f' data-key="{escape(key)}"' if key else ""
    return f'<path class="line {kind}"{named} d="M{way}">{title(tip)}</path>'


def _is_straight(
    before: tuple[float, float], here: tuple[float, float], after: tuple[float, float]
) -> bool:
    """Whether a point lies between its neighbours on an upright or level line."""
    return any(
        before[i] == here[i] == after[i] and min(a, b) <= here[1 - i] <= max(a, b)
        for i in (0, 1)
        for a, b in [(before[1 - i], after[1 - i])]
    )


def mark(x: float, y: float, look: Look, tip: str, key: str = "") -> str:
    """A point with its values, px."""
    named = f' data-key="{escape(key)}"' if key else ""
    scale = " scale(0.65)" if look.is_small else ""
    return (
        f'<g class="{look.fill}"{named} transform="translate({_px(x)},{_px(y)}){scale}">'
        f'{title(tip)}<circle class="reach" r="{_REACH_PX}"/><path d="{look.path}"/></g>'
    )


def whisker(x1: float, y1: float, x2: float, y2: float, look: Look, key: str = "") -> str:
    """An interval, px."""
    named = f' data-key="{escape(key)}"' if key else ""
    ends = f'x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}"'
    return f'<line class="whisker c{look.colour % NUM_COLOURS}"{named} {ends}/>'


def strips(frame: Frame, xs: Sequence[float], tips: Sequence[str]) -> str:
    """Upright fields, one a value, that show what all lines have there."""
    places = [frame.at(x, frame.y.low)[0] for x in xs]
    middles = [(a + b) / 2 for a, b in pairwise(places)]
    starts, ends = [places[0], *middles], [*middles, places[-1]]
    height = frame.height - frame.top - frame.bottom
    return "".join(
        f'<rect class="strip" x="{_px(a)}" y="{_px(frame.top)}" width="{_px(max(b - a, 1))}" '
        f'height="{_px(height)}">{title(tip)}</rect>'
        for a, b, tip in zip(starts, ends, tips, strict=True)
    )


@dataclass(frozen=True)
class Row:
    """One line of `rows`: a value with its interval, and `dots`: values with their tips."""

    name: str
    value: float
    low: float
    high: float
    tip: str
    look: Look = Look()
    dots: tuple[tuple[float, str], ...] = ()


def rows(found: Sequence[Row], axis: Axis, width: float, label: str, least: float | None) -> str:
    """Intervals below each other, names on the left or, where it is narrow, above them.

    `least`: the value to compare with, as an upright line.
    """
    is_narrow = width <= NARROW_PX
    left = 8.0 if is_narrow else 10 + max(text_px(row.name) for row in found)
    height = 36.0 if is_narrow else 22.0
    scale = Axis("", 0, 1, ())
    frame = Frame(width, height * len(found) + 50, axis, scale, left, 14, 8, 42)
    parts = []
    for value, name in axis.ticks:
        x, bottom = frame.at(value, 0)
        parts.append(line(x, frame.top, x, bottom, "grid"))
        parts.append(text(x, bottom + 16, name, "middle"))
    if least is not None:
        x, bottom = frame.at(least, 0)
        parts.append(line(x, frame.top, x, bottom, "rule"))
    for number, row in enumerate(found):
        y = frame.top + height * (number + (0.72 if is_narrow else 0.5))
        parts.append(
            text(0, y - 12, row.name, kind="over")
            if is_narrow
            else text(left - 8, y + 4, row.name, "end")
        )
        ends = (frame.at(each, 0)[0] for each in (row.low, row.high))
        parts += [whisker(x1, y, x2, y, row.look) for x1, x2 in [tuple(ends)]]
        parts += [mark(frame.at(dot, 0)[0], y, DOT, tip) for dot, tip in row.dots]
        parts.append(mark(frame.at(row.value, 0)[0], y, row.look, row.tip))
    parts.append(text(width - 14, frame.height - 6, axis.label, "end", "name"))
    return svg(width, frame.height, parts, label)


def swatch(look: Look, has_line: bool = True, has_mark: bool = True) -> str:
    """A series as the legend shows it."""
    drawn = f'<path class="line {look.stroke}" d="M1,7H25"/>' if has_line else ""
    shape = f'<g class="{look.fill}" transform="translate(13,7)"><path d="{look.path}"/></g>'
    return (
        '<svg class="swatch" viewBox="0 0 26 14" width="26" height="14" aria-hidden="true">'
        f"{drawn}{shape if has_mark else ''}</svg>"
    )


def text_px(words: str) -> float:
    """About how wide words are."""
    return len(words) * _CHARACTER_PX


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
