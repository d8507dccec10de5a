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
    counts = export.keras_right, export.recorded_right, export.written.num_right
    keras, recorded, exported = (
        f"{num_right / export.num_images:.3f} ({num_right:,} of {export.num_images:,} images)"
        for num_right in counts
    )
    precision = run.result_of(export.trial.id).features.precision
    features = "" if precision == "float32" else f" ({precision} features)"
    return (
        f"**{export.trial.title}** was exported to TensorFlow.js with {export.precision} weights "
        f"({export.written.num_bytes / 1e6:.1f} MB). To try it in a browser: `gfr serve "
        f"{export.run_id}`. Test accuracy: {keras} for the fused Keras model (backbone and head in "
        f"one, float32); {recorded} for the trial itself{features}; {exported} for the exported "
        "files."
    )


def _row(model: WebModel, export: ExportResult) -> dict[str, str]:
    is_written, found = model.precision == export.precision, model.chosen_by
    interval = wilson(found.num_right, found.num_images)
    accuracy = with_interval(found.num_right / found.num_images, interval)
    split = "Validation" if model.validation else "Test"
    return {
        "Precision": f"**{model.precision}**" if is_written else model.precision,
        "Size (MB)": f"{model.num_bytes / 1e6:.1f}",
        f"{split} accuracy": accuracy,
        "Lost / won": f"{found.only_keras_right} / {found.only_this_right}",
        "p": f"{found.p_value:.2f}",
        "Max Δp": f"{found.max_difference:.1e}",
        "Mean Δp": f"{found.mean_difference:.1e}",
        "Max Δp, TensorFlow.js vs Keras": f"{model.javascript.from_keras:.1e}",
        "Max Δp, TensorFlow.js vs TensorFlow": f"{model.javascript.from_graph:.1e}",
    }


def _notes(export: ExportResult) -> str:
    """Explain the columns and the choice of the precision."""
    javascript, validation = export.written.javascript, export.written.validation
    images = f"{export.num_images:,} test"
    if validation:
        images = f"{validation.num_images:,} validation"
    why = "the closest one, because none is within the limits"
    if export.is_asked_for:
        why = "requested by name"
    elif export.written.is_faithful:
        why = (
            f"the smallest one whose probabilities differ from Keras by at most {MAX_DIFFERENCE:g}"
            f" and whose classifications do not differ significantly (p >= {MIN_P_VALUE:g})"
        )
    return (
        f"The exported precision is in bold: {why}. Each precision is compared with the fused "
        f"Keras model in float32 on the {images} images. Lost / won: images "
        "that only Keras / only this precision classifies correctly. p: exact McNemar test. Δp: "
        f"absolute difference in p_male. TensorFlow.js {markdown.text(javascript.version)} "
        f"({markdown.text(javascript.backend)}, in Node) classified {javascript.num_images} "
        "test images; it is compared with Keras, and with TensorFlow using the same quantised "
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
