"""Figures of a run.

In: results. Out: matplotlib Figures, readable in print and by colour-blind people: colours of Okabe
and Ito, and every distinction also a shape, a line style or a word. Writes nothing, imports no
TensorFlow.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from gfr.results.records import Run, TrialResult

# Okabe & Ito (2008), distinguishable under every common colour vision deficiency.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
PERCENT = FuncFormatter(lambda value, _: f"{100 * value:.0f} %")


def accuracy_against_latency(run: Run) -> Figure:
    """Test accuracy with its 95 % interval over p50 latency of one image; needs a latency.

    Trials that share a model share a latency: they stand side by side about it, joined by a line.
    """
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    plain(axes)
    p50_ms = {key: row.float32.p50_ms for key, row in run.latencies.items()}
    step = (2 * max(p50_ms.values()) / min(p50_ms.values())) ** 0.03
    for number, backbone in enumerate(run.record.benchmark.backbone):
        colour, marker = COLOURS[number % 7], MARKERS[number % 7]
        for key, latency_ms in p50_ms.items():
            rows = [
                row
                for row in run.trials
                if row.trial.backbone.label == backbone.label and row.trial.feature_set.id == key
            ]
            places_ms = [latency_ms * step ** (at - (len(rows) - 1) / 2) for at in range(len(rows))]
            accuracies = [row.metrics["test"].accuracy for row in rows]
            axes.plot(places_ms, accuracies, ":", color=colour, linewidth=1)
            for row, place_ms in zip(rows, places_ms, strict=True):
                _point(axes, row, place_ms, colour, marker, run.latencies[key].is_contended)
        axes.plot([], [], marker, color=colour, label=backbone.label)
    if any(result.features.weights.source == "random" for result in run.trials):
        axes.plot([], [], "o", mfc="white", mec="0.3", label="hollow: random weights")
    if any(row.is_contended for row in run.latencies.values()):
        axes.plot([], [], " ", label="‖: timed while others were busy")
    share = run.record.split.majority_share
    axes.plot([], [], ":", color="0.3", linewidth=1, label="one model, one latency")
    axes.axhline(share, color="0.4", linestyle="--", linewidth=1, label="majority class")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.12)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.set_xlabel("p50 latency of one image, ms (log scale)")
    axes.set_ylabel("test accuracy, 95 % interval")
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _point(
    axes: Axes,
    result: TrialResult,
    place_ms: float,
    colour: str,
    marker: str,
    is_contended: bool,
) -> None:
    test = result.metrics["test"]
    low, high = test.interval
    is_random = result.features.weights.source == "random"
    axes.errorbar(
        place_ms,
        test.accuracy,
        yerr=[[test.accuracy - low], [high - test.accuracy]],
        fmt=marker,
        color=colour,
        markerfacecolor="white" if is_random else colour,
        markersize=7,
        elinewidth=1,
        capsize=2,
    )
    axes.annotate(
        f"{result.trial.iteration.number}{' ‖' if is_contended else ''}",
        (place_ms, test.accuracy),
        xytext=(-5, 5),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )


def learning_curves(result: TrialResult) -> Figure:
    """Accuracy and loss over the epochs, training solid, validation dashed."""
    figure = Figure(figsize=(7.2, 2.9))
    accuracy, loss = figure.subplots(1, 2)
    # Fixed, as in the confusion matrices: a computed layout draws all eighteen twice.
    figure.subplots_adjust(left=0.09, right=0.99, bottom=0.16, top=0.89, wspace=0.24)
    history = result.history
    epochs = np.arange(1, len(history.loss) + 1)
    for axes, training, validation, name in (
        (accuracy, history.accuracy, history.val_accuracy, "accuracy"),
        (loss, history.loss, history.val_loss, "loss, nats"),
    ):
        axes.plot(epochs, training, "-", color=COLOURS[0], label="training")
        axes.plot(epochs, validation, "--", color=COLOURS[1], label="validation")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain(axes)
    accuracy.yaxis.set_major_formatter(PERCENT)
    loss.set_ylim(bottom=0)
    handles = [
        Line2D([], [], color=COLOURS[0], linestyle="-", label="training"),
        Line2D([], [], color=COLOURS[1], linestyle="--", label="validation"),
    ]
    loss.legend(handles=handles, fontsize=8, frameon=False)
    figure.suptitle(result.trial.title, fontsize=10)
    return figure


def confusion_matrix(result: TrialResult) -> Figure:
    """Counts on the test set, and each as a share of its true class."""
    test = result.metrics["test"]
    counts = np.array(
        [
            [test.female_as_female, test.female_as_male],
            [test.male_as_female, test.male_as_male],
        ]
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(3.4, 2.9))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.14, right=0.96, bottom=0.16, top=0.9)
    plain(axes)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            axes.text(
                column,
                row,
                f"{counts[row, column]:,}\n{shares[row, column]:.1%}",
                ha="center",
                va="center",
                fontsize=11,
                color="white" if shares[row, column] > 0.55 else "black",
            )
    axes.set_xticks([0, 1], ["female", "male"])
    axes.set_yticks([0, 1], ["female", "male"], rotation=90, va="center")
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    axes.tick_params(length=0)
    axes.set_title(f"{result.trial.title}, test n = {test.num_images:,}", fontsize=9)
    return figure


def plain(axes: Axes) -> None:
    """Without the lines that nothing is read from."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
