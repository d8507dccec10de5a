"""Latency: the timing of every model in every precision."""

from gfr.measurement.latency import MAX_ATTEMPTS, MAX_OTHERS_SHARE, LatencyResult, Samples, Timing
from gfr.report.facts import PERCENTS
from gfr.report.formatting import with_interval
from gfr.report.section import Report, Section, Table
from gfr.results.records import Run

_MODEL = ("Model", "Precision")
_TIMES = (*(f"p{percent}" for percent in PERCENTS), "Min", "IQR", "CPU time", "Calls")
_OTHERS = ("Images/s", "First call", "Load (s)", "Background load", "Max Δp", "Note")


def section(report: Report) -> Section | None:
    """Return a row a model and precision."""
    timings = [(row, timing) for row in report.run.latencies.values() for timing in row.timings]
    if not timings:
        return None
    models = [[latency.feature_set.title, timing.precision] for latency, timing in timings]
    times = [[*model, *_times(timing)] for model, (_, timing) in zip(models, timings, strict=True)]
    others = [[*model, *_others(*pair)] for model, pair in zip(models, timings, strict=True)]
    text = (
        "Milliseconds per call on one image, after warm-up, with nothing else of gfr running; 95 % "
        "order-statistic intervals in brackets. CPU time: of the process, all threads, per call. "
        "Images/s: in batches over the test set. Background load: share of the CPU used by other "
        f"processes; above {MAX_OTHERS_SHARE:.0%} a measurement is repeated, at most "
        f"{MAX_ATTEMPTS} times in total, and then marked as contended. Max Δp: largest difference "
        "between the timed model's probability and the one recorded for the trial, over the test "
        f"set.{_notes(report.run)}"
    )
    return Section(
        "latency",
        "Latency",
        [text, Table([*_MODEL, *_TIMES], times), Table([*_MODEL, *_OTHERS], others)],
    )


def _times(timing: Timing) -> list[str]:
    single = timing.single
    return [
        *(_quantile_ms(single, percent) for percent in PERCENTS),
        f"{1000 * min(single.values_s):.1f}",
        f"{1000 * single.iqr_s:.1f}",
        f"{1000 * single.cpu_per_call_s:.1f}",
        str(len(single.values_s)),
    ]


def _others(latency: LatencyResult, timing: Timing) -> list[str]:
    return [
        f"{latency.num_test_images / timing.inference_s:.0f}",
        f"{1000 * timing.first_call_s:.0f}",
        f"{timing.build_s:.1f}",
        f"{max(timing.single.others_share, timing.batches.others_share):.0%}",
        f"{timing.max_difference:.0e}",
        "contended" if timing.is_contended else "",
    ]


def _notes(run: Run) -> str:
    """Explain empty cells, and why a float32 model can differ from its trial."""
    timings = [timing for latency in run.latencies.values() for timing in latency.timings]
    notes = ""
    if any(timing.single.interval_s(99) is None for timing in timings):
        notes += " p99 is left out where there were too few calls for its interval."
    if any(row.features.precision != "float32" for row in run.trials):
        notes += (
            " Where a head was trained on bfloat16 features, the float32 model rounds differently, "
            "which Max Δp includes."
        )
    return notes


def _quantile_ms(single: Samples, percent: int) -> str:
    """`36.1 [35.2, 37.0]`; nothing for a 99th percentile without an interval."""
    interval_s = single.interval_s(percent)
    value_ms = 1000 * single.percentile_s(percent)
    if interval_s is None:
        return "" if percent == 99 else f"{value_ms:.1f}"
    low_ms, high_ms = (1000 * bound for bound in interval_s)
    return with_interval(value_ms, (low_ms, high_ms), ".1f")
