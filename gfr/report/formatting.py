"""Numbers and names as the report prints them."""

import numpy as np

from gfr.evaluation.metrics import Metrics
from gfr.evaluation.statistics import Spread, wilson
from gfr.results.records import Run

RANDOM, UNGATED, CONTENDED = "†", "‡", "‖"  # marks of random weights, an untested precision, load
MIN_RATED = 10  # images of one sex: a rate of fewer is not printed


def title(run: Run, trial_id: str) -> str:
    """Return a trial's title, marked where its weights are random."""
    result = run.result_of(trial_id)
    return result.trial.title + (f" {RANDOM}" if result.features.weights.source == "random" else "")


def bounds(low: float | None, high: float | None) -> tuple[float, float] | None:
    """Return both ends of an interval, None if there is none."""
    return None if low is None or high is None else (low, high)


def interval(ends: tuple[float, float], form: str = ".3f", scale: float = 1.0) -> str:
    """`[0.886, 0.923]`."""
    low, high = (format(scale * end, form) for end in ends)
    return f"[{low}, {high}]"


def with_interval(value: float, ends: tuple[float, float] | None, form: str = ".3f") -> str:
    """`0.906 [0.886, 0.923]`; the value alone where there is no interval."""
    return f"{value:{form}} {interval(ends, form)}" if ends else f"{value:{form}}"


def percent(value: float, ends: tuple[float, float]) -> str:
    """`90.6% [88.6, 92.3]`."""
    return f"{100 * value:.1f}% {interval(ends, '.1f', 100)}"


def rate(num: int, num_others: int) -> str:
    """`4.1% [3.0, 5.6]` of both together, with Wilson's 95% interval; `-` without images."""
    total = num + num_others
    return percent(num / total, wilson(num, total)) if total else "-"


def points(value: float, low: float, high: float, num_decimals: int = 1) -> str:
    """`+1.0 [-0.2, +2.2]`: a difference of shares in percentage points."""
    form = f"+z.{num_decimals}f"
    return f"{100 * value:{form}} {interval((low, high), form, 100)}"


def accuracy(metrics: Metrics, split: str) -> str:
    """`test accuracy 90.6% [88.6, 92.3] (n = 1,000)`, with Wilson's 95% interval."""
    found = percent(metrics.accuracy, metrics.interval)
    return f"{split} accuracy {found} (n = {metrics.num_images:,})"


def spread(values: Spread) -> str:
    """`0.894 (0.888 to 0.903)`: mean, lowest, highest; brackets are for 95% intervals."""
    return f"{values.mean:.3f} ({values.least:.3f} to {values.most:.3f})"


def milliseconds(values_s: tuple[float, ...]) -> str:
    """`p50 412 ms, p95 440 ms (30 calls)`."""
    p50_ms, p95_ms = (1000 * float(np.percentile(values_s, percent)) for percent in (50, 95))
    return f"p50 {p50_ms:.0f} ms, p95 {p95_ms:.0f} ms ({len(values_s)} calls)"
