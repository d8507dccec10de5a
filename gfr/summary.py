"""A run as the facts that its page tells: summary.json, `gfr run --json`.

In: a Run, the published numbers if there are any. Out: one dict of plain values, and the
comparisons that the page and the dict share. Pure: nothing is measured, nothing is written, no
TensorFlow is imported.
"""

import dataclasses
from collections import Counter
from dataclasses import dataclass

from gfr.analysis import Analysis, Study
from gfr.config.schema import Trial
from gfr.data import records
from gfr.data.sources import SOURCES
from gfr.evaluation.metrics import constant_answer
from gfr.evaluation.statistics import over_seeds
from gfr.measurement.latency import LatencyResult, Timing
from gfr.measurement.resources import Cost
from gfr.published import Published
from gfr.results import costs, regression_records
from gfr.results.export_records import ExportResult
from gfr.results.records import Run, TrialResult
from gfr.types import SPLITS

SCHEMA = 1
GATE_NOT_RUN = "accuracy gate not run for these weights"
PERCENTS = (10, 50, 90, 95, 99)
RULE = (
    "highest validation accuracy, mean over the seeds; ties by lower validation loss, then by "
    "lower p50 latency"
)
PUBLISHED_RULE = "highest test accuracy"


@dataclass(frozen=True)
class Caveat:
    """One sentence to read before the numbers; `is_serious` where they mean less for it."""

    text: str
    is_serious: bool


@dataclass(frozen=True)
class Next:
    """The second of the ranking against the selected trial.

    `images_ahead`: validation images that the selected trial gets right in excess of it, mean over
    the seeds; below 0 only if that one lies beyond the benchmark's limits. `ahead_95`: Student's
    interval of that mean, None with one seed. Ratios: the selected trial's p50 latency and size
    over the other's; None where one was not timed.
    """

    trial_id: str
    images_ahead: float
    ahead_95: tuple[float, float] | None
    latency_ratio: float | None
    size_ratio: float | None


@dataclass(frozen=True)
class Stage:
    """What one stage did and what it cost."""

    name: str
    did: str
    cost: Cost


@dataclass(frozen=True)
class Worker:
    """What one process of the task runner did; `name` is machine/process."""

    name: str
    cpu_model: str
    num_images: int
    num_heads: int


def facts(run: Run, analysis: Analysis, published: Published | None) -> dict[str, object]:
    """Everything that the page says, for scripts."""
    record, split = run.record, run.record.split
    comparable = published if published and published.applies_to(record.data) else None
    return {
        "schema": SCHEMA,
        "run_id": record.run_id,
        "benchmark": record.benchmark.name,
        "created_utc": record.created_utc,
        "command": record.command,
        "caveats": [dataclasses.asdict(row) for row in caveats(run)],
        "selected": run.selection.trial_id if run.selection else None,
        "selection": _selection(run),
        "majority_class": {
            name: dict(
                zip(
                    ("accuracy", "loss"),
                    constant_answer(split.num_male, split.num_female, name),
                    strict=True,
                )
            )
            for name in SPLITS
        },
        "verdict": run.verdict and dataclasses.asdict(run.verdict),
        "comparison": _comparison(analysis),
        "trials": [
            _trial(run, result, comparable) | {"study": _study(analysis.studies[result.trial.id])}
            for result in run.trials
        ],
        "export": run.export and _export(run.export),
        "failures": [{"trial": row.trial.id, "reason": row.reason} for row in run.failures],
        "parameters": dataclasses.asdict(record.benchmark),
        "data": dataclasses.asdict(record.data),
        "split": dataclasses.asdict(split),
        "weights": [dataclasses.asdict(row) for row in record.weights],
        "hardware": dataclasses.asdict(record.hardware),
        "workers": [dataclasses.asdict(row) for row in workers(run)],
        "provenance": dataclasses.asdict(record.provenance),
        "stages": [dataclasses.asdict(row) for row in stages(run)],
        "energy": [dataclasses.asdict(row) for row in costs.rows(run)],
        "gpus": [dataclasses.asdict(row) for row in costs.uses(run)],
    }


def _trial(run: Run, result: TrialResult, published: Published | None) -> dict[str, object]:
    trial, latency = result.trial, run.latency_of(result.trial)
    return {
        "trial": trial.id,
        "title": trial.title,
        "backbone": trial.backbone.label,
        "iteration": trial.iteration.number,
        "weights": result.features.weights.source,
        "note": result.features.note,
        "precision": result.features.precision,
        "features": "computed" if result.features.num_computed else "reused",
        "metrics": {
            name: dataclasses.asdict(found) | {"accuracy_95": found.interval}
            for name, found in result.metrics.items()
        },
        "better_than_majority": run.is_better_than_majority(result),
        "latency": latency and _latency(latency),
        "published": published and _published(published, trial),
    }


def _comparison(analysis: Analysis) -> dict[str, object]:
    """Across the trials, on the same test images."""
    found = dataclasses.asdict(dataclasses.replace(analysis, studies={}))
    del found["studies"]
    return {"not_told_apart": list(analysis.equals), **found}


def _study(study: Study) -> dict[str, object]:
    """One trial, without the points of its curves."""
    found = dataclasses.asdict(dataclasses.replace(study, thresholds=()))
    del found["thresholds"]
    for name, points in (
        ("roc", ("false_male", "true_male")),
        ("precision_recall", ("recall", "precision")),
    ):
        if found[name] is not None:
            found[name] = {key: value for key, value in found[name].items() if key not in points}
    return found | {
        "learning": dataclasses.asdict(study.learning) | {"words": study.learning.words}
    }


def _export(export: ExportResult) -> dict[str, object]:
    rows = [
        {**dataclasses.asdict(row), "p_value": row.p_value, "faithful": row.is_faithful}
        for row in export.models
    ]
    return {**dataclasses.asdict(export), "trial": export.trial.id, "models": rows}


def _published(published: Published, trial: Trial) -> dict[str, object] | None:
    row = published.find(trial.backbone.name, trial.iteration.number)
    return dataclasses.asdict(row) | {"hardware": published.hardware} if row else None


def _latency(latency: LatencyResult) -> dict[str, object]:
    return {
        **_timing(latency.float32),
        "accelerated": latency.accelerated and _timing(latency.accelerated),
        "num_test_images": latency.num_test_images,
        "batch_size": latency.batch_size,
        "contended": latency.is_contended,
        "num_parameters": latency.num_parameters,
        "size_bytes": latency.size_bytes,
    }


def _timing(timing: Timing) -> dict[str, object]:
    single = timing.single
    facts: dict[str, object] = {
        "precision": timing.precision,
        "inference_s": timing.inference_s,
        "build_s": timing.build_s,
        "first_call_s": timing.first_call_s,
        "num_calls": len(single.values_s),
        "num_attempts": timing.num_attempts,
        "min_ms": 1000 * min(single.values_s),
        "iqr_ms": 1000 * single.iqr_s,
        "cpu_per_call_ms": 1000 * single.cpu_per_call_s,
        "others_share": single.others_share,
    }
    for percent in PERCENTS:
        interval_s = single.interval_s(percent)
        if interval_s is None and percent == 99:
            continue  # too few calls for one
        facts[f"p{percent}_ms"] = 1000 * single.percentile_s(percent)
        facts[f"p{percent}_95_ms"] = interval_s and [1000 * value for value in interval_s]
    return facts


def _selection(run: Run) -> dict[str, object] | None:
    if run.selection is None:
        return None
    second, top = runner_up(run), top_on_test(run)
    return {
        "rule": RULE,
        "ranking": list(run.selection.ranking),
        "next": second and dataclasses.asdict(second),
        "published_rule": PUBLISHED_RULE,
        "published_rule_chooses": [row.trial.id for row in top],
        "rules_agree": [row.trial.id for row in top] == [run.selection.trial_id],
    }


def selected_trial(run: Run) -> TrialResult | None:
    """The result of the selected trial."""
    wanted = run.selection.trial_id if run.selection else None
    return next((row for row in run.trials if row.trial.id == wanted), None)


def top_on_test(run: Run) -> list[TrialResult]:
    """The trials of the highest test accuracy: what the published rule chooses."""
    top = max((row.metrics["test"].accuracy for row in run.trials), default=0.0)
    return [row for row in run.trials if row.metrics["test"].accuracy == top]


def runner_up(run: Run) -> Next | None:
    """The second of the ranking against the first; None if there is none."""
    if run.selection is None or len(run.selection.ranking) < 2:
        return None
    by_id = {row.trial.id: row for row in run.trials}
    first, second = (by_id[trial_id] for trial_id in run.selection.ranking[:2])
    ours, theirs = run.latency_of(first.trial), run.latency_of(second.trial)
    validation = [row.over_seeds("validation") for row in (first, second)]
    ahead = over_seeds([a.num_right - b.num_right for a, b in zip(*validation, strict=True)])
    ahead_95 = None
    if ahead.low is not None and ahead.high is not None:
        ahead_95 = ahead.low, ahead.high
    latency_ratio = size_ratio = None
    if ours is not None and theirs is not None:
        latency_ratio = ours.float32.p50_ms / theirs.float32.p50_ms
        size_ratio = ours.num_parameters / theirs.num_parameters
    return Next(
        trial_id=second.trial.id,
        images_ahead=ahead.mean,
        ahead_95=ahead_95,
        latency_ratio=latency_ratio,
        size_ratio=size_ratio,
    )


def arithmetic(run: Run) -> list[str]:
    """In what features were computed and what that rests on, one fact a line."""
    by_note: dict[str, list[str]] = {}
    for features in {row.features.feature_set: row.features for row in run.trials}.values():
        choice = run.record.choice_of(features.feature_set)
        words = f"in {features.precision} ({choice.why})"
        if features.precision != choice.precision:
            words = f"in {features.precision}, since bfloat16 differed too much"
        if features.check:
            words += (
                f"; {features.check.num_images} images differ by "
                f"{features.check.relative_error:.2%} from float32 (norm of all features)"
            )
        if features.precision == "bfloat16":
            words += {
                "passed": "; accuracy gate passed (benchmarks/precision.json)",
                "failed": "; ACCURACY GATE FAILED",
                "not run": f"; {GATE_NOT_RUN}: whether heads lose accuracy by it is not known",
                "means nothing": "; not compared with float32, which means nothing on random "
                "weights",
            }[choice.gate]
        by_note.setdefault(words, []).append(features.feature_set.title)
    return [f"{', '.join(titles)}: {words}" for words, titles in by_note.items()]


def is_ungated(run: Run, label: str) -> bool:
    """Whether a backbone has bfloat16 features that no gate has passed though one could."""
    return any(
        row.features.precision == "bfloat16"
        and run.record.choice_of(row.trial.feature_set).gate in ("not run", "failed")
        for row in run.trials
        if row.trial.backbone.label == label
    )


def caveats(run: Run) -> list[Caveat]:
    """What must be known before any number is read: its history, data, weights, failures."""
    record = run.record
    data, *others = records.describe_data(record.data, record.split)
    history = [Caveat(*line) for line in regression_records.headlines(run.verdict)]
    found = [row for row in history if row.is_serious]
    found.append(Caveat(data[0].upper() + data[1:], bool(SOURCES[record.data.source].warning)))
    found += [row for row in history if not row.is_serious]
    for row in record.weights:
        source = row.note or f"ImageNet weights, {row.why}"
        if row.source == "directory":
            source = f"weights {row.why}, taken for ImageNet's (SHA-256 {row.sha256[:12]})"
        found.append(Caveat(f"{row.backbone}: {source}", row.source == "random"))
    found += [Caveat(fact[0].upper() + fact[1:], False) for fact in others]
    found += [Caveat(f"Failed: {row.trial.title}: {row.reason}", True) for row in run.failures]
    if run.selection and run.selection.trial_id in run.selection.beyond:
        reason = run.selection.beyond[run.selection.trial_id]
        found.append(Caveat(f"No model is within the limits; the selected one: {reason}", True))
    for latency in run.latencies.values():
        if latency.is_contended:
            rows = [row for timing in latency.timings for row in (timing.single, timing.batches)]
            share = max(row.others_share for row in rows)
            text = (
                f"Contended: other processes took {share:.0%} of the machine while "
                f"{latency.feature_set.title} was timed"
            )
            found.append(Caveat(text, True))
    return found


def workers(run: Run) -> list[Worker]:
    """Who computed features and trained heads, by name."""
    cpus: dict[str, str] = {}
    num_images: Counter[str] = Counter()
    num_heads: Counter[str] = Counter()
    for features in {row.features.feature_set: row.features for row in run.trials}.values():
        for part in features.parts:
            cpus[part.worker] = part.hardware.cpu_model
            num_images[part.worker] += part.extracted.num_computed
    for result in run.trials:
        cpus[result.worker] = result.hardware.cpu_model
        num_heads[result.worker] += 1
    return [Worker(name, cpus[name], num_images[name], num_heads[name]) for name in sorted(cpus)]


def stages(run: Run) -> list[Stage]:
    """Every stage in order: computed or reused, and its cost."""
    found = [Stage("Checking images", "", run.record.cost)]
    for features in {row.features.feature_set: row.features for row in run.trials}.values():
        did = f"{features.num_computed:,} computed, {features.num_reused:,} reused"
        found.append(Stage(f"Features: {features.feature_set.title}", did, features.cost))
    for result in run.trials:
        did = f"{result.trial.iteration.epochs} epochs"
        found.append(Stage(f"Head: {result.trial.title}", did, result.train_cost))
        if result.refits:
            did = f"{len(result.refits)} heads"
            found.append(Stage(f"Refits: {result.trial.title}", did, result.refit_cost))
    for latency in run.latencies.values():
        found.append(Stage(f"Latency: {latency.feature_set.title}", "", latency.cost))
    return found
