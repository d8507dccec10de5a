"""Summary: the model to use, and what limits the numbers."""

from gfr.measurement.latency import LatencyResult
from gfr.report import facts, markdown
from gfr.report.formatting import RANDOM, accuracy, interval, title
from gfr.report.section import Report, Section
from gfr.report.sections import significance
from gfr.results.records import Run, TrialResult


def section(report: Report) -> Section:
    """Return the first section, which the page shows as its header."""
    caveats = facts.caveats(report.run)
    lines = [
        f"**{markdown.text(row.text)}**" if row.is_serious else markdown.text(row.text)
        for row in caveats
    ]
    return Section("summary", "Summary", [_selected(report), markdown.bullets(lines)])


def _selected(report: Report) -> str:
    run, selected = report.run, facts.selected_trial(report.run)
    if selected is None:
        return "**No model is selected**: the run has not finished."
    costs = ""
    if latency := run.latency_of(selected.trial):
        costs = f", {_p50(run, latency)}, {latency.size_bytes / 1e6:.0f} MB"
    sentences = [
        f"**{title(run, selected.trial.id)}** is selected: "
        f"{accuracy(selected.metrics['test'], 'test')}{_over_seeds(report, selected)}{costs}.",
        _weakness(run, selected),
        significance.sentence(report),
    ]
    text = " ".join(filter(None, sentences))
    return text + (f" {RANDOM} random weights." if RANDOM in text else "")


def _weakness(run: Run, selected: TrialResult) -> str:
    if run.is_better_than_majority(selected):
        return ""
    majority = f"{100 * run.record.split.majority_share:.1f} %"
    return (
        f"**Not significantly better than the majority class** ({majority}): its 95 % interval "
        "does not lie above it."
    )


def _over_seeds(report: Report, result: TrialResult) -> str:
    """`, mean of 5 seeds 89.5 % (88.5 to 90.5)`; nothing with a single one."""
    seeds = report.analysis.studies[result.trial.id].seeds
    if seeds.num < 2:
        return ""
    least, most = 100 * seeds.least, 100 * seeds.most
    return f", mean of {seeds.num} seeds {100 * seeds.mean:.1f} % ({least:.1f} to {most:.1f})"


def _p50(run: Run, latency: LatencyResult) -> str:
    """`p50 latency 54.5 ms [53.8, 54.9] per image (float32, batch 1, 100 calls, CPU)`."""
    device = "" if run.record.hardware.gpus else ", CPU"
    single = latency.float32.single
    bounds = single.interval_s(50)
    with_bounds = f" {interval(bounds, '.1f', 1000)}" if bounds else ""
    load = ", CONTENDED" if latency.float32.is_contended else ""
    return (
        f"p50 latency {1000 * single.percentile_s(50):.1f} ms{with_bounds} per image "
        f"(float32, batch 1, {len(single.values_s)} calls{device}{load})"
    )
