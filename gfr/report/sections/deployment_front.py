"""Deployment, accuracy against latency: every trial and format, and the Pareto front of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from gfr.config.schema import ENGINES
from gfr.evaluation.statistics import wilson
from gfr.report import facts, figures, svg
from gfr.report.figures import Entry, Figure
from gfr.report.formatting import CONTENDED, title, with_interval
from gfr.report.section import Block, Chart
from gfr.report.svg import NARROW_PX, Axis, Drawing, Frame, Look, Point, Series
from gfr.results import deployment
from gfr.results.deployment import PRECISIONS
from gfr.results.deployment_records import EngineTiming
from gfr.results.records import Run, TrialResult
from gfr.results.reference_records import PairedLatency, ReferenceResult

_CAPTION = "Test accuracy against latency, every trial and format"
_NAME = "accuracy-latency-formats"
_ASIDE_PX = 7.0  # between trials that share a model, and so a latency
# Places of a number beside its mark, px, in order of preference; then its size.
_BESIDE = ((11, -5), (-11, -5), (11, 13), (-11, 13), (0, -10), (0, 18), (21, 4), (-21, 4))
_NUMBER_PX = 9.0
_LINE = "front"


@dataclass(frozen=True)
class Spot:
    """A trial in one engine and precision: its test accuracy and latency with all threads.

    Or a reference, which has neither and was timed in turn with the selected model.
    """

    result: TrialResult | ReferenceResult
    engine: str
    precision: str
    timing: EngineTiming | PairedLatency
    num_right: int
    num_images: int
    is_selected: bool

    @property
    def accuracy(self) -> float:
        """Share of the test images, 0..1."""
        return self.num_right / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the accuracy."""
        return wilson(self.num_right, self.num_images)

    @property
    def title(self) -> str:
        """Engine and precision."""
        if isinstance(self.result, ReferenceResult):
            return "not trained here"
        return deployment.title(self.engine, self.precision)

    @property
    def name(self) -> str:
        """Title of the trial, or label of the reference."""
        if isinstance(self.result, ReferenceResult):
            return self.result.label
        return self.result.trial.title

    @property
    def note(self) -> str:
        """What must be read beside the numbers."""
        return "" if isinstance(self.result, ReferenceResult) else self.result.features.note

    @property
    def look(self) -> Look:
        """Colour of the engine, shape of the precision; small: not selected, hollow: random."""
        if isinstance(self.result, ReferenceResult):
            return replace(figures.REFERENCE, is_small=True)
        known = self.precision in PRECISIONS
        shape = PRECISIONS.index(self.precision) if known else len(PRECISIONS)
        is_random = self.result.features.weights.source == "random"
        colour = [*ENGINES].index(self.engine)
        return Look(colour, shape, is_hollow=is_random, is_small=not self.is_selected)


def blocks(run: Run) -> list[Block]:
    """Return the figure and the front as a list; nothing in runs without formats."""
    found = spots(run) if run.formats else []
    if len(found) < 2:
        return []
    lines = [f"{number}. {_place(run, spot)}" for number, spot in enumerate(front(found), start=1)]
    has_references = any(isinstance(spot.result, ReferenceResult) for spot in found)
    over = "trials, formats and references" if has_references else "trials and formats"
    text = (
        f"Pareto front of test accuracy and p50 latency over {over} (no other is at least as fast "
        "and as accurate, and better in one). It describes these test images; the "
        "selection uses validation images. Differences within the intervals may be due to chance."
    )
    return [
        Chart([draw(found)], _NAME, _CAPTION),
        f"{text}\n\n" + "\n".join(lines),
    ]


def _place(run: Run, spot: Spot) -> str:
    contended = f" {CONTENDED}" if spot.timing.single.is_contended else ""
    accuracy = with_interval(spot.accuracy, spot.interval)
    result = spot.result
    name = title(run, result.trial.id) if isinstance(result, TrialResult) else spot.name
    return (
        f"{name}, {spot.title}: p50 "
        f"{facts.p50(spot.timing.single)}{contended}, test accuracy {accuracy}"
    )


def spots(run: Run) -> list[Spot]:
    """Return the selected trial in every format, others in the engines of their models; references.

    Of these the ones that were timed.
    """
    trials = [spot for result in run.trials for spot in _spots(run, result)]
    return trials + [
        Spot(row, "", "", row.latency, test.num_right, test.num_images, is_selected=False)
        for row in run.references.values()
        if row.latency and (test := row.metrics.get("test"))
    ]


def _spots(run: Run, result: TrialResult) -> Iterator[Spot]:
    is_selected = run.selection is not None and run.selection.trial_id == result.trial.id
    if is_selected:
        rows = facts.variants(run)
    else:
        rows = deployment.variants({}, run.engine_latencies.get(result.trial.feature_set.id))
    for row in rows:
        test = row.result.test if row.result else None
        own, timing = result.metrics["test"], row.timing
        # The trial's own answers are those of TensorFlow, and in float32 of every engine.
        is_own = row.precision == "float32" or row.key == ("tensorflow", result.features.precision)
        if timing and (test or is_own):
            counts = (test.num_right, test.num_images) if test else (own.num_right, own.num_images)
            yield Spot(result, row.engine, row.precision, timing, *counts, is_selected)


def front(found: Sequence[Spot]) -> list[Spot]:
    """Return those that no other is at least as fast and as accurate as, the fastest first."""
    places: list[Spot] = []
    for spot in sorted(found, key=lambda spot: (spot.timing.p50_ms, -spot.accuracy)):
        if not places or spot.accuracy > places[-1].accuracy:
            places.append(spot)
    return places


def draw(found: Sequence[Spot]) -> Figure:
    """Draw all of them, with a line and numbers through the front."""
    bounds = [end for spot in front(found) for end in spot.interval]
    bounds += [spot.accuracy for spot in found]
    y = svg.linear("test accuracy", bounds, figures.percent, (0.0, 1.0))
    p50_ms = [spot.timing.p50_ms for spot in found]
    x = svg.logarithmic("p50 latency of one image, ms (log scale)", p50_ms, 1.25)
    notes = ["numbers, line: Pareto front, with 95% intervals"]
    if any(not spot.is_selected for spot in found):
        notes.append("small: other models than the selected one")
    if any(spot.look.is_hollow for spot in found):
        notes.append("hollow: random weights")
    if any(spot.timing.single.is_contended for spot in found):
        notes.append(f"{CONTENDED}: contended latency")
    ordered = sorted(found, key=lambda spot: (spot.look.colour, spot.look.shape))
    looks = {spot.title: replace(spot.look, is_hollow=False, is_small=False) for spot in ordered}
    legend = [Entry(name, look, has_line=False) for name, look in looks.items()]
    return figures.both(
        lambda width: _draw(found, x, y, width), _CAPTION, [*legend, *map(Entry, notes)]
    )


def _draw(found: Sequence[Spot], x: Axis, y: Axis, width: float) -> Drawing:
    frame = Frame(width, 400 if width > NARROW_PX else 340, x, y)
    on_front = front(found)
    path: list[tuple[float, float | None]] = []
    for spot in on_front:
        p50_ms = spot.timing.p50_ms
        path += [(p50_ms, path[-1][1])] if path else []
        path.append((p50_ms, spot.accuracy))
    behind = [svg.curve(frame, [*path, (x.high, path[-1][1])], _LINE)]
    series = []
    others = [spot for spot in found if not spot.is_selected and spot not in on_front]
    for spot, aside in _asides(others):
        series.append(Series(spot.look, points=[_point(spot)], aside=aside))
    selected = [spot for spot in found if spot.is_selected and spot not in on_front]
    series += [Series(spot.look, points=[_point(spot)]) for spot in selected]
    for spot in on_front:
        point = replace(_point(spot), interval=spot.interval)
        series.append(Series(spot.look, points=[point]))
    return svg.plot(
        frame,
        series,
        f"Test accuracy and latency of {len(found)} trials and formats",
        [*behind, *_numbers(frame, found, on_front)],
    )


def _asides(found: Sequence[Spot]) -> Iterator[tuple[Spot, float]]:
    """Place trials of equal latency beside each other, px."""
    ordered = sorted(found, key=lambda spot: (spot.timing.p50_ms, spot.engine))
    for _, group in groupby(ordered, key=lambda spot: (spot.timing.p50_ms, spot.engine)):
        row = list(group)
        for number, spot in enumerate(row):
            yield spot, _ASIDE_PX * (number - (len(row) - 1) / 2)


def _point(spot: Spot) -> Point:
    lines = [
        f"{spot.name}, {spot.title}",
        "test accuracy {:.4f} [{:.4f}, {:.4f}]".format(spot.accuracy, *spot.interval)
        + f", n = {spot.num_images:,}",
        f"p50 {spot.timing.p50_ms:.2f} ms, {len(spot.timing.single.values_s):,} calls",
        "contended" if spot.timing.single.is_contended else "",
        spot.note,
    ]
    return Point(spot.timing.p50_ms, spot.accuracy, "\n".join(filter(None, lines)))


def _numbers(frame: Frame, found: Sequence[Spot], on_front: Sequence[Spot]) -> Iterator[str]:
    """Number the front beside its marks, where there is room."""
    taken = [frame.at(spot.timing.p50_ms, spot.accuracy) for spot in found]
    for number, spot in enumerate(on_front, start=1):
        x, y = frame.at(spot.timing.p50_ms, spot.accuracy)
        # The baseline of a text is below its middle.
        places = [(x + right, y + down - 4) for right, down in _BESIDE]
        middle = max(places, key=lambda place: _room(place, taken))
        taken.append(middle)
        contended = f" {CONTENDED}" if spot.timing.single.is_contended else ""
        yield svg.text(middle[0], middle[1] + 4, f"{number}{contended}", "middle", "beside")


def _room(place: tuple[float, float], taken: Sequence[tuple[float, float]]) -> float:
    """Return the distance to the nearest mark or number, px, as far as it matters."""
    x, y = place
    return min(_NUMBER_PX, *(max(abs(x - a), abs(y - b)) for a, b in taken))
