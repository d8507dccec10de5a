"""summary.json: everything that the report says, as plain values for scripts."""

from typing import Any

from pydantic import TypeAdapter

from gfr.config.schema import Preference, Trial
from gfr.evaluation.references import Scores
from gfr.measurement.latency import LatencyResult, Samples, Timing
from gfr.report import facts
from gfr.report.analysis import Analysis, Study
from gfr.report.metric_columns import Head, heads, place
from gfr.report.published import Published
from gfr.report.section import Report
from gfr.results import costs
from gfr.results.deployment import Variant
from gfr.results.deployment_records import Agreement, EngineLatency, EngineTiming
from gfr.results.export_records import ExportResult
from gfr.results.records import Choices, Run
from gfr.results.reference_records import PairedLatency
from gfr.types import SPLITS

SCHEMA = 1

_AMONG_EQUAL = (
    "among the trials that are not significantly worse on validation than the one with the highest "
    "validation accuracy, mean over the seeds; ties by higher validation accuracy"
)
_RULES: dict[Preference, str] = {
    "accuracy": "highest validation accuracy, mean over the seeds; ties by lower validation loss, "
    "then by lower p50 latency",
    "loss": f"lowest validation loss, mean over the seeds, {_AMONG_EQUAL}",
    "latency": f"lowest p50 latency in the fastest engine that times every model, {_AMONG_EQUAL}",
    "size": f"fewest parameters, {_AMONG_EQUAL}",
}


def summary(report: Report) -> dict[str, Any]:
    """Return the content of summary.json."""
    run, record = report.run, report.run.record
    copied = ("run_id", "created_utc", "command", "data", "split", "weights", "hardware")
    content = {
        "schema": SCHEMA,
        **{name: getattr(record, name) for name in (*copied, "provenance")},
        "benchmark": record.benchmark.name,
        "parameters": record.benchmark,
        "caveats": facts.caveats(run),
        "selected": run.selection and run.selection.trial_id,
        "selection": _selection(run),
        "majority_class": {name: record.split.constant_answer(name) for name in SPLITS},
        "verdict": run.verdict,
        "comparison": _comparison(report.analysis),
        "trials": [
            _trial(head, report.published) for head in heads(run, report.analysis) if head.result
        ],
        "export": run.export and _export(run.export),
        "engines": [_engines(row) for row in run.engine_latencies.values()],
        "deployment": _deployment(run) if run.formats else None,
        "references": _references(report) if run.references else None,
        "failures": [{"trial": row.trial.id, "reason": row.reason} for row in run.failures],
        "workers": facts.workers(run),
        "stages": [
            {"name": row.name, "did": row.did, "cost": row.cost} for row in costs.stages(run)
        ],
        "energy": costs.rows(run),
        "gpus": costs.uses(run),
    }
    return TypeAdapter(dict[str, Any]).dump_python(content, mode="json")


def _trial(head: Head, published: Published | None) -> dict[str, Any]:
    """One finished trial: whole records, and the values of the results table in their places."""
    assert head.result and head.study
    trial = {
        "title": head.trial.title,
        "features": head.features,
        "metrics": {
            name: vars(metrics) | {"accuracy_95": metrics.interval}
            for name, metrics in head.result.metrics.items()
        },
        "better_than_majority": head.run.is_better_than_majority(head.result),
        "latency": head.latency and _latency(head.latency),
        "published": published and _published(published, head.trial),
        "study": _study(head.study),
    }
    place(trial, head)
    return trial


def _comparison(analysis: Analysis) -> dict[str, Any]:
    """Return the comparisons across trials on the same test images."""
    alike = [row.trial_id for row in analysis.against if not row.is_significant]
    left_out = ("studies", "versus", "reference_subgroups")
    return _without(vars(analysis) | {"not_told_apart": alike}, *left_out)


def _references(report: Report) -> dict[str, Any]:
    """Return the references with their tests against every trial."""
    run, analysis = report.run, report.analysis
    return {
        "better_than_selected": facts.better_references(run, analysis.versus),
        "rows": [
            {
                **_without(vars(row), "schema", "run_id", "validation", "test", "latency"),
                "metrics": {name: _scores(scores) for name, scores in row.metrics.items()},
                "used": row.used and row.used.title,
                "latency": row.latency and _paired(row.latency),
                "comparisons": [
                    _without(vars(each) | {"significant": each.is_significant}, "label")
                    for each in analysis.versus
                    if each.label == label
                ],
                "subgroups": analysis.reference_subgroups.get(label),
            }
            for label, row in run.references.items()
        ],
    }


def _scores(scores: Scores) -> dict[str, Any]:
    derived = ("num_right", "num_found", "num_missing", "accuracy", "accuracy_found")
    return (
        vars(scores)
        | {name: getattr(scores, name) for name in derived}
        | {"accuracy_95": scores.interval, "accuracy_found_95": scores.interval_found}
    )


def _paired(latency: PairedLatency) -> dict[str, Any]:
    return {
        "trial": latency.trial_id,
        "num_attempts": latency.num_attempts,
        "contended": latency.is_contended,
        "reference": _samples(latency.single),
        "selected": _samples(latency.selected),
    }


def _study(study: Study) -> dict[str, Any]:
    """Return one trial's analysis without the points of its curves."""
    curves = {
        name: curve and _without(vars(curve), "false_male", "true_male", "recall", "precision")
        for name, curve in (("roc", study.roc), ("precision_recall", study.precision_recall))
    }
    learning = vars(study.learning) | {"words": study.learning.words}
    return _without(vars(study), "thresholds") | curves | {"learning": learning}


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _export(export: ExportResult) -> dict[str, Any]:
    models = [
        vars(row)
        | {"p_value": row.p_value if row.num_images else None, "faithful": row.is_faithful}
        for row in export.models
    ]
    return vars(export) | {"trial": export.trial.id, "models": models}


def _engines(latency: EngineLatency) -> dict[str, Any]:
    """One feature set in its engines."""
    return {
        "feature_set": latency.feature_set.id,
        "rows": [_engine_timing(row) for row in latency.rows],
        "size_bytes": latency.size_bytes,
        "unavailable": dict(latency.unavailable),
    }


def _engine_timing(row: EngineTiming) -> dict[str, Any]:
    copied = ("engine", "engine_version", "precision", "num_threads", "max_difference")
    return {name: getattr(row, name) for name in (*copied, "num_attempts")} | _samples(row.single)


def _deployment(run: Run) -> dict[str, Any]:
    """The selected trial in every format and engine, and the recommended one."""
    found = facts.recommended(run)
    return {
        "trial": run.result_of(None).trial.id,
        "recommended": found
        and {
            "format": found.variant.result and found.variant.result.format,
            "engine": found.variant.engine,
            "precision": found.variant.precision,
            "num_threads": found.timing.num_threads,
            "p50_ms": found.timing.p50_ms,
            "beyond": found.beyond,
            "as_fast": [row.title for row in found.tied],
            "words": facts.recommendation(run),
        },
        "formats": [_variant(row) for row in facts.variants(run)],
    }


def _variant(row: Variant) -> dict[str, Any]:
    result = row.result
    processes = result.processes if result else ()
    return {
        "format": result and result.format,
        "engine": row.engine,
        "engine_version": row.version,
        "precision": row.precision,
        "reason": (result.reason if result else "") or row.reason,
        "num_bytes": result and result.num_bytes,
        "eligible": row.is_eligible,
        "validation": result and result.validation and _agreement(result.validation),
        "test": result and result.test and _agreement(result.test),
        "latency": [_engine_timing(timing) for timing in row.timings],
        "processes": [
            _without(vars(each), "batches")
            | {"cold_start_s": each.cold_start_s, "images_per_s": each.images_per_s}
            for each in processes
        ],
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    derived = ("accuracy", "p_value", "num_changed")
    return (
        vars(found)
        | {name: getattr(found, name) for name in derived}
        | {"accuracy_95": found.interval}
    )


def _published(published: Published, trial: Trial) -> dict[str, Any] | None:
    row = published.find(trial.backbone.name, trial.iteration.number)
    return vars(row) | {"hardware": published.hardware} if row else None


def _latency(latency: LatencyResult) -> dict[str, Any]:
    return {
        **_timing(latency.float32),
        "accelerated": latency.accelerated and _timing(latency.accelerated),
        "num_test_images": latency.num_test_images,
        "batch_size": latency.batch_size,
    }


def _timing(timing: Timing) -> dict[str, Any]:
    copied = ("precision", "inference_s", "build_s", "first_call_s", "num_attempts")
    return {name: getattr(timing, name) for name in copied} | _samples(timing.single)


def _samples(single: Samples) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "num_calls": len(single.values_s),
        "min_ms": 1000 * min(single.values_s),
        "iqr_ms": 1000 * single.iqr_s,
        "cpu_per_call_ms": 1000 * single.cpu_per_call_s,
        "others_share": single.others_share,
    }
    for percent, (value_ms, ends_ms) in facts.quantiles_ms(single).items():
        summary |= {f"p{percent}_ms": value_ms, f"p{percent}_95_ms": ends_ms}
    return summary


def _choices(choices: Choices) -> dict[str, Any]:
    tests = [vars(row) | {"worse": row.is_worse} for row in choices.tests]
    return vars(choices) | {"equal": choices.equal, "tests": tests}


def _selection(run: Run) -> dict[str, Any] | None:
    if run.selection is None:
        return None
    second, top = facts.runner_up(run), [row.trial.id for row in facts.top_on_test(run)]
    return {
        "rule": _RULES[run.record.benchmark.selection.prefer],
        "ranking": list(run.selection.ranking),
        "choices": run.selection.choices and _choices(run.selection.choices),
        "next": second,
        "published_rule": "highest test accuracy",
        "published_rule_chooses": top,
        "rules_agree": top == [run.selection.trial_id],
    }
