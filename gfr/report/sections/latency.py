"""Latency: the timing of every model in every precision."""

from gfr.measurement.latency import MAX_ATTEMPTS, MAX_OTHERS_SHARE, LatencyResult, Timing
from gfr.report import facts
from gfr.report.formatting import with_interval
from gfr.report.section import Report, Section, Table
from gfr.results.records import Run


def section(report: Report) -> Section | None:
    """Return a row a model and precision."""
    timings = [(row, timing) for row in report.run.latencies.values() for timing in row.timings]
    if not timings:
        return None
    text = (
        "Milliseconds per call on one image, after warm-up, with no other gfr task running; 95% "
        "order-statistic intervals in brackets. CPU time: total of all threads of the process, per "
        "call. Images/s: throughput over the test set, in batches. Background load: share of the "
        f"CPU used by other processes. Above {MAX_OTHERS_SHARE:.0%} the measurement is repeated, "
        f"up to {MAX_ATTEMPTS} attempts in total; if it stays above, it is marked as contended. "
        "Max Δp: largest difference between the timed model's probability and the one recorded "
        f"for the trial, over the test set.{_notes(report.run)}"
    )
    tables = [Table.of([row(*pair) for pair in timings]) for row in (_times, _others)]
    return Section("latency", "Latency", [text, *tables])


def _times(latency: LatencyResult, timing: Timing) -> dict[str, str]:
    single, cells = timing.single, dict.fromkeys(map("p{} (ms)".format, facts.PERCENTS), "")
    for percent, quantile_ms in facts.quantiles_ms(single).items():
        cells[f"p{percent} (ms)"] = with_interval(*quantile_ms, ".1f")
    return {
        "Backbone and image size": latency.feature_set.title,
        "Precision": timing.precision,
        **cells,
        "Min (ms)": f"{1000 * min(single.values_s):.1f}",
        "IQR (ms)": f"{1000 * single.iqr_s:.1f}",
        "CPU time (ms)": f"{1000 * single.cpu_per_call_s:.1f}",
        "Calls": str(len(single.values_s)),
    }


def _others(latency: LatencyResult, timing: Timing) -> dict[str, str]:
    background = max(timing.single.others_share, timing.batches.others_share)
    return {
        "Backbone and image size": latency.feature_set.title,
        "Precision": timing.precision,
        "Images/s": f"{latency.num_test_images / timing.inference_s:.0f}",
        "First call (ms)": f"{1000 * timing.first_call_s:.0f}",
        "Model load (s)": f"{timing.build_s:.1f}",
        "Background load": f"{background:.0%}",
        "Max Δp": f"{timing.max_difference:.0e}",
        "Note": "contended" if timing.is_contended else "",
    }


def _notes(run: Run) -> str:
    """Explain empty cells, and why a float32 model can differ from its trial."""
    timings = [timing for latency in run.latencies.values() for timing in latency.timings]
    notes = ""
    if any(99 not in facts.quantiles_ms(timing.single) for timing in timings):
        notes += " p99 is omitted when there are too few calls to compute its interval."
    if any(row.features.precision != "float32" for row in run.trials):
        notes += (
            " If a head was trained on bfloat16 features, Max Δp also includes the rounding "
            "difference between bfloat16 and float32."
        )
    return notes
