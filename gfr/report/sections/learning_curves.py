"""Learning curves: accuracy and loss by epoch, and what they say about over- and underfitting."""

from gfr.report import markdown, svg
from gfr.report.figures import Entry, Figure, percent
from gfr.report.formatting import title
from gfr.report.section import Block, Chart, Report, Section
from gfr.report.svg import Axis, Drawing, Frame, Look, Series
from gfr.results.records import Run, TrialResult

_LOOKS = {"training": Look(0, 0, 0), "validation": Look(1, 1, 1)}


def section(report: Report) -> Section | None:
    """Return a line and the curves of each trial."""
    run, studies = report.run, report.analysis.studies.values()
    if not studies:
        return None
    lines = [f"{title(run, study.trial_id)} {study.learning.words}." for study in studies]
    blocks: list[Block] = [
        f"Curves for seed {run.record.benchmark.seed}. The test set is not used here.",
        markdown.bullets(lines),
        Chart(curves(run), "learning-curves", "Learning curves of each trial", "small"),
    ]
    return Section("learning-curves", "Learning curves", blocks)


def curves(run: Run) -> list[Figure]:
    """Draw accuracy and loss by epoch for each trial, all on the same scales."""
    histories = [row.history for row in run.trials]
    shares = [value for row in histories for value in row.accuracy + row.val_accuracy]
    losses = [max(value, 1e-4) for row in histories for value in row.loss + row.val_loss]
    accuracy = svg.linear("accuracy", shares, percent, (0.0, 1.0))
    loss = svg.logarithmic("loss, nats (log scale)", losses, 1.1)
    legend = [Entry(name, look, has_mark=False) for name, look in _LOOKS.items()]
    return [
        Figure(
            row.trial.title, [_panel(row, accuracy, "accuracy"), _panel(row, loss, "loss")], legend
        )
        for row in run.trials
    ]


def _panel(result: TrialResult, y: Axis, name: str) -> Drawing:
    """Draw one figure of training and of validation by epoch."""
    values = [getattr(result.history, key) for key in (name, f"val_{name}")]
    epochs = [float(number) for number in range(1, len(values[0]) + 1)]
    last = max(epochs[-1], 2)
    ticks = svg.linear("epoch", epochs, num_ticks=4).ticks
    whole = tuple(tick for tick in ticks if 1 <= tick[0] <= last and tick[0].is_integer())
    series = [
        Series(look, list(zip(epochs, row, strict=True)))
        for look, row in zip(_LOOKS.values(), values, strict=True)
    ]
    tips = {
        epoch: f"epoch {epoch:g}\ntraining {first:.4f}\nvalidation {second:.4f}"
        for epoch, first, second in zip(epochs, *values, strict=True)
    }
    frame = Frame(178, 150, Axis("epoch", 1, last, whole), y, left=36, right=8, bottom=34)
    return svg.plot(frame, series, f"{result.trial.title}: {y.label} by epoch", tips=tips)
