"""Regression check: the verdict against earlier runs, with its trends.

The verdict has everything that is drawn or printed here, so the history itself is not needed.
"""

from collections.abc import Sequence

from gfr import text as gfr_text
from gfr.report import markdown, svg
from gfr.report.figures import Entry, Figure
from gfr.report.formatting import bounds
from gfr.report.section import Block, Chart, Report, Section
from gfr.report.svg import Axis, Frame, Look, Point
from gfr.results.regression_records import Found, Series, Verdict

_WIDTH, _HEIGHT = 350, 260  # px
_MAX_TICKS, _MAX_MARKS = 4, 20
_ALARM = Look(svg.NUM_COLOURS - 1, 6)
_CAPTIONS = {  # a chart for each backbone, then one for all
    "accuracy": "{}: test accuracy",
    "p10_ms": "{}: latency of one image",
    "duration_s": "Duration of the stages",
}


def section(report: Report) -> Section | None:
    """Return the verdict, its trends and what it found."""
    verdict = report.run.verdict
    if verdict is None:
        return None
    lines = [f"{row.status}: {markdown.text(row.text)}" for row in verdict.of(*_listed(verdict))]
    blocks: list[Block] = [
        f"**{verdict.status}**: {markdown.text(verdict.reason)}.",
        f"{markdown.text(verdict.new_baseline)}." if verdict.new_baseline else "",
        Chart(trends(verdict), "trend", "Accuracy, latency and duration by run", "two"),
        markdown.bullets(lines),
    ]
    return Section("regression-check", "Regression check", blocks)


def text(verdict: Verdict) -> str:
    """Return the verdict for the terminal."""
    lines = [f"{verdict.run_id}: {verdict.status}: {verdict.reason}"]
    if verdict.new_baseline:
        lines.append(verdict.new_baseline)
    lines += [f"{row.status:12}  {row.text}" for row in verdict.of(*_listed(verdict), "ok")]
    if verdict.changes:
        lines.append(f"changed since the newest good run: {', '.join(verdict.changes)}")
    return gfr_text.lines("\n".join([*lines, f"history: reports/history/{verdict.key}.jsonl"]))


def _listed(verdict: Verdict) -> list[Found]:
    """Return the findings that get a line each; without any history the reason says so once."""
    listed: list[Found] = ["regression", "inconclusive", "changed"]
    return listed if verdict.status == "no history" else [*listed, "no history"]


def trends(verdict: Verdict) -> list[Figure]:
    """For each backbone its accuracy and its latency, then the stages; none after a single run."""
    if len(verdict.runs) < 2:
        return []
    drawn = []
    for backbone in dict.fromkeys(row.backbone for row in verdict.series):
        for figure, caption in _CAPTIONS.items():
            panel = (backbone, figure)
            rows = [row for row in verdict.series if (row.backbone, row.figure) == panel]
            if any(value is not None for row in rows for value in row.values):
                drawn.append(_figure(caption.format(backbone), verdict, rows))
    return drawn


def _figure(caption: str, verdict: Verdict, rows: Sequence[Series]) -> Figure:
    """Draw a line for each row with its expected range; p50 stands beside p10."""
    p50: list[Series] = []
    if rows[0].figure == "p10_ms":
        of_backbone = [row for row in verdict.series if row.backbone == rows[0].backbone]
        p50 = [row for row in of_backbone if row.figure == "p50_ms"]
    frame = Frame(_WIDTH, _HEIGHT, _days(verdict), _scale([*rows, *p50]), left=46)
    tips = [f"{run.run_id}, {run.created_utc[:10]}" for run in verdict.runs]
    behind, lines, alarms, legend = [], [], [], []
    every = -(-len(tips) // _MAX_MARKS)
    for number, row in enumerate(rows):
        look, name = Look(number, number), _name(row)
        legend.append(Entry(name, look))
        if band := bounds(row.low, row.high):
            behind.append(_area(frame, band, f"band {look.colour_class}"))
        points = [Point(run, value) for run, value in enumerate(row.values) if value is not None]
        lines.append(svg.Series(look, list(enumerate(row.values)), points[::-every]))
        for point in points:
            tips[int(point.x)] += f"\n{name}: {point.y:.4g}"
        alarms += [point for point in points if row.alarms[int(point.x)]]
    for number, row in enumerate(p50):
        lines.append(svg.Series(Look(number, dash=2), list(enumerate(row.values))))
    lines.append(svg.Series(_ALARM, points=alarms))
    legend += [Entry("dotted: p50")] if p50 else []
    legend += [Entry("band: expected range")] if behind else []
    legend += [Entry("regression", _ALARM, has_line=False)] if alarms else []
    drawn = svg.plot(frame, lines, f"{caption} by run", behind, dict(enumerate(tips)))
    return Figure(caption, [drawn], legend)


def _name(row: Series) -> str:
    """Without the backbone, which the caption names: `iteration 2`, `128x128, float32`."""
    return row.subject.removeprefix(row.backbone).removeprefix(" / ").removeprefix(" at ")


def _area(frame: Frame, band: tuple[float, float], kind: str) -> str:
    left, bottom = frame.at(frame.x.low, band[0])
    right, top = frame.at(frame.x.high, band[1])
    return svg.element("rect", kind=kind, x=left, y=top, width=right - left, height=bottom - top)


def _days(verdict: Verdict) -> Axis:
    """A few start dates below the axis, the last run's always among them."""
    last = len(verdict.runs) - 1
    shown = range(last, -1, -max(1, -(-len(verdict.runs) // _MAX_TICKS)))
    ticks = tuple((float(run), verdict.runs[run].created_utc[5:10]) for run in shown)
    margin = max(0.3, 0.03 * last)
    return Axis("start of the run; the last is this one", -margin, last + margin, ticks)


def _scale(rows: Sequence[Series]) -> Axis:
    every = [value for row in rows for value in (*row.values, row.low, row.high)]
    values, kind = [value for value in every if value is not None], rows[0].figure
    if kind == "accuracy":
        return svg.linear("test accuracy", values, "{:.1%}".format)
    label = "p10, ms (log scale)" if kind == "p10_ms" else "wall time, s (log scale)"
    return svg.logarithmic(label, [max(value, 1e-4) for value in values], 1.1)
