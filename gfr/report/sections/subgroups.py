"""Subgroups: accuracy and error rates of the selected trial by attribute."""

from collections.abc import Iterable

from gfr.data.layouts import SOURCES
from gfr.evaluation.statistics import ALPHA
from gfr.evaluation.subgroups import LEAST_IMAGES, Gap, LeftOut, Rate, Subgroups
from gfr.report import markdown
from gfr.report.figures import Entry, forest
from gfr.report.formatting import MIN_RATED, percent, points, title
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import Look, Row

NUM_GAPS = 8  # in summary.md; the page shows all


def section(report: Report) -> Section | None:
    """Return the gaps in accuracy, significant ones first."""
    found = report.analysis.subgroups
    if report.run.selection is None or found is None:
        return None
    name = title(report.run, report.run.selection.trial_id)
    if not found.gaps:
        text = (
            f"{name}: no attribute is present in at least {LEAST_IMAGES} test images and absent "
            f"from at least {LEAST_IMAGES} others, so no subgroups are compared."
        )
        return Section("subgroups", "Subgroups", [text])
    gaps = sorted(found.gaps, key=lambda gap: gap.p_within_sex_holm >= ALPHA)
    num_shown = max(NUM_GAPS, sum(gap.p_within_sex_holm < ALPHA for gap in gaps))
    rows, more = list(map(_row, gaps)), len(gaps) - num_shown
    intro = f"{name}. {_significant(found)}"
    notes = (
        "p: Fisher's exact test. p within each sex: Mantel-Haenszel test, which compares men with "
        f"men and women with women. Both are adjusted for {len(gaps)} attributes (Holm). In "
        f"brackets: 95% intervals (Wilson, Newcombe); rates of fewer than {MIN_RATED} images are "
        f"left out. {SOURCES[report.run.record.data.source].attribute_note}: a gap shows where "
        "errors are, not why."
    )
    in_page = f" {more} more attributes are in summary.html." if more > 0 else ""
    blocks: list[Block] = [intro + in_page, Table.of(rows[:num_shown]), notes]
    page: list[Block] = [intro, Table.of(rows), notes, _chart(found)]
    return Section("subgroups", "Subgroups", blocks, page)


def _significant(found: Subgroups) -> str:
    """Say which gaps are significant, and which are due to the groups' shares of men alone."""
    within = _names(row for row in found.gaps if row.p_within_sex_holm < ALPHA)
    pooled = _names(row for row in found.gaps if row.p_holm < ALPHA <= row.p_within_sex_holm)
    parts = ["No gap is significant within each sex."]
    if within:
        parts = [f"Significant within each sex: {within}."]
    if pooled:
        parts.append(f"Significant only due to the groups' shares of men: {pooled}.")
    if names := _names(found.left_out):
        parts.append(f"Left out, fewer than {LEAST_IMAGES} images with or without it: {names}.")
    return " ".join(parts)


def _names(rows: Iterable[Gap | LeftOut]) -> str:
    return ", ".join(markdown.text(row.attribute) for row in rows)


def _row(gap: Gap) -> dict[str, str]:
    having, lacking = gap.having, gap.lacking
    return {
        "Attribute": markdown.text(gap.attribute),
        "n with": f"{having.num_images:,}",
        "n without": f"{lacking.num_images:,}",
        "Accuracy with": _rate(having.accuracy),
        "Accuracy without": _rate(lacking.accuracy),
        "Gap (points)": points(gap.difference, gap.low, gap.high),
        "p (Holm)": f"{gap.p_holm:.2g}",
        "p within each sex (Holm)": f"{gap.p_within_sex_holm:.2g}",
        "Female predicted as male, with": _rate(having.false_male),
        "Female predicted as male, without": _rate(lacking.false_male),
        "Male predicted as female, with": _rate(having.false_female),
        "Male predicted as female, without": _rate(lacking.false_female),
    }


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.num_images < MIN_RATED:
        return "-"
    return percent(rate.share, (rate.low, rate.high))


def _chart(found: Subgroups) -> Chart:
    """Draw the gap of every attribute, the largest first."""
    legend = [
        Entry("significant within each sex (p, Holm)", Look(), has_line=False),
        Entry("not significant within each sex", Look(is_hollow=True), has_line=False),
    ]
    caption = "Accuracy with the attribute minus accuracy without it"
    return Chart([forest(list(map(_mark, found.gaps)), caption, legend)])


def _mark(gap: Gap) -> Row:
    tip = (
        f"{gap.attribute}\naccuracy {gap.having.accuracy.share:.4f} with "
        f"(n = {gap.having.num_images:,}), {gap.lacking.accuracy.share:.4f} without "
        f"(n = {gap.lacking.num_images:,})\n"
        f"gap {points(gap.difference, gap.low, gap.high, 2)} points, p (Holm) {gap.p_holm:.3g}, "
        f"within each sex {gap.p_within_sex_holm:.3g}"
    )
    name, look = gap.attribute.replace("_", " "), Look(is_hollow=gap.p_within_sex_holm >= ALPHA)
    return Row(name, gap.difference, gap.low, gap.high, tip, look)
