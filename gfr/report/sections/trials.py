"""Trial details: thresholds, notes and confusion matrix of every trial."""

from gfr.evaluation.calibration import Choice
from gfr.report import markdown, svg
from gfr.report.figures import Figure
from gfr.report.formatting import title
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import Drawing
from gfr.results.records import TrialResult

_SEXES = ("female", "male")


def section(report: Report) -> Section | None:
    """Return a row and a confusion matrix of each trial."""
    run, trials = report.run, report.run.trials
    if not trials:
        return None
    rows = []
    for result in trials:
        choices = report.analysis.studies[result.trial.id].choices
        row = {
            "Trial": title(run, result.trial.id),
            "Default threshold": _accuracy(choices.usual),
            "Best on validation": _accuracy(choices.best),
            "Equal error rates on validation": _accuracy(choices.equal),
            "Note": markdown.text(result.features.note),
        }
        rows.append(row)
    blocks: list[Block] = [
        "Test accuracy at three thresholds on p_male, two of which are chosen on validation.",
        Table.of(rows),
        "Confusion matrices on the test set: rows are labels, columns predictions.",
        Chart(list(map(confusion, trials)), "confusion", "Confusion matrix of each trial", "small"),
    ]
    return Section("trial-details", "Trial details", blocks)


def _accuracy(choice: Choice) -> str:
    return f"{choice.test.accuracy:.3f} at {choice.test.threshold:.2f}"


def confusion(result: TrialResult) -> Figure:
    """Draw the counts on the test set, each as a share of its label, the larger the darker."""
    test, parts = result.metrics["test"], []
    for row, label in enumerate(_SEXES):
        counts = {answer: getattr(test, f"{label}_as_{answer}") for answer in _SEXES}
        y, total = 24 + 60 * row, sum(counts.values())
        parts.append(svg.text(76, y + 32, f"label {label}", "end", "name"))
        for column, (answer, count) in enumerate(counts.items()):
            x, share = 84 + 118 * column, count / max(1, total)
            tip = f"label {label}, answered {answer}: {count:,} of {total:,}, {share:.1%}"
            size = {"x": x, "y": y, "width": 114, "height": 56, "rx": 8}
            shade = f"{0.03 + 0.42 * share:.3f}"
            parts += [
                svg.element("rect", svg.title(tip), kind="cell c0", fill_opacity=shade, **size),
                svg.text(x + 57, y + 26, f"{count:,}", "middle", "count"),
                svg.text(x + 57, y + 43, f"{share:.1%}", "middle", "name"),
            ]
    parts += [
        svg.text(141 + 118 * column, 14, f"answer {answer}", "middle")
        for column, answer in enumerate(_SEXES)
    ]
    title = f"{result.trial.title}, n = {test.num_images:,}"
    return Figure(title, [Drawing(320, 142, parts, title)])
