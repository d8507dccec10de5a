"""Error analysis: ranking, calibration and thresholds of every trial."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from gfr.evaluation.calibration import Bin, Calibration
from gfr.evaluation.metrics import THRESHOLD, Metrics
from gfr.evaluation.roc import PrecisionRecall
from gfr.report import figures, svg
from gfr.report.analysis import Study
from gfr.report.figures import Entry, Figure, look, percent
from gfr.report.formatting import rate, title, with_interval
from gfr.report.section import Block, Html, Report, Section, Table
from gfr.report.svg import Axis, Frame, Look, Point, Series
from gfr.results.records import Run, TrialResult

_ERRORS = ("ROC AUC", "Average precision", "Loss", "Female as male", "Male as female")
_CALIBRATION = ("ECE", "Brier", "T", "ECE at T", "Loss at T", "Threshold", "Gain (points)")
_WIDTH, _HEIGHT = 350, 290  # px, of one chart in a row of several
_TENTHS = tuple((n / 10, f"{n / 10:g}") for n in range(0, 11, 2))
_PERCENTS = tuple((n / 10, percent(n / 10)) for n in range(0, 11, 2))
_FIRST, _SECOND, _THIRD = Look(0, 0, 0), Look(1, 1, 1), Look(2, 2, 2)
_MARKS = Entry(f"marks: p_male > {THRESHOLD:g}")


def section(report: Report) -> Section | None:
    """Return a row a trial and, on the page, its curves."""
    run, studies = report.run, list(report.analysis.studies.values())
    if not studies:
        return None
    split = run.record.split
    blocks: list[Block] = [
        f"Test set of {split.num_male['test']:,} men and {split.num_female['test']:,} women, heads "
        f"of seed {run.record.benchmark.seed}.",
        Table(["Trial", *_ERRORS], [_errors(run, study) for study in studies]),
        Table(["Trial", *_CALIBRATION], [_calibrated(run, study) for study in studies]),
        "95 % intervals in brackets: DeLong (ROC AUC), bootstrap over images (loss), Wilson (error "
        "rates). Average precision: male is the positive class. ECE: expected calibration error in "
        "ten bins of p_male; chance alone leaves some even in a calibrated model. T: temperature "
        "fitted on validation, above 1 if the model is overconfident. Threshold: the one with the "
        "highest validation accuracy; gain: its test accuracy minus that of 0.5, a point estimate.",
        Html(_curves(report)),
    ]
    return Section("error-analysis", "Error analysis", blocks)


def _errors(run: Run, study: Study) -> list[str]:
    test = run.result_of(study.trial_id).metrics["test"]
    roc, ranked = study.roc, study.precision_recall
    area = "-"
    if roc is not None:
        area = f"{roc.area:.3f}"
        if roc.low is not None and roc.high is not None:
            area = with_interval(roc.area, (roc.low, roc.high))
    return [
        title(run, study.trial_id),
        area,
        "-" if ranked is None else f"{ranked.average:.3f}",
        with_interval(test.loss, study.loss_95),
        rate(test.female_as_male, test.female_as_male + test.female_as_female),
        rate(test.male_as_female, test.male_as_female + test.male_as_male),
    ]


def _calibrated(run: Run, study: Study) -> list[str]:
    test, best = run.result_of(study.trial_id).metrics["test"], study.choices.best
    return [
        title(run, study.trial_id),
        f"{study.calibration.expected_error:.3f}",
        f"{study.calibration.brier:.3f}",
        f"{study.temperature.value:.2f}" + (" (bound)" if study.temperature.is_bound else ""),
        f"{study.calibrated.expected_error:.3f}",
        f"{study.calibrated.loss:.3f}",
        f"{best.validation.threshold:.2f}",
        f"{100 * (best.test.accuracy - test.accuracy):+z.1f}",
    ]


def _curves(report: Report) -> str:
    """Return ROC and precision-recall of all trials, then calibration, the selected trial first."""
    run, studies = report.run, dict(report.analysis.studies)
    selected = run.selection.trial_id if run.selection else next(iter(studies))
    first, more = _calibration(run, studies.pop(selected)), ""
    if studies:
        others = "".join(_calibration(run, study) for study in studies.values())
        more = (
            "<details><summary>Reliability and thresholds of the other trials</summary>"
            f'<div class="charts two">{others}</div></details>'
        )
    legend = [Entry(row.trial.title, look(run, row), key=row.trial.id) for row in run.trials]
    drawn = [figures.html(each) for each in (_roc(report), _precision_recall(report)) if each]
    return (
        f'<div class="charts two" data-follow>{figures.legend(legend, " full")}{"".join(drawn)}'
        f'</div><div class="charts two">{first}</div>{more}'
    )


def _roc(report: Report) -> Figure | None:
    x = Axis("share of women classified male", 0, 1, _PERCENTS)
    y = Axis("share of men classified male", 0, 1, _PERCENTS)
    series = []
    for result in report.run.trials:
        if roc := report.analysis.studies[result.trial.id].roc:
            area = f"{roc.area:.4f}"
            if roc.low is not None and roc.high is not None:
                area = with_interval(roc.area, (roc.low, roc.high), ".4f")
            points = list(zip(roc.false_male, roc.true_male, strict=True))
            wrong, right, _ = _rates(result.metrics["test"])
            rates = f"{wrong:.2%} of the women, {right:.2%} of the men"
            tips = f"ROC AUC {area}", rates
            series.append(_curve(report.run, result, points, (wrong, right), tips))
    return _figure("ROC", (x, y), series, ((0, 0), (1, 1)), "dashed: chance")


def _curve(
    run: Run,
    result: TrialResult,
    points: Sequence[tuple[float, float]],
    at_threshold: tuple[float, float],
    tips: tuple[str, str],
) -> Series:
    """Return a trial's curve over all thresholds, with a mark at the default one."""
    tip = f"{result.trial.title}\n{tips[0]}"
    mark = Point(*at_threshold, f"{tip}\nat p_male > {THRESHOLD:g}: {tips[1]}")
    return Series(look(run, result), points, [mark], tip, result.trial.id)


def _figure(
    title: str,
    axes: tuple[Axis, Axis],
    series: Sequence[Series],
    chance: tuple[tuple[float, float], tuple[float, float]],
    legend: str,
) -> Figure | None:
    """Return curves with the line of a classifier that guesses; None without any curve."""
    frame = Frame(_WIDTH, _HEIGHT, *axes)
    rule = svg.line(*frame.at(*chance[0]), *frame.at(*chance[1]), "rule")
    drawn = svg.plot(frame, series, f"{title} of all trials", [rule])
    return Figure(title, [drawn], [_MARKS, Entry(legend)]) if series else None


def _rates(metrics: Metrics) -> tuple[float, float, float]:
    """Return the shares of women and of men classified male, and the precision of male."""
    answered = metrics.male_as_male + metrics.female_as_male
    return (
        metrics.female_as_male / max(1, metrics.female_as_male + metrics.female_as_female),
        metrics.male_as_male / max(1, metrics.male_as_male + metrics.male_as_female),
        metrics.male_as_male / answered if answered else 1.0,
    )


def _precision_recall(report: Report) -> Figure | None:
    split, series = report.run.record.split, []
    x = Axis("recall: share of men classified male", 0, 1, _PERCENTS)
    y = Axis("precision of male", 0, 1, _PERCENTS)
    for result in report.run.trials:
        if ranked := report.analysis.studies[result.trial.id].precision_recall:
            _, recall, precision = _rates(result.metrics["test"])
            tips = (
                f"average precision {ranked.average:.4f}",
                f"recall {recall:.4f}, precision {precision:.4f}",
            )
            at_threshold = (recall, precision)
            series.append(_curve(report.run, result, _steps(ranked), at_threshold, tips))
    share = split.num_male["test"] / (split.num_male["test"] + split.num_female["test"])
    chance = ((0.0, share), (1.0, share))
    return _figure("Precision and recall", (x, y), series, chance, "dashed: share of men")


def _steps(ranked: PrecisionRecall) -> list[tuple[float, float]]:
    """Return the curve as average precision reads it: in steps, which overestimate nothing."""
    points = list(zip(ranked.recall, ranked.precision, strict=True))
    pairs = [((before, here[1]), here) for (before, _), here in pairwise(points)]
    return [points[0], *(point for pair in pairs for point in pair)]


def _calibration(run: Run, study: Study) -> str:
    return figures.html(_reliability(run, study)) + figures.html(_thresholds(run, study))


def _reliability(run: Run, study: Study) -> Figure:
    """Draw the predicted against the observed share of men, before and after scaling."""
    x = Axis("mean p_male of the bin", 0, 1, _TENTHS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("share of men, 95 % interval", 0, 1, _TENTHS))
    temperature = f"T = {study.temperature.value:.2f}"
    series = [
        _reliability_series(_FIRST, study.calibration, "uncalibrated"),
        _reliability_series(_SECOND, study.calibrated, f"calibrated with {temperature}"),
    ]
    name = title(run, study.trial_id)
    ideal = svg.line(*frame.at(0, 0), *frame.at(1, 1), "rule")
    drawn = svg.plot(frame, series, f"Reliability of {name}", [ideal])
    legend = [
        Entry(f"uncalibrated, ECE {study.calibration.expected_error:.3f}", _FIRST),
        Entry(
            f"logits divided by {temperature}, ECE {study.calibrated.expected_error:.3f}", _SECOND
        ),
    ]
    return Figure(f"{name}: reliability", [drawn], legend)


def _reliability_series(style: Look, calibration: Calibration, name: str) -> Series:
    points = [
        Point(each.mean_p_male, each.share_male, f"{name}\n{_bin(each)}", (each.low, each.high))
        for each in calibration.bins
    ]
    return Series(style, [(point.x, point.y) for point in points], points)


def _bin(each: Bin) -> str:
    return (
        f"p_male {each.least:g} to {each.most:g}, n = {each.num_images:,}\n"
        f"mean p_male {each.mean_p_male:.4f}, share of men {each.share_male:.4f} "
        f"[{each.low:.4f}, {each.high:.4f}]"
    )


def _thresholds(run: Run, study: Study) -> Figure:
    """Draw accuracy and both error rates by threshold."""
    x = Axis("threshold on p_male", 0, 1, _TENTHS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("share of the test images", 0, 1, _PERCENTS))
    rates: dict[str, list[float | None]] = {
        "accuracy": [row.accuracy for row in study.thresholds],
        "women classified male": [row.false_male for row in study.thresholds],
        "men classified female": [row.false_female for row in study.thresholds],
    }
    rates = {name: row for name, row in rates.items() if set(row) != {None}}
    places = [row.threshold for row in study.thresholds]
    looks = dict(zip(rates, (_FIRST, _SECOND, _THIRD), strict=False))
    series = [
        Series(looks[name], list(zip(places, row, strict=True))) for name, row in rates.items()
    ]
    tips = {
        place: _tip(place, {name: row[i] for name, row in rates.items()})
        for i, place in enumerate(places)
    }
    best = study.choices.best.test.threshold
    rule = svg.line(*frame.at(best, 0), *frame.at(best, 1), "rule")
    name = title(run, study.trial_id)
    drawn = svg.plot(frame, series, f"Thresholds of {name}", [rule], tips)
    legend = [Entry(rate, style, has_mark=False) for rate, style in looks.items()]
    legend.append(Entry(f"vertical: best on validation, {best:.2f}"))
    return Figure(f"{name}: thresholds", [drawn], legend)


def _tip(threshold: float, rates: Mapping[str, float | None]) -> str:
    lines = [f"{name} {rate:.2%}" for name, rate in rates.items() if rate is not None]
    return "\n".join([f"threshold {threshold:.2f}", *lines])
