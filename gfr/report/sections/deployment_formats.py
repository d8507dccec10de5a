"""Deployment, formats: one row for each format of the selected model in its own engine."""

from dataclasses import dataclass, replace

from gfr import engines
from gfr.config.schema import Selecting
from gfr.measurement.software import INSTALL
from gfr.report import facts, markdown
from gfr.report.formatting import CONTENDED, RANDOM, title, with_interval
from gfr.report.section import Block, Table
from gfr.results.deployment import REFERENCE, Recommendation, Variant
from gfr.results.deployment_records import MIN_P_VALUE, ONE_LOST_IN, Agreement, EngineTiming
from gfr.results.records import Run, TrialResult
from gfr.text import counted

_NOT_KNOWN = "-"


@dataclass(frozen=True)
class _Formats:
    """What the tables show. `thread_counts`: one and all."""

    run: Run
    selected: TrialResult
    rows: tuple[Variant, ...]
    recommended: Recommendation | None
    thread_counts: tuple[int, ...]

    @property
    def limits(self) -> Selecting:
        """The limits of the benchmark."""
        return self.run.record.benchmark.selection

    @property
    def timings(self) -> list[EngineTiming]:
        """All timings of the formats."""
        return [timing for row in self.rows for timing in row.timings]


def blocks(run: Run) -> list[Block]:
    """Return the formats with accuracy, latency, size and verdict; nothing if none was written."""
    rows = facts.variants(run)
    if not rows:
        return []
    counts = {timing.num_threads for row in rows for timing in row.timings}
    shown = tuple(sorted({min(counts), max(counts)})) if counts else ()
    formats = _Formats(run, run.result_of(None), rows, facts.recommended(run), shown)
    return [
        _introduction(formats),
        Table.of([_row(formats, row) for row in rows]),
        _notes(formats),
        replace(Table.of([_details(row) for row in rows]), title="Details of the formats"),
    ]


def _introduction(formats: _Formats) -> str:
    name = title(formats.run, formats.selected.trial.id)
    text = f"**{name}** in every format and engine."
    found = formats.recommended
    if found is None:
        return f"{text} No format is recommended: none is both eligible and timed."
    measured = facts.measured(found.timing)
    text += f" Recommended: **{facts.recommendation(formats.run)}** ({measured}), "
    text += "the eligible format with the lowest p50 latency"
    if formats.limits.limits and not found.beyond:
        text += " within the limits of the benchmark"
    if found.tied:
        others = ", ".join(row.title for row in found.tied)
        text += f"; of those as fast within their 95% intervals ({others}), it is the smallest"
    text += "."
    if found.beyond:
        text += f" **No eligible format is within the limits of the benchmark**: {found.beyond}."
    return text


def _row(formats: _Formats, row: Variant) -> dict[str, str]:
    result, process = row.result, row.process
    name = row.title + (f" {RANDOM}" if _is_random(formats.selected) else "")
    is_recommended = formats.recommended and formats.recommended.variant == row
    test = result.test if result else None
    cells = {
        "Format": f"**{name}**" if is_recommended else name,
        "Verdict": _verdict(formats, row),
        "Test accuracy": _accuracy(formats.selected, row),
        "Changed answers": f"{test.num_changed:,}" if test else _NOT_KNOWN,
        "Size (MB)": f"{result.num_bytes / 1e6:.1f}" if result and result.num_bytes else _NOT_KNOWN,
    }
    for num_threads in reversed(formats.thread_counts):
        timing = row.with_threads(num_threads)
        mark = f" {CONTENDED}" if timing and timing.single.is_contended else ""
        for percent in (50, 99):
            value = facts.milliseconds_95(timing.single, percent) if timing else ""
            header = f"p{percent}, {counted(num_threads, 'thread')} (ms)"
            cells[header] = f"{value}{mark}" if value else _NOT_KNOWN
    return {
        **cells,
        "Cold start (s)": f"{process.cold_start_s:.2f}" if process else _NOT_KNOWN,
        "Memory (MB)": f"{process.peak_memory_bytes / 1e6:.0f}" if process else _NOT_KNOWN,
        "Version": markdown.text(row.version) if row.version != "missing" else _NOT_KNOWN,
    }


def _is_random(selected: TrialResult) -> bool:
    return selected.features.weights.source == "random"


def _accuracy(selected: TrialResult, row: Variant) -> str:
    if row.result and row.result.test:
        return with_interval(row.result.test.accuracy, row.result.test.interval)
    if row.key == ("tensorflow", selected.features.precision):
        metrics = selected.metrics["test"]
        return with_interval(metrics.accuracy, metrics.interval)
    return _NOT_KNOWN


def _verdict(formats: _Formats, row: Variant) -> str:
    """Say whether the format may be used, and why not."""
    if row.result and row.result.reason:
        return _failure(row, row.result.reason)
    verdict = "reference" if row.key == REFERENCE else "eligible"
    if not row.is_eligible:
        verdict = _not_eligible(row.result.validation if row.result else None)
    elif formats.recommended and formats.recommended.variant == row:
        verdict = "**recommended**"
    if row.timing is None:
        verdict += f"; not timed: {markdown.text(row.reason)}" if row.reason else "; not timed"
    if reason := row.beyond(formats.limits):
        verdict += f"; exceeds the limits: {reason}"
    return verdict


def _failure(row: Variant, reason: str) -> str:
    if row.version == "missing":
        install = engines.get(row.engine).install if row.engine in engines.ENGINES else ""
        return f"not installed: `{install or INSTALL}`"
    return f"failed: {markdown.text(reason)}"


def _not_eligible(validation: Agreement | None) -> str:
    if validation is None:
        return "not validated"
    lost = 100 * (validation.keras_right - validation.num_right) / validation.num_images
    return f"not eligible: {lost:.1f} points lower on validation (p = {validation.p_value:.2g})"


def _notes(formats: _Formats) -> str:
    """Explain the columns and the rules."""
    tests = [row.result.test for row in formats.rows if row.result and row.result.test]
    images = f"all {tests[0].num_images:,} test images" if tests else "the test images"
    text = (
        f"Each format classified {images} in its own engine. Changed answers: test images that "
        "Keras in float32 classifies otherwise. A format is eligible if, on the validation images, "
        f"its accuracy is at most {100 / ONE_LOST_IN:g} points lower than that of Keras and the "
        f"difference is not significant (exact McNemar test, p >= {MIN_P_VALUE:g}). Recommended: "
        "the eligible format with the lowest p50 with all threads; of formats whose 95% intervals "
        "overlap with that of the fastest, the smallest file."
    )
    if formats.timings:
        nums = [len(row.single.values_s) for row in formats.timings]
        calls = f"{min(nums):,}" if min(nums) == max(nums) else f"{min(nums):,} to {max(nums):,}"
        text += (
            f" p50 and p99: {calls} calls on one image, engines in turn, one process for each "
            "number of threads; 95% order-statistic intervals in brackets, no p99 where there are "
            "too few calls for one. TensorFlow.js runs in Node, with one thread. Cold start: "
            "loading and the first answer in a new process, whose peak is the memory."
        )
    if any(row.result is None and not row.is_eligible for row in formats.rows):
        text += (
            " Not validated: the same file computed in another precision; only its latency was "
            "measured."
        )
    keys, has_bfloat16 = (
        {row.key for row in formats.rows},
        formats.selected.features.precision == "bfloat16",
    )
    if has_bfloat16 and ("tensorflow", "bfloat16") in keys:
        text += " The accuracy in TensorFlow bfloat16 is that of the trial itself."
    if any(row.single.is_contended for row in formats.timings):
        text += f" {CONTENDED} Contended: measured under background load."
    if _is_random(formats.selected):
        text += f" {RANDOM} Random weights."
    return text


def _details(row: Variant) -> dict[str, str]:
    result, timing, process = row.result, row.timing, row.process
    validation, test = (result.validation, result.test) if result else (None, None)
    cells = dict.fromkeys(
        (
            *("Validation accuracy", "Lost / won on validation", "p on validation", "Max Δp"),
            *("Mean Δp", "Calibration error", "Images/s", "Calls", "IQR (ms)", "Background load"),
        ),
        _NOT_KNOWN,
    )
    if validation:
        lost, won = validation.only_keras_right, validation.only_this_right
        cells["Validation accuracy"] = with_interval(validation.accuracy, validation.interval)
        cells["Lost / won on validation"] = f"{lost} / {won}"
        cells["p on validation"] = f"{validation.p_value:.2f}"
    if test:
        cells["Max Δp"] = f"{test.max_difference:.1e}"
        cells["Mean Δp"] = f"{test.mean_difference:.1e}"
        cells["Calibration error"] = f"{test.calibration_error:.3f}"
    if process:
        cells["Images/s"] = f"{process.images_per_s:.0f}"
    if timing:
        cells["Calls"] = f"{len(timing.single.values_s):,}"
        cells["IQR (ms)"] = f"{1000 * timing.single.iqr_s:.1f}"
        cells["Background load"] = f"{timing.single.others_share:.0%}"
    return {"Format": row.title, **cells}
