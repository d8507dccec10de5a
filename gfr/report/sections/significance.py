"""Significance: paired tests of every trial against the selected one."""

from gfr.report.analysis import ALPHA, Against, cost
from gfr.report.figures import Figure, backbones, forest, look
from gfr.report.formatting import points, title
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import Row
from gfr.results.records import Run

_HEADER = (
    *("Trial", "p50 latency (ms)", "Size (MB)", "Accuracy difference (points)"),
    *("Only selected correct", "Only this correct", "p", "p (Holm)", "Significant"),
)


def section(report: Report) -> Section | None:
    """Return the tests, the fastest trial first."""
    run, against = report.run, report.analysis.against
    if not against:
        return None
    selected = run.result_of(None)
    has_seeds = any(row.seeds.num > 1 for row in report.analysis.studies.values())
    blocks: list[Block] = [
        f"{sentence(report)} All trials answer the same "
        f"{selected.metrics['test'].num_images:,} test images, with the heads of seed "
        f"{run.record.benchmark.seed}. The fastest trial comes first.",
        Table(_HEADER, [_row(run, row) for row in against]),
        "Accuracy difference: test accuracy of the selected trial minus this one's, with the 95 % "
        "interval of a paired bootstrap over images. p: exact McNemar test. p (Holm): adjusted for "
        f"{len(against)} comparisons; a difference is significant below {ALPHA:g}. The intervals "
        "are not adjusted, so one can exclude 0 although the difference is not significant. No "
        "significant difference does not mean equal: more test images might reveal one."
        + (" For other seeds see Seeds and splits." if has_seeds else ""),
        Chart([_forest(report)]),
    ]
    return Section("significance", "Significance against the selected model", blocks)


def sentence(report: Report) -> str:
    """Name the trials that do not differ significantly from the selected one."""
    run, against = report.run, report.analysis.against
    if not against:
        return ""
    similar = [row for row in against if not row.is_significant]
    if not similar:
        return "Every other trial differs significantly from it on the same test images."
    names = ", ".join(f"{title(run, row.trial_id)} ({_below(row.difference)})" for row in similar)
    return f"No significant difference on the same test images: {names}."


def _below(difference: float) -> str:
    """Describe an accuracy from which the selected trial's differs by `difference`, -1..1."""
    value = f"{100 * abs(difference):.1f}"
    if value == "0.0":
        return "equal accuracy"
    return f"{value} points {'lower' if difference > 0 else 'higher'}"


def _row(run: Run, row: Against) -> list[str]:
    p50_ms, size_mb = cost(run, run.result_of(row.trial_id))
    is_timed = p50_ms < float("inf")
    return [
        title(run, row.trial_id),
        f"{p50_ms:.1f}" if is_timed else "-",
        f"{size_mb:.0f}" if is_timed else "-",
        points(row.difference, row.low, row.high),
        str(row.only_selected_right),
        str(row.only_this_right),
        f"{row.p_value:.2g}",
        f"{row.p_holm:.2g}",
        "yes" if row.is_significant else "**no**",
    ]


def _forest(report: Report) -> Figure:
    run, rows = report.run, []
    for row in report.analysis.against:
        result = run.result_of(row.trial_id)
        tip = (
            f"{result.trial.title}\nselected trial minus this one: "
            f"{points(row.difference, row.low, row.high, 2)} points\n"
            f"p (Holm) {row.p_holm:.3g}: {'' if row.is_significant else 'not '}significant"
        )
        ends = (100 * row.difference, 100 * row.low, 100 * row.high)
        rows.append(Row(result.trial.title, *ends, tip, look(run, result)))
    caption = f"Test accuracy of {run.result_of(None).trial.title} minus that of each other trial"
    return forest(rows, caption, backbones(run))
