"""Deployment, TensorFlow.js: accuracy in each precision, latency in Node and browsers."""

from gfr.evaluation.statistics import wilson
from gfr.report import markdown
from gfr.report.formatting import milliseconds, with_interval
from gfr.report.section import Block, Report, Table
from gfr.results.export_records import MAX_DIFFERENCE, MIN_P_VALUE, ExportResult, WebModel
from gfr.results.records import Run


def blocks(report: Report) -> list[Block]:
    """Return the TensorFlow.js export of the selected model, or the command that exports it."""
    run, export = report.run, report.run.export
    if export is None:
        if not (run.selection and run.record.benchmark.export.precisions):
            return []
        what = "Not exported to TensorFlow.js" if run.formats else "Not exported"
        return [f"{what}. To export it: `gfr export {run.record.run_id}`."]
    return [
        _exported(run, export),
        Table.of([_row(model, export) for model in export.models]),
        _notes(export),
        f"Latency of one image:\n\n{markdown.bullets(_latencies(run, export))}",
    ]


def _exported(run: Run, export: ExportResult) -> str:
    keras, recorded = (
        f"{num_right / export.num_images:.3f} ({num_right:,} of {export.num_images:,} images)"
        for num_right in (export.keras_right, export.recorded_right)
    )
    precision = run.result_of(export.trial.id).features.precision
    features = "" if precision == "float32" else f" ({precision} features)"
    return (
        f"**{export.trial.title}** was exported to TensorFlow.js with {export.precision} weights "
        f"({export.written.num_bytes / 1e6:.1f} MB). To try it in a browser: `gfr serve "
        f"{export.run_id}`. Test accuracy: {keras} for the fused Keras model (backbone and head in "
        f"one, float32); {recorded} for the trial itself{features}."
    )


def _row(model: WebModel, export: ExportResult) -> dict[str, str]:
    is_written, num_right = model.precision == export.precision, model.num_right
    accuracy = with_interval(num_right / model.num_images, wilson(num_right, model.num_images))
    return {
        "Precision": f"**{model.precision}**" if is_written else model.precision,
        "Size (MB)": f"{model.num_bytes / 1e6:.1f}",
        "Test accuracy": accuracy,
        "Lost / won": f"{model.only_keras_right} / {model.only_this_right}",
        "p": f"{model.p_value:.2f}",
        "Max Δp": f"{model.max_difference:.1e}",
        "Mean Δp": f"{model.mean_difference:.1e}",
        "Max Δp, TensorFlow.js vs Keras": f"{model.javascript.from_keras:.1e}",
        "Max Δp, TensorFlow.js vs TensorFlow": f"{model.javascript.from_graph:.1e}",
    }


def _notes(export: ExportResult) -> str:
    """Explain the columns and the choice of the precision."""
    javascript = export.written.javascript
    why = "the closest one, because none is within the limits"
    if export.is_asked_for:
        why = "requested by name"
    elif export.written.is_faithful:
        split = " on the validation images" if export.written.validation else ""
        why = (
            f"the smallest one whose probabilities differ from Keras by at most {MAX_DIFFERENCE:g}"
            f"{split} and whose classifications do not differ significantly (p >= {MIN_P_VALUE:g})"
        )
    return (
        f"The exported precision is in bold: {why}. Each precision is compared with the fused "
        f"Keras model in float32 on the {export.num_images:,} test images. Lost / won: images "
        "that only Keras / only this precision classifies correctly. p: exact McNemar test. Δp: "
        f"absolute difference in p_male. TensorFlow.js {markdown.text(javascript.version)} "
        f"({markdown.text(javascript.backend)}, in Node) classified {javascript.num_images} of "
        "these images; it is compared with Keras, and with TensorFlow using the same quantised "
        "weights."
    )


def _latencies(run: Run, export: ExportResult) -> list[str]:
    """Return the latency of TensorFlow, of Node and of the browser's backends."""
    latency = run.latency_of(export.trial)
    lines = [f"TensorFlow, float32: p50 {latency.float32.p50_ms:.0f} ms"] if latency else []
    javascript = export.written.javascript
    lines.append(
        f"TensorFlow.js in Node ({markdown.text(javascript.backend)}, while other precisions were "
        f"measured at the same time): {milliseconds(javascript.values_s)}"
    )
    if run.page and run.page.digest == export.digest:
        lines += [
            f"Web page in {markdown.text(f'{run.page.browser}, {row.title}')}: "
            f"{milliseconds(row.values_s)}"
            for row in run.page.timings
        ]
    else:
        lines.append("Web page in a browser: not measured; `make page-latency` measures it")
    return lines
