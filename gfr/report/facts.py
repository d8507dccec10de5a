"""Facts of a run that its sections and summary.json share: caveats, the runner-up, workers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gfr.data import records
from gfr.data.layouts import SOURCES
from gfr.evaluation.statistics import over_seeds
from gfr.measurement.latency import Samples
from gfr.report.formatting import bounds, interval, with_interval
from gfr.results import deployment, reference_analysis, regression_records
from gfr.results.deployment import Best, Recommendation, Variant
from gfr.results.deployment_records import EngineTiming
from gfr.results.records import PartResult, Run, TrialResult
from gfr.results.reference_analysis import Versus
from gfr.text import counted

PERCENTS = (10, 50, 90, 95, 99)  # of the latency of one image
GATE_NOT_RUN = "accuracy gate not run for these weights"


@dataclass(frozen=True)
class Caveat:
    """One sentence to read before the numbers; `is_serious` if it limits what they mean."""

    text: str
    is_serious: bool


@dataclass(frozen=True)
class Next:
    """The runner-up of the selection, compared with the selected trial.

    `images_ahead`: how many more validation images the selected trial gets right, mean over the
    seeds; below 0 only if the runner-up exceeds the benchmark's limits, or if the benchmark prefers
    another quantity than accuracy. `ahead_95`: Student's interval of that mean, None with one seed.
    Ratios: the selected trial's p50 latency and size divided by the runner-up's; None where one was
    not timed.
    """

    trial_id: str
    images_ahead: float
    ahead_95: tuple[float, float] | None
    latency_ratio: float | None
    size_ratio: float | None


@dataclass(frozen=True)
class Worker:
    """The work of one process of the task runner; `name` is machine/process."""

    name: str
    cpu_model: str
    num_images: int
    num_heads: int


def quantiles_ms(single: Samples) -> dict[int, tuple[float, tuple[float, float] | None]]:
    """Return each of PERCENTS with its 95% interval; no 99 where too few calls enclose it."""
    found = {}
    for percent in PERCENTS:
        ends_s = single.interval_s(percent)
        if ends_s or percent < 99:
            ends_ms = ends_s and (1000 * ends_s[0], 1000 * ends_s[1])
            found[percent] = (1000 * single.percentile_s(percent), ends_ms)
    return found


def p50(single: Samples) -> str:
    """`12.9 ms [12.8, 13.1]`."""
    p50_ms, ends_ms = quantiles_ms(single)[50]
    return f"{p50_ms:.1f} ms" + (f" {interval(ends_ms, '.1f')}" if ends_ms else "")


def milliseconds_95(single: Samples, percent: int, form: str = ".1f") -> str:
    """`12.9 [12.8, 13.1]`; "" for a p99 without an interval."""
    found = quantiles_ms(single).get(percent)
    return with_interval(*found, form) if found else ""


def best_rows(run: Run) -> dict[str, Best]:
    """Return the row of each feature set that counts in the selection, by id."""
    names = [features.feature_set.id for features in run.features]
    return deployment.best_rows(names, run.latencies, run.engine_latencies)


def variants(run: Run) -> tuple[Variant, ...]:
    """Return the selected model in every engine and precision; none in runs without formats."""
    return deployment.variants(run.formats, run.format_latency) if run.formats else ()


def recommended(run: Run) -> Recommendation | None:
    """Return the format of the selected model to use, within the limits of the benchmark."""
    return deployment.recommended(variants(run), run.record.benchmark.selection)


def recommendation(run: Run) -> str:
    """Name the recommended format, its size, latency and answers; "" without one.

    `LiteRT dynamic int8: 14.9 MB, p50 12.9 ms [12.8, 13.1], same answers on 986 of 1,000 test
    images`
    """
    found = recommended(run)
    if found is None:
        return ""
    result, single = found.variant.result, found.timing.single
    qualities = [f"{result.num_bytes / 1e6:.1f} MB"] if result else []
    contended = " (contended)" if single.is_contended else ""
    qualities.append(f"p50 {p50(single)}{contended}")
    if result and result.test:
        num_images = result.test.num_images
        num_same = num_images - result.test.num_changed
        qualities.append(f"same answers on {num_same:,} of {num_images:,} test images")
    return f"{found.variant.title}: {', '.join(qualities)}"


def measured(timing: EngineTiming) -> str:
    """`2 threads, 388 calls`."""
    num_calls = len(timing.single.values_s)
    return f"{counted(timing.num_threads, 'thread')}, {counted(num_calls, 'call')}"


def top_on_test(run: Run) -> list[TrialResult]:
    """Return the trials with the highest test accuracy, which the published rule selects."""
    top = max((row.metrics["test"].accuracy for row in run.trials), default=0.0)
    return [row for row in run.trials if row.metrics["test"].accuracy == top]


def better_references(run: Run, versus: tuple[Versus, ...]) -> str:
    """Name the references that are better than the selected trial, with figures; "" without any.

    Better: significantly more accurate, or smaller or faster and not significantly less accurate.
    """
    found = reference_analysis.advantages(run, versus)
    if not found:
        return ""
    parts = [f"{label} is {_advantages(run, *row)}" for label, row in found.items()]
    subject = "A reference that was not trained here, and may have seen these images, does"
    if len(parts) > 1:
        subject = "References that were not trained here, and may have seen these images, do"
    return f"{subject} better than the selected model: {'; '.join(parts)}."


def _advantages(run: Run, versus: Versus, words: list[str]) -> str:
    """`significantly more accurate (98.4% against 90.6%, p = 1e-20) and smaller (7.0 MB ...)`."""
    result, selected = run.references[versus.label], run.result_of(versus.trial_id)
    shares = (result.metrics["test"].accuracy, selected.metrics["test"].accuracy)
    accuracy = "{:.1%} against {:.1%} correct".format(*shares)
    phrases = [f"not significantly less accurate ({accuracy})"]
    if "accurate" in words:
        phrases = [f"significantly more accurate ({accuracy}, p (Holm) = {versus.p_holm:.2g})"]
    if "smaller" in words and (latency := run.latency_of(selected.trial)):
        sizes = (result.num_bytes / 1e6, latency.size_bytes / 1e6)
        phrases.append("smaller ({:.1f} MB against {:.1f} MB in float32)".format(*sizes))
    if "faster" in words and (timed := result.latency):
        load = ", contended" if timed.is_contended else ""
        p50s = f"p50 {timed.p50_ms:.1f} ms against {timed.selected_p50_ms:.1f} ms"
        phrases.append(f"faster ({p50s}, in turn{load})")
    *others, last = phrases
    return f"{', '.join(others)} and {last}" if others else last


def runner_up(run: Run) -> Next | None:
    """Return the runner-up of the selection, None if there is none."""
    if run.selection is None or len(run.selection.ranking) < 2:
        return None
    first, second = (run.result_of(trial_id) for trial_id in run.selection.ranking[:2])
    ours, theirs = run.latency_of(first.trial), run.latency_of(second.trial)
    validation = [row.over_seeds("validation") for row in (first, second)]
    ahead = over_seeds([a.num_right - b.num_right for a, b in zip(*validation, strict=True)])
    ratios: tuple[float | None, float | None] = (None, None)
    if ours and theirs:
        slower = ours.float32.p50_ms / theirs.float32.p50_ms
        ratios = slower, ours.num_parameters / theirs.num_parameters
    return Next(second.trial.id, ahead.mean, bounds(ahead.low, ahead.high), *ratios)


def precisions(run: Run) -> list[str]:
    """Return the precision of the features and why it was chosen, one line for each reason."""
    by_note: dict[str, list[str]] = {}
    for features in run.features:
        choice = run.record.choice_of(features.feature_set)
        words = f"{features.precision} ({choice.why})"
        if features.precision != choice.precision:
            words = f"{features.precision}, because bfloat16 differed too much"
        if features.check:
            words += (
                f"; on {features.check.num_images} images the features differ from float32 by "
                f"{features.check.relative_error:.2%} (relative norm)"
            )
        if features.precision == "bfloat16":
            words += {
                "passed": "; accuracy gate passed (benchmarks/precision.json)",
                "failed": "; ACCURACY GATE FAILED",
                "not run": f"; {GATE_NOT_RUN}, so its effect on accuracy is unknown",
                "means nothing": "; not checked against float32 because the weights are random",
            }[choice.gate]
        by_note.setdefault(words, []).append(features.feature_set.title)
    return [f"{', '.join(titles)}: {words}" for words, titles in by_note.items()]


def is_ungated(run: Run, label: str) -> bool:
    """Whether a backbone has bfloat16 features that passed no accuracy gate though one exists."""
    return any(
        row.features.precision == "bfloat16"
        and run.record.choice_of(row.trial.feature_set).gate in ("not run", "failed")
        for row in run.trials
        if row.trial.backbone.label == label
    )


def caveats(run: Run) -> list[Caveat]:
    """Return what limits the numbers: regressions, data, weights, failures, background load."""
    record = run.record
    data, *others = records.describe_data(record.data, record.split)
    history = [Caveat(*line) for line in regression_records.headlines(run.verdict)]
    found = [row for row in history if row.is_serious]
    found.append(Caveat(data[0].upper() + data[1:], bool(SOURCES[record.data.source].warning)))
    found += [row for row in history if not row.is_serious]
    for row in record.weights:
        source = row.note or f"ImageNet weights, {row.why}"
        if row.source == "directory":
            source = f"weights {row.why}, assumed to be ImageNet's (SHA-256 {row.sha256[:12]})"
        found.append(Caveat(f"{row.backbone}: {source}", row.source == "random"))
    found += [Caveat(fact[0].upper() + fact[1:], False) for fact in others]
    found += [Caveat(f"Failed: {row.trial.title}: {row.reason}", True) for row in run.failures]
    if run.selection and (reason := run.selection.beyond.get(run.selection.trial_id)):
        text = f"No model is within the limits of the benchmark; the selected model has {reason}"
        found.append(Caveat(text, True))
    found += [Caveat(text, True) for text in _background_loads(run)]
    return found


def _background_loads(run: Run) -> Iterator[str]:
    """Say what was timed while other processes used the CPU."""
    measured = []
    for latency in run.latencies.values():
        timings = [row for timing in latency.timings for row in (timing.single, timing.batches)]
        measured.append((latency.feature_set.title, timings))
    for engines in run.engine_latencies.values():
        timings = [row.single for row in engines.rows]
        measured.append((f"{engines.feature_set.title} in several engines", timings))
    if formats := run.format_latency:
        measured.append(("the formats of the model", [row.single for row in formats.rows]))
    for what, timings in measured:
        if any(row.is_contended for row in timings):
            share = max(row.others_share for row in timings)
            verb = "were" if what.startswith("the formats") else "was"
            yield (
                f"Background load: other processes used up to {share:.0%} of the CPU while {what} "
                f"{verb} timed"
            )


def workers(run: Run) -> list[Worker]:
    """Return the processes that computed features and trained heads, by name."""
    parts = [part for features in run.features for part in features.parts]
    num_images, num_heads = Counter[str](), Counter(row.worker for row in run.trials)
    for part in parts:
        num_images[part.worker] += part.extracted.num_computed
    done: list[PartResult | TrialResult] = [*parts, *run.trials]
    cpus = {row.worker: row.hardware.cpu_model for row in done}
    return [Worker(name, cpus[name], num_images[name], num_heads[name]) for name in sorted(cpus)]
