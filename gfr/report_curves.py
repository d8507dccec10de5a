"""What the page draws of each trial: ROC, precision-recall, reliability, thresholds, learning.

In: a Run and its Analysis. Out: HTML with charts of gfr/charts.py. Every number follows from the
records. Pure: reads no file, imports no TensorFlow.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from gfr import charts, report_evidence
from gfr.analysis import Analysis, Study
from gfr.charts import Axis, Frame, Look
from gfr.evaluation.calibration import Bin
from gfr.evaluation.metrics import THRESHOLD, Metrics
from gfr.evaluation.roc import PrecisionRecall
from gfr.report_charts import figure, look, percent
from gfr.results.records import Run, TrialResult

_WIDTH, _HEIGHT = 350, 290  # px, of one chart in a row of several
_TENTHS = tuple((n / 10, f"{n / 10:g}") for n in range(0, 11, 2))
_PERCENTS = tuple((n / 10, percent(n / 10)) for n in range(0, 11, 2))
_FIRST, _SECOND, _THIRD = Look(0, 0, 0), Look(1, 1, 1), Look(2, 2, 2)


def errors(run: Run, analysis: Analysis) -> str:
    """ROC and precision-recall of all; reliability and thresholds, the selected one's first."""
    chosen = run.selection.trial_id if run.selection else next(iter(analysis.studies), None)
    if chosen is None:
        return ""
    others = [study for trial_id, study in analysis.studies.items() if trial_id != chosen]
    more = "".join(_calibration(run, study) for study in others)
    fold = (
        "<details><summary>Reliability and thresholds of the other trials</summary>"
        f'<div class="charts two">{more}</div></details>'
        if more
        else ""
    )
    ranked = _roc(run, analysis) + _precision_recall(run, analysis)
    legend = "".join(f"<li>{entry}</li>" for entry in _series(run))
    return (
        f'<div class="charts two" data-follow><ul class="legend full">{legend}</ul>{ranked}</div>'
        f'<div class="charts two">{_calibration(run, analysis.studies[chosen])}</div>{fold}'
    )


def _series(run: Run) -> list[str]:
    """A legend whose entries bring out their lines."""
    return [
        f'<button type="button" data-key="{escape(row.trial.id)}" aria-pressed="false">'
        f"{charts.swatch(look(run, row))}{escape(row.trial.title)}</button>"
        for row in run.trials
    ]


def _roc(run: Run, analysis: Analysis) -> str:
    x = Axis("share of women answered male", 0, 1, _PERCENTS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("share of men answered male", 0, 1, _PERCENTS))
    parts = [charts.axes(frame), charts.line(*frame.at(0, 0), *frame.at(1, 1), "rule")]
    marks = []
    for result in run.trials:
        found, key = analysis.studies[result.trial.id].roc, result.trial.id
        if found is None:
            continue
        tip = f"{result.trial.title}\nROC AUC {found.area:.4f}"
        if found.low is not None and found.high is not None:
            tip += f" [{found.low:.4f}, {found.high:.4f}]"
        points = list(zip(found.false_male, found.true_male, strict=True))
        parts.append(charts.curve(frame, points, look(run, result).stroke, tip, key))
        wrong, right, _ = _rates(result.metrics["test"])
        told = f"{tip}\nat p_male > {THRESHOLD:g}: {wrong:.2%} of the women, {right:.2%} of the men"
        marks.append(charts.mark(*frame.at(wrong, right), look(run, result), told, key))
    if not marks:
        return ""
    drawn = charts.svg(_WIDTH, _HEIGHT, [*parts, *marks], "ROC curves of all trials")
    return figure(drawn, "ROC", [f"marks: p_male > {THRESHOLD:g}", "dashed: chance"])


def _rates(found: Metrics) -> tuple[float, float, float]:
    """Of the women, of the men answered male, and of the answers male that are right."""
    answered = found.male_as_male + found.female_as_male
    return (
        found.female_as_male / max(1, found.female_as_male + found.female_as_female),
        found.male_as_male / max(1, found.male_as_male + found.male_as_female),
        found.male_as_male / answered if answered else 1.0,
    )


def _precision_recall(run: Run, analysis: Analysis) -> str:
    x = Axis("recall: share of men answered male", 0, 1, _PERCENTS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("precision of the answer male", 0, 1, _PERCENTS))
    split = run.record.split
    share = split.num_male["test"] / (split.num_male["test"] + split.num_female["test"])
    parts = [charts.axes(frame)]
    parts.append(charts.line(*frame.at(0, share), *frame.at(1, share), "rule"))
    marks = []
    for result in run.trials:
        found, key = analysis.studies[result.trial.id].precision_recall, result.trial.id
        if found is None:
            continue
        tip = f"{result.trial.title}\naverage precision {found.average:.4f}"
        points = _steps(found)
        parts.append(charts.curve(frame, points, look(run, result).stroke, tip, key))
        _, recall, precision = _rates(result.metrics["test"])
        told = f"{tip}\nat p_male > {THRESHOLD:g}: recall {recall:.4f}, precision {precision:.4f}"
        marks.append(charts.mark(*frame.at(recall, precision), look(run, result), told, key))
    if not marks:
        return ""
    drawn = charts.svg(_WIDTH, _HEIGHT, [*parts, *marks], "Precision and recall of all trials")
    legend = [f"marks: p_male > {THRESHOLD:g}", "dashed: share of men"]
    return figure(drawn, "Precision and recall", legend)


def _steps(found: PrecisionRecall) -> list[tuple[float, float]]:
    """As the average precision reads the curve: lines between its points would flatter."""
    points = list(zip(found.recall, found.precision, strict=True))
    pairs = [((before, here[1]), here) for (before, _), here in pairwise(points)]
    return [points[0], *(point for pair in pairs for point in pair)]


def _calibration(run: Run, study: Study) -> str:
    return _reliability(run, study) + _thresholds(run, study)


def _reliability(run: Run, study: Study) -> str:
    """Said against true share of men, before and after the temperature."""
    x = Axis("mean p_male of the bin", 0, 1, _TENTHS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("share of men, 95 % interval", 0, 1, _TENTHS))
    parts = [charts.axes(frame), charts.line(*frame.at(0, 0), *frame.at(1, 1), "rule")]
    marks = []
    temperature = f"T = {study.temperature.value:.2f}"
    for found, style, name in (
        (study.calibration, _FIRST, "as it is"),
        (study.calibrated, _SECOND, f"p_male after {temperature}"),
    ):
        points = [(each.mean_p_male, each.share_male) for each in found.bins]
        parts.append(charts.curve(frame, points, style.stroke))
        for each in found.bins:
            x_px, y_px = frame.at(each.mean_p_male, each.share_male)
            low, high = (frame.at(0, bound)[1] for bound in (each.low, each.high))
            parts.append(charts.whisker(x_px, low, x_px, high, style))
            marks.append(charts.mark(x_px, y_px, style, f"{name}\n{_bin(each)}"))
    title = report_evidence.title(run, study.trial_id)
    drawn = charts.svg(_WIDTH, _HEIGHT, [*parts, *marks], f"Reliability of {title}")
    before, after = study.calibration.expected_error, study.calibrated.expected_error
    legend = [
        charts.swatch(_FIRST) + f"as it is, ECE {before:.3f}",
        charts.swatch(_SECOND) + f"divided by {temperature}, ECE {after:.3f}",
    ]
    return figure(drawn, f"{title}: reliability", legend)


def _bin(each: Bin) -> str:
    return (
        f"p_male {each.least:g} to {each.most:g}, n = {each.num_images:,}\n"
        f"mean p_male {each.mean_p_male:.4f}, share of men {each.share_male:.4f} "
        f"[{each.low:.4f}, {each.high:.4f}]"
    )


def _thresholds(run: Run, study: Study) -> str:
    """Accuracy and both error rates over the threshold."""
    x = Axis("threshold on p_male", 0, 1, _TENTHS)
    frame = Frame(_WIDTH, _HEIGHT, x, Axis("share of the test images", 0, 1, _PERCENTS))
    found = study.thresholds
    series = (
        (_FIRST, "accuracy", [(row.threshold, row.accuracy) for row in found]),
        (_SECOND, "women answered male", [(row.threshold, row.false_male) for row in found]),
        (_THIRD, "men answered female", [(row.threshold, row.false_female) for row in found]),
    )
    parts, legend = [charts.axes(frame)], []
    chosen = study.choices.best.test.threshold
    parts.append(charts.line(*frame.at(chosen, 0), *frame.at(chosen, 1), "rule"))
    for style, name, points in series:
        told = [(at, value) for at, value in points if value is not None]
        if told:
            parts.append(charts.curve(frame, told, style.stroke))
            legend.append(charts.swatch(style, has_mark=False) + name)
    legend.append(f"upright: best on validation, {chosen:.2f}")
    tips = [
        "\n".join(
            [f"threshold {points[0]:.2f}"]
            + [
                f"{name} {value:.2%}"
                for (_, name, _), value in zip(series, points[1:], strict=True)
                if value is not None
            ]
        )
        for points in (
            (row.threshold, row.accuracy, row.false_male, row.false_female) for row in found
        )
    ]
    parts.append(charts.strips(frame, [row.threshold for row in found], tips))
    title = report_evidence.title(run, study.trial_id)
    drawn = charts.svg(_WIDTH, _HEIGHT, parts, f"Thresholds of {title}")
    return figure(drawn, f"{title}: thresholds", legend)


def learning(run: Run, analysis: Analysis) -> str:
    """Curves of all trials, side by side on the same scales."""
    if not run.trials:
        return ""
    accuracies = [v for row in run.trials for v in row.history.accuracy + row.history.val_accuracy]
    losses = [v for row in run.trials for v in row.history.loss + row.history.val_loss]
    scales = (
        charts.linear("accuracy", accuracies, percent, (0.0, 1.0)),
        charts.logarithmic("loss, nats (log scale)", [max(value, 1e-4) for value in losses], 1.1),
    )
    legend = [
        charts.swatch(_FIRST, has_mark=False) + "training",
        charts.swatch(_SECOND, has_mark=False) + "validation",
    ]
    entries = "".join(f"<li>{entry}</li>" for entry in legend)
    every = "".join(_curves(row, scales) for row in run.trials)
    return f'<ul class="legend">{entries}</ul><div class="charts small">{every}</div>'


def _curves(result: TrialResult, scales: Sequence[Axis]) -> str:
    history = result.history
    drawn = [
        _panel(result.trial.title, axis, training, validation)
        for axis, training, validation in zip(
            scales,
            (history.accuracy, history.loss),
            (history.val_accuracy, history.val_loss),
            strict=True,
        )
    ]
    return figure(f'<div class="pair">{"".join(drawn)}</div>', result.trial.title)


def _panel(title: str, y: Axis, training: Sequence[float], validation: Sequence[float]) -> str:
    epochs = [float(number) for number in range(1, len(training) + 1)]
    x = charts.linear("epoch", epochs, num_ticks=4)
    x = Axis("epoch", 1, max(epochs[-1], 2), x.ticks)
    x = Axis("epoch", x.low, x.high, tuple(row for row in x.ticks if x.low <= row[0] <= x.high))
    frame = Frame(178, 150, x, y, left=36, right=8, bottom=34)
    parts = [charts.axes(frame)]
    for values, style in ((training, _FIRST), (validation, _SECOND)):
        parts.append(charts.curve(frame, list(zip(epochs, values, strict=True)), style.stroke))
    tips = [
        f"epoch {epoch:g}\ntraining {first:.4f}\nvalidation {second:.4f}"
        for epoch, first, second in zip(epochs, training, validation, strict=True)
    ]
    parts.append(charts.strips(frame, epochs, tips))
    return charts.svg(frame.width, frame.height, parts, f"{title}: {y.label} by epoch")
