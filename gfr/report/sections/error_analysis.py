"""Error analysis: ranking, calibration and thresholds of every trial."""

from collections.abc import Sequence
from itertools import chain, pairwise

from gfr.evaluation.metrics import THRESHOLD, Metrics
from gfr.evaluation.roc import PrecisionRecall
from gfr.report import svg
from gfr.report.analysis import Study
from gfr.report.figures import Entry, Figure, look, percent
from gfr.report.formatting import bounds, rate, title, with_interval
from gfr.report.section import Block, Chart, Report, Section, Table
from gfr.report.svg import Axis, Frame, Look, Point, Series
from gfr.results.records import Run

_WIDTH, _HEIGHT = 350, 290  # px, of one chart in a row of several
_TENTHS = tuple((n / 10, f"{n / 10:g}") for n in range(0, 11, 2))
_PERCENTS = tuple((n / 10, percent(n / 10)) for n in range(0, 11, 2))
_LOOKS = (Look(0, 0, 0), Look(1, 1, 1), Look(2, 2, 2))
_RATES = {  # fields of a Point, in the order of _LOOKS
    "accuracy": "accuracy",
    "false_male": "women classified male",
    "false_female": "men classified female",
}
_AT = f"at p_male > {THRESHOLD:g}"
_MARKS = Entry(f"marks: p_male > {THRESHOLD:g}")


def section(report: Report) -> Section | None:
    """Return a row a trial and, on the page, its curves."""
    run, studies = report.run, list(report.analysis.studies.values())
    if not studies:
        return None
    split = run.record.split
    blocks: list[Block] = [
        f"Test set: {split.num_male['test']:,} male and {split.num_female['test']:,} female "
        f"images; heads trained with seed {run.record.benchmark.seed}.",
        Table.of([_errors(run, study) for study in studies]),
        Table.of([_calibrated(run, study) for study in studies]),
        "95% intervals in brackets: DeLong (ROC AUC), bootstrap over images (loss), Wilson (error "
        "rates). Average precision: male is the positive class. ECE: expected calibration error "
        "in ten bins of p_male, which is above 0 by chance even for a calibrated model. T: "
        "temperature fitted on the validation set, above 1 if the model is overconfident. "
        "Threshold: the one with the highest validation accuracy; gain: its test accuracy minus "
        "that at 0.5 (point estimate, no interval).",
        *_curves(report),
    ]
    return Section("error-analysis", "Error analysis", blocks)


def _errors(run: Run, study: Study) -> dict[str, str]:
    test = run.result_of(study.trial_id).metrics["test"]
    roc, ranked = study.roc, study.precision_recall
    return {
        "Trial": title(run, study.trial_id),
        "ROC AUC": with_interval(roc.area, bounds(roc.low, roc.high)),
        "Average precision": f"{ranked.average:.3f}",
        "Loss": with_interval(test.loss, study.loss_95),
        "Female predicted as male": rate(test.female_as_male, test.female_as_female),
        "Male predicted as female": rate(test.male_as_female, test.male_as_male),
    }


def _calibrated(run: Run, study: Study) -> dict[str, str]:
    test, best = run.result_of(study.trial_id).metrics["test"], study.choices.best
    bound = " (upper limit)" if study.temperature.is_bound else ""
    return {
        "Trial": title(run, study.trial_id),
        "ECE": f"{study.calibration.expected_error:.3f}",
        "Brier": f"{study.calibration.brier:.3f}",
        "T": f"{study.temperature.value:.2f}{bound}",
        "ECE at T": f"{study.calibrated.expected_error:.3f}",
        "Loss at T": f"{study.calibrated.loss:.3f}",
        "Threshold": f"{best.validation.threshold:.2f}",
        "Gain (points)": f"{100 * (best.test.accuracy - test.accuracy):+z.1f}",
    }


def _curves(report: Report) -> list[Block]:
    """Return ROC and precision-recall of all trials, then calibration, the selected trial first."""
    run = report.run
    legend = [Entry(row.trial.title, look(run, row), key=row.trial.id) for row in run.trials]
    ranked = [figure for figure in (_roc(report), _precision_recall(report)) if figure]
    first, *others = [
        [_reliability(run, study), _thresholds(run, study)] for study in report.selected_first
    ]
    more = "Reliability and thresholds of the other trials"
    return [
        Chart(ranked, layout="two", legend=legend),
        Chart(first, layout="two"),
        Chart(list(chain.from_iterable(others)), title=more, layout="two"),
    ]


def _roc(report: Report) -> Figure | None:
    run, series = report.run, []
    for result in run.trials:
        roc = report.analysis.studies[result.trial.id].roc
        points = list(zip(roc.false_male, roc.true_male, strict=True))
        wrong, right, _ = _rates(result.metrics["test"])
        area = with_interval(roc.area, bounds(roc.low, roc.high), ".4f")
        tip = f"{result.trial.title}\nROC AUC {area}"
        rates = f"{wrong:.2%} of the women, {right:.2%} of the men"
        mark = Point(wrong, right, f"{tip}\n{_AT}: {rates}")
        series.append(Series(look(run, result), points, [mark], tip, result.trial.id))
    labels = "share of women classified male", "share of men classified male"
    return _figure("ROC", labels, series, ((0, 0), (1, 1)), "dashed: chance")


def _precision_recall(report: Report) -> Figure | None:
    run, split, series = report.run, report.run.record.split, []
    for result in run.trials:
        ranked = report.analysis.studies[result.trial.id].precision_recall
        _, recall, precision = _rates(result.metrics["test"])
        tip = f"{result.trial.title}\naverage precision {ranked.average:.4f}"
        rates = f"recall {recall:.4f}, precision {precision:.4f}"
        mark = Point(recall, precision, f"{tip}\n{_AT}: {rates}")
        series.append(Series(look(run, result), _steps(ranked), [mark], tip, result.trial.id))
    share = split.num_male["test"] / (split.num_male["test"] + split.num_female["test"])
    labels = "recall: share of men classified male", "precision of male"
    chance = ((0.0, share), (1.0, share))
    return _figure("Precision and recall", labels, series, chance, "dashed: share of men")


def _figure(
    title: str,
    labels: tuple[str, str],
    series: Sequence[Series],
    chance: tuple[tuple[float, float], tuple[float, float]],
    legend: str,
) -> Figure | None:
    """Return curves with the line of a classifier that guesses; None without any curve."""
    x, y = (Axis(label, 0, 1, _PERCENTS) for label in labels)
    frame = Frame(_WIDTH, _HEIGHT, x, y)
    drawn = svg.plot(frame, series, f"{title} of all trials", [frame.rule(*chance)])
    return Figure(title, [drawn], [_MARKS, Entry(legend)]) if series else None


def _rates(metrics: Metrics) -> tuple[float, float, float]:
    """Return the shares of women and of men classified male, and the precision of male."""
    answered = metrics.male_as_male + metrics.female_as_male
    return (
        metrics.female_as_male / (metrics.female_as_male + metrics.female_as_female),
        metrics.male_as_male / (metrics.male_as_male + metrics.male_as_female),
        metrics.male_as_male / answered if answered else 1.0,
    )


def _steps(ranked: PrecisionRecall) -> list[tuple[float, float]]:
    """Return the curve as average precision reads it: in steps, which overestimate nothing."""
    points = list(zip(ranked.recall, ranked.precision, strict=True))
    corners = [[(x, y), (next_x, y)] for (x, _), (next_x, y) in pairwise(points)]
    return [points[0], *chain.from_iterable(corners)]


def _reliability(run: Run, study: Study) -> Figure:
    """Draw the predicted against the observed share of men, before and after scaling."""
    x = Axis("mean p_male of the bin", 0, 1, _TENTHS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("share of men, 95% interval", 0, 1, _TENTHS))
    name, drawn, legend = title(run, study.trial_id), [], []
    versions = {
        "uncalibrated": study.calibration,
        f"logits divided by T = {study.temperature.value:.2f}": study.calibrated,
    }
    for style, (version, calibration) in zip(_LOOKS, versions.items(), strict=False):
        points = []
        for each in calibration.bins:
            ends = (each.low, each.high)
            tip = (
                f"{version}\np_male {each.least:g} to {each.most:g}, n = {each.num_images:,}\n"
                f"mean p_male {each.mean_p_male:.4f}, share of men "
                f"{with_interval(each.share_male, ends, '.4f')}"
            )
            points.append(Point(each.mean_p_male, each.share_male, tip, ends))
        drawn.append(Series.through(points, style))
        legend.append(Entry(f"{version}, ECE {calibration.expected_error:.3f}", style))
    chart = svg.plot(frame, drawn, f"Reliability of {name}", [frame.rule((0, 0), (1, 1))])
    return Figure(f"{name}: reliability", [chart], legend)


def _thresholds(run: Run, study: Study) -> Figure:
    """Draw accuracy and both error rates by threshold."""
    x = Axis("threshold on p_male", 0, 1, _TENTHS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("share of the test images", 0, 1, _PERCENTS))
    legend, series = [], []
    tips = {row.threshold: f"threshold {row.threshold:.2f}" for row in study.thresholds}
    for style, (field, label) in zip(_LOOKS, _RATES.items(), strict=True):
        line = [(row.threshold, getattr(row, field)) for row in study.thresholds]
        if line[0][1] is None:  # the test set has a single sex
            continue
        series.append(Series(style, line))
        legend.append(Entry(label, style, has_mark=False))
        for threshold, share in line:
            tips[threshold] += f"\n{label} {share:.2%}"
    best, name = study.choices.best.test.threshold, title(run, study.trial_id)
    legend.append(Entry(f"vertical: best on validation, {best:.2f}"))
    rule = frame.rule((best, 0), (best, 1))
    drawn = svg.plot(frame, series, f"Thresholds of {name}", [rule], tips)
    return Figure(f"{name}: thresholds", [drawn], legend)
