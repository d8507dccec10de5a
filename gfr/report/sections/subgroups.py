"""Subgroups: accuracy and error rates of the selected trial by attribute."""

from gfr.data.sources import SOURCES
from gfr.evaluation.subgroups import LEAST_IMAGES, Gap, Rate, Subgroups
from gfr.report import markdown
from gfr.report.analysis import ALPHA
from gfr.report.figures import Entry, forest
from gfr.report.formatting import MIN_RATED, percent, points, title
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import Look, Row

NUM_GAPS = 8  # in summary.md; the page shows all
_HEADER = (
    *("Attribute", "n with", "n without", "Accuracy with", "Accuracy without", "Gap (points)"),
    *("p (Holm)", "p within each sex (Holm)", "Female as male, with", "without"),
    *("Male as female, with", "without"),
)


def section(report: Report) -> Section | None:
    """Return the gaps in accuracy, significant ones first."""
    found = report.analysis.subgroups
    if report.run.selection is None or found is None:
        return None
    name = title(report.run, report.run.selection.trial_id)
    if not found.gaps:
        text = (
            f"{name}: no attribute has {LEAST_IMAGES} test images with it and {LEAST_IMAGES} "
            "without it, so none is compared."
        )
        return Section("subgroups", "Subgroups", [text])
    gaps = sorted(found.gaps, key=lambda gap: gap.p_within_sex_holm >= ALPHA)
    num_shown = max(NUM_GAPS, sum(gap.p_within_sex_holm < ALPHA for gap in gaps))
    rows, more = list(map(_row, gaps)), len(gaps) - num_shown
    intro = f"{name}. {_significant(found)}"
    notes = _notes(report, len(gaps))
    blocks: list[Block] = [
        intro + (f" {more} more attributes are in summary.html." if more > 0 else ""),
        Table(_HEADER, rows[:num_shown]),
        notes,
    ]
    return Section(
        "subgroups", "Subgroups", blocks, [intro, Table(_HEADER, rows), notes, _chart(found)]
    )


def _notes(report: Report, num_gaps: int) -> str:
    return (
        "p: Fisher's exact test. p within each sex: Mantel-Haenszel test, which compares men with "
        f"men and women with women. Both are adjusted for {num_gaps} attributes (Holm). In "
        f"brackets: 95 % intervals (Wilson, Newcombe); rates of fewer than {MIN_RATED} images are "
        f"left out. {SOURCES[report.run.record.data.source].attribute_note}: a gap shows "
        "where errors are, "
        "not why."
    )


def _significant(found: Subgroups) -> str:
    """Say which gaps are significant, and which are due to the groups' shares of men alone."""
    within = [markdown.text(row.attribute) for row in found.gaps if row.p_within_sex_holm < ALPHA]
    pooled = [
        markdown.text(row.attribute)
        for row in found.gaps
        if row.p_holm < ALPHA <= row.p_within_sex_holm
    ]
    parts = ["No gap is significant within each sex."]
    if within:
        parts = [f"Significant within each sex: {', '.join(within)}."]
    if pooled:
        parts.append(f"Significant only due to the groups' shares of men: {', '.join(pooled)}.")
    if found.left_out:
        names = ", ".join(markdown.text(row.attribute) for row in found.left_out)
        parts.append(f"Left out, fewer than {LEAST_IMAGES} images with or without it: {names}.")
    return " ".join(parts)


def _row(gap: Gap) -> list[str]:
    groups = (gap.having, gap.lacking)
    return [
        markdown.text(gap.attribute),
        *(f"{group.num_images:,}" for group in groups),
        *(_rate(group.accuracy) for group in groups),
        points(gap.difference, gap.low, gap.high),
        f"{gap.p_holm:.2g}",
        f"{gap.p_within_sex_holm:.2g}",
        *(_rate(group.false_male) for group in groups),
        *(_rate(group.false_female) for group in groups),
    ]


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
    ends = (100 * gap.difference, 100 * gap.low, 100 * gap.high)
    name = gap.attribute.replace("_", " ")
    return Row(name, *ends, tip, Look(is_hollow=gap.p_within_sex_holm >= ALPHA))
