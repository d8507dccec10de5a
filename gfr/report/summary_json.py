"""summary.json: everything that the report says, as plain values for scripts."""

from dataclasses import asdict, replace
from typing import Any

from gfr.config.schema import Trial
from gfr.evaluation.metrics import constant_answer
from gfr.measurement.latency import LatencyResult, Timing
from gfr.report import facts
from gfr.report.analysis import Analysis, Study
from gfr.report.metric_columns import Head, heads, place
from gfr.report.published import Published
from gfr.report.section import Report
from gfr.results import costs
from gfr.results.export_records import ExportResult
from gfr.results.records import Run
from gfr.types import SPLITS

SCHEMA = 1
RULE = (
    "highest validation accuracy, mean over the seeds; ties by lower validation loss, then by "
    "lower p50 latency"
)
PUBLISHED_RULE = "highest test accuracy"


def summary(report: Report) -> dict[str, Any]:
    """Return the content of summary.json."""
    run, record = report.run, report.run.record
    return {
        "schema": SCHEMA,
        "run_id": record.run_id,
        "benchmark": record.benchmark.name,
        "created_utc": record.created_utc,
        "command": record.command,
        "caveats": list(map(asdict, facts.caveats(run))),
        "selected": run.selection.trial_id if run.selection else None,
        "selection": _selection(run),
        "majority_class": {name: _majority(run, name) for name in SPLITS},
        "verdict": run.verdict and asdict(run.verdict),
        "comparison": _comparison(report.analysis),
        "trials": [
            _trial(head, report.published) for head in heads(run, report.analysis) if head.result
        ],
        "export": run.export and _export(run.export),
        "failures": [{"trial": row.trial.id, "reason": row.reason} for row in run.failures],
        "parameters": asdict(record.benchmark),
        "data": asdict(record.data),
        "split": asdict(record.split),
        "weights": list(map(asdict, record.weights)),
        "hardware": asdict(record.hardware),
        "workers": list(map(asdict, facts.workers(run))),
        "provenance": asdict(record.provenance),
        "stages": list(map(asdict, facts.stages(run))),
        "energy": list(map(asdict, costs.rows(run))),
        "gpus": list(map(asdict, costs.uses(run))),
    }


def _majority(run: Run, split: str) -> dict[str, float]:
    accuracy, loss = constant_answer(run.record.split.num_male, run.record.split.num_female, split)
    return {"accuracy": accuracy, "loss": loss}


def _trial(head: Head, published: Published | None) -> dict[str, Any]:
    """One finished trial: whole records, and the values of the results table in their places."""
    assert head.result and head.study
    trial = {
        "title": head.trial.title,
        "features": head.features,
        "metrics": {
            name: asdict(metrics) | {"accuracy_95": metrics.interval}
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
    found = asdict(replace(analysis, studies={}))
    del found["studies"]
    return {"not_told_apart": list(analysis.not_significant), **found}


def _study(study: Study) -> dict[str, Any]:
    """Return one trial's analysis without the points of its curves."""
    found = asdict(replace(study, thresholds=()))
    del found["thresholds"]
    for curve in filter(None, (found["roc"], found["precision_recall"])):
        for points in {"false_male", "true_male", "recall", "precision"} & curve.keys():
            del curve[points]
    return found | {"learning": asdict(study.learning) | {"words": study.learning.words}}


def _export(export: ExportResult) -> dict[str, Any]:
    models = [
        {**asdict(row), "p_value": row.p_value, "faithful": row.is_faithful}
        for row in export.models
    ]
    return {**asdict(export), "trial": export.trial.id, "models": models}


def _published(published: Published, trial: Trial) -> dict[str, Any] | None:
    row = published.find(trial.backbone.name, trial.iteration.number)
    return asdict(row) | {"hardware": published.hardware} if row else None


def _latency(latency: LatencyResult) -> dict[str, Any]:
    return {
        **_timing(latency.float32),
        "accelerated": latency.accelerated and _timing(latency.accelerated),
        "num_test_images": latency.num_test_images,
        "batch_size": latency.batch_size,
    }


def _timing(timing: Timing) -> dict[str, Any]:
    single = timing.single
    summary: dict[str, Any] = {
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
    for percent in facts.PERCENTS:
        interval_s = single.interval_s(percent)
        if interval_s is None and percent == 99:
            continue  # too few calls to enclose it
        summary[f"p{percent}_ms"] = 1000 * single.percentile_s(percent)
        summary[f"p{percent}_95_ms"] = interval_s and [1000 * value for value in interval_s]
    return summary


def _selection(run: Run) -> dict[str, Any] | None:
    if run.selection is None:
        return None
    second, top = facts.runner_up(run), [row.trial.id for row in facts.top_on_test(run)]
    return {
        "rule": RULE,
        "ranking": list(run.selection.ranking),
        "next": second and asdict(second),
        "published_rule": PUBLISHED_RULE,
        "published_rule_chooses": top,
        "rules_agree": top == [run.selection.trial_id],
    }
