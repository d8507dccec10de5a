"""Significance: paired tests of every trial against the selected one."""

from gfr.evaluation.statistics import ALPHA
from gfr.report.analysis import Against, cost
from gfr.report.figures import Figure, backbones, forest, look
from gfr.report.formatting import points, title
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import Row
from gfr.results.records import Run


def section(report: Report) -> Section | None:
    """Return the tests, the fastest trial first."""
    run, against = report.run, report.analysis.against
    if not against:
        return None
    selected = run.result_of(None)
    blocks: list[Block] = [
        f"{sentence(report)} All trials are evaluated on the same "
        f"{selected.metrics['test'].num_images:,} test images, with the seed-"
        f"{run.record.benchmark.seed} heads. Sorted by latency, fastest first.",
        Table.of([_row(run, row) for row in against]),
        "Selected minus this trial: difference in test accuracy, with the 95% interval of a "
        "paired bootstrap over images. p: exact McNemar test. p (Holm): adjusted for "
        f"{len(against)} comparisons; a difference is significant below {ALPHA:g}. The intervals "
        "are not adjusted for multiple comparisons, so an interval may exclude 0 even if the "
        "difference is not significant. A non-significant result does not show that the models are "
        "equally good; a larger test set might reveal a difference."
        + (" For other seeds see Seeds and splits." if report.has_seeds else ""),
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
    names = []
    for row in similar:
        value = f"{100 * abs(row.difference):.1f}"
        text = f"{value} points {'lower' if row.difference > 0 else 'higher'}"
        text = "equal accuracy" if value == "0.0" else text
        names.append(f"{title(run, row.trial_id)} ({text})")
    return f"No significant difference on the same test images: {', '.join(names)}."


def _row(run: Run, row: Against) -> dict[str, str]:
    p50_ms, size_mb = cost(run, run.result_of(row.trial_id))
    is_timed = p50_ms < float("inf")
    return {
        "Trial": title(run, row.trial_id),
        "p50 latency (ms)": f"{p50_ms:.1f}" if is_timed else "-",
        "Size (MB)": f"{size_mb:.0f}" if is_timed else "-",
        "Selected minus this trial (points)": points(row.difference, row.low, row.high),
        "Only selected trial correct": str(row.only_selected_right),
        "Only this trial correct": str(row.only_this_right),
        "p": f"{row.p_value:.2g}",
        "p (Holm)": f"{row.p_holm:.2g}",
        "Significant": "yes" if row.is_significant else "**no**",
    }


def _forest(report: Report) -> Figure:
    run, rows = report.run, []
    for row in report.analysis.against:
        result = run.result_of(row.trial_id)
        tip = (
            f"{result.trial.title}\nselected trial minus this one: "
            f"{points(row.difference, row.low, row.high, 2)} points\n"
            f"p (Holm) {row.p_holm:.3g}: {'' if row.is_significant else 'not '}significant"
        )
        ends = (row.difference, row.low, row.high)
        rows.append(Row(result.trial.title, *ends, tip, look(run, result)))
    caption = f"Test accuracy of {run.result_of(None).trial.title} minus that of each other trial"
    return forest(rows, caption, backbones(run))
