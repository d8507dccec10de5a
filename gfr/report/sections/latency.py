"""Latency: the timing of every model in every precision."""

from gfr.config.schema import ENGINES
from gfr.measurement.latency import MAX_ATTEMPTS, MAX_OTHERS_SHARE, LatencyResult, Timing
from gfr.report import facts, markdown
from gfr.report.formatting import with_interval
from gfr.report.section import Block, Report, Section, Table
from gfr.results.deployment import title
from gfr.results.deployment_records import EngineLatency, EngineTiming
from gfr.results.records import Run


def section(report: Report) -> Section | None:
    """Return a row a model and precision, and a row a model in each engine."""
    blocks = [*_back_to_back(report.run), *_engines(report.run)]
    return Section("latency", "Latency", blocks) if blocks else None


def _back_to_back(run: Run) -> list[Block]:
    """Return the calls of `tf.function` one after the other."""
    timings = [(row, timing) for row in run.latencies.values() for timing in row.timings]
    if not timings:
        return []
    text = (
        "Milliseconds per call on one image, after warm-up, with no other gfr task running; 95% "
        "order-statistic intervals in brackets. CPU time: total of all threads of the process, per "
        "call. Images/s: throughput over the test set, in batches. Background load: share of the "
        f"CPU used by other processes. Above {MAX_OTHERS_SHARE:.0%} the measurement is repeated, "
        f"up to {MAX_ATTEMPTS} attempts in total; if it stays above, it is marked as contended. "
        "Max Δp: largest difference between the timed model's probability and the one recorded "
        f"for the trial, over the test set.{_notes(run)}"
    )
    return [text, *(Table.of([row(*pair) for pair in timings]) for row in (_times, _others))]


def _engines(run: Run) -> list[Block]:
    """Return the calls of several engines in turn."""
    measured = run.engine_latencies.values()
    pairs = [(latency, timing) for latency in measured for timing in latency.rows]
    missing = {
        f"{title(*name.partition(' ')[::2])} ({latency.feature_set.title}): {markdown.text(reason)}"
        for latency in measured
        for name, reason in latency.unavailable
    }
    blocks: list[Block] = []
    if pairs:
        blocks.append(
            "The same models in several runtime engines, with the same calls, in turn within one "
            "process: a change of the machine's speed affects all engines of a model alike. Max "
            "Δp: over the timed images."
        )
        blocks.append(Table.of([_in_engine(*pair) for pair in pairs]))
    if missing:
        blocks.append(f"Not timed:\n\n{markdown.bullets(sorted(missing))}")
    return blocks


def _in_engine(latency: EngineLatency, timing: EngineTiming) -> dict[str, str]:
    single = timing.single
    return {
        "Backbone and image size": latency.feature_set.title,
        "Engine": f"{ENGINES.get(timing.engine, timing.engine)} "
        f"{markdown.text(timing.engine_version)}",
        "Precision": timing.precision,
        "Threads": str(timing.num_threads),
        "p50 (ms)": facts.milliseconds_95(single, 50),
        "p99 (ms)": facts.milliseconds_95(single, 99),
        "Min (ms)": f"{1000 * min(single.values_s):.1f}",
        "IQR (ms)": f"{1000 * single.iqr_s:.1f}",
        "Calls": str(len(single.values_s)),
        "Background load": f"{single.others_share:.0%}",
        "Max Δp": f"{timing.max_difference:.0e}",
        "Note": "contended" if single.is_contended else "",
    }


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
