"""Summary: the model to use, and what limits the numbers."""

from gfr.measurement.latency import LatencyResult
from gfr.report import facts, markdown
from gfr.report.formatting import RANDOM, accuracy, title
from gfr.report.section import Report, Section
from gfr.report.sections import selection, significance
from gfr.results.records import Run


def section(report: Report) -> Section:
    """Return the first section, which the page shows as its header."""
    lines = [
        f"**{markdown.text(row.text)}**" if row.is_serious else markdown.text(row.text)
        for row in facts.caveats(report.run)
    ]
    return Section("summary", "Summary", [_selected(report), markdown.bullets(lines)])


def _selected(report: Report) -> str:
    run = report.run
    if run.selection is None:
        return "**No model is selected**: the run has not finished."
    selected = run.result_of(None)
    qualities = [accuracy(selected.metrics["test"], "test")]
    seeds = report.analysis.studies[selected.trial.id].seeds
    if seeds.num > 1:
        mean, least, most = (f"{100 * x:.1f}" for x in (seeds.mean, seeds.least, seeds.most))
        qualities.append(f"mean of {seeds.num} seeds {mean}% ({least} to {most})")
    if latency := run.latency_of(selected.trial):
        qualities += [_p50(run, latency), f"{latency.size_bytes / 1e6:.0f} MB"]
    sentences = [f"**{title(run, selected.trial.id)}** is selected: {', '.join(qualities)}."]
    better = facts.better_references(run, report.analysis.versus)
    sentences += [f"**{markdown.text(better)}**" if better else "", _recommended(run)]
    if not run.is_better_than_majority(selected):
        sentences.append(
            "**Not significantly better than the majority class** "
            f"({100 * run.record.split.majority_share:.1f}%): the 95% interval for its test "
            "accuracy is not entirely above that share."
        )
    sentences += [significance.sentence(report), selection.sentence(run)]
    text = " ".join(filter(None, sentences))
    return text + (f" {RANDOM} random weights." if RANDOM in text else "")


def _recommended(run: Run) -> str:
    """Name the format of the selected model to use, with what limits that."""
    found, words = facts.recommended(run), facts.recommendation(run)
    if found is None:
        return ""
    limits = f" It exceeds the limits of the benchmark: {found.beyond}." if found.beyond else ""
    measured = facts.measured(found.timing)
    return f"Recommended format: **{words}** ({measured}).{limits}"


def _p50(run: Run, latency: LatencyResult) -> str:
    """`p50 latency 54.5 ms [53.8, 54.9] per image (float32, batch 1, 100 calls, CPU)`."""
    device = "" if run.record.hardware.gpus else ", CPU"
    single = latency.float32.single
    load = ", **contended**" if latency.float32.is_contended else ""
    return (
        f"p50 latency {facts.p50(single)} per image "
        f"(float32, batch 1, {len(single.values_s)} calls{device}{load})"
    )
