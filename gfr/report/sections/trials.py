"""Trial details: thresholds, notes and confusion matrix of every trial."""

from gfr.report import markdown, svg
from gfr.report.analysis import Study
from gfr.report.figures import Figure
from gfr.report.formatting import title
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import Drawing
from gfr.results.records import TrialResult

_HEADER = (
    *("Trial", "Default threshold", "Best on validation", "Equal error rates on validation"),
    "Note",
)


def section(report: Report) -> Section | None:
    """Return a row and a confusion matrix of each trial."""
    run, trials = report.run, report.run.trials
    if not trials:
        return None
    rows = [
        [
            title(run, result.trial.id),
            *_thresholds(report.analysis.studies[result.trial.id]),
            markdown.text(result.features.note),
        ]
        for result in trials
    ]
    blocks: list[Block] = [
        "Test accuracy at three thresholds on p_male, two of which are chosen on validation.",
        Table(_HEADER, rows),
        "Confusion matrices on the test set: rows are labels, columns predictions.",
        Chart(list(map(confusion, trials)), "confusion", "Confusion matrix of each trial", "small"),
    ]
    return Section("trial-details", "Trial details", blocks)


def _thresholds(study: Study) -> list[str]:
    choices = study.choices
    return [
        f"{choice.test.accuracy:.3f} at {choice.test.threshold:.2f}" if choice else "-"
        for choice in (choices.usual, choices.best, choices.equal)
    ]


def confusion(result: TrialResult) -> Figure:
    """Draw the counts on the test set, each as a share of its label, the larger the darker."""
    test, sexes = result.metrics["test"], ("female", "male")
    counts = (test.female_as_female, test.female_as_male), (test.male_as_female, test.male_as_male)
    parts = []
    for row, label in enumerate(sexes):
        y = 24 + 60 * row
        parts.append(svg.text(76, y + 32, f"label {label}", "end", "name"))
        for column, answer in enumerate(sexes):
            x, count = 84 + 118 * column, counts[row][column]
            share = count / max(1, sum(counts[row]))
            tip = (
                f"label {label}, answered {answer}: {count:,} of {sum(counts[row]):,}, {share:.1%}"
            )
            size = {"x": x, "y": y, "width": 114, "height": 56, "rx": 8}
            shade = f"{0.03 + 0.42 * share:.3f}"
            parts += [
                svg.element("rect", svg.title(tip), kind="cell c0", fill_opacity=shade, **size),
                svg.text(x + 57, y + 26, f"{count:,}", "middle", "count"),
                svg.text(x + 57, y + 43, f"{share:.1%}", "middle", "name"),
            ]
    parts += [
        svg.text(141 + 118 * column, 14, f"answer {answer}", "middle")
        for column, answer in enumerate(sexes)
    ]
    title = f"{result.trial.title}, n = {test.num_images:,}"
    return Figure(title, [Drawing(320, 142, parts, title)])
