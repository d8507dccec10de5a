"""The second half of the page: machine, data, parameters, each trial, how to reproduce.

In: a Run. Out: Markdown sections for gfr/report.py. Pure, like it.
"""

import pandas as pd

from gfr import markup
from gfr.data.records import SPLITS
from gfr.evaluation.statistics import wilson
from gfr.measurement.latency import MAX_ATTEMPTS, MAX_OTHERS_SHARE, Samples
from gfr.results import export_records
from gfr.results.export_records import ExportResult
from gfr.results.records import Run, TrialResult
from gfr.summary import PERCENTS, Stage, stages, workers

LATENCY_BUDGET_S = 600


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table of cells that are text already."""
    return pd.DataFrame(rows, columns=header).to_markdown(index=False, disable_numparse=True)


def latency(run: Run) -> str:
    """What tells a quiet machine from a busy one, a row a graph and precision."""
    rows = []
    for found in run.latencies.values():
        for timing in found.timings:
            single = timing.single
            rows.append(
                [
                    found.feature_set.title,
                    timing.precision,
                    *(_quantile_ms(single, percent) for percent in PERCENTS),
                    f"{1000 * min(single.values_s):.1f}",
                    f"{1000 * single.iqr_s:.1f}",
                    f"{1000 * single.cpu_per_call_s:.1f}",
                    str(len(single.values_s)),
                    f"{found.num_test_images / timing.inference_s:.0f}",
                    f"{1000 * timing.first_call_s:.0f}",
                    f"{timing.build_s:.1f}",
                    f"{max(single.others_share, timing.batches.others_share):.0%}",
                    f"{timing.max_difference:.0e}",
                    "contended" if timing.is_contended else "",
                ]
            )
    if not rows:
        return ""
    header = ["Model", "Precision", *(f"p{percent}" for percent in PERCENTS)]
    header += [
        "min",
        "IQR",
        "CPU",
        "calls",
        "images/s",
        "first call",
        "load (s)",
        "others",
        "p off",
        "",
    ]
    return (
        "## Latency\n\n"
        "Milliseconds a call on one image, alone on the machine, after warm-up; in brackets 95 % "
        "order-statistic intervals. CPU: of the process itself, all threads, a call. images/s: in "
        "batches over the test set. others: share of the machine in the hands of other processes; "
        f"a row above {MAX_OTHERS_SHARE:.0%} is measured again, at most {MAX_ATTEMPTS} times in "
        "all, and else marked. p off: the timed model's largest difference from a probability that "
        f"the trial recorded, over the test set.{_about_latency(run)}\n\n{table(header, rows)}"
    )


def _about_latency(run: Run) -> str:
    """What the table leaves empty, and why a float32 model answers otherwise than its trial."""
    timings = [timing for found in run.latencies.values() for timing in found.timings]
    said = []
    if any(timing.single.interval_s(99) is None for timing in timings):
        said.append("p99 is left out where there were too few calls to enclose it.")
    if any(row.features.precision != "float32" for row in run.trials):
        said.append(
            "Where a trial's head was trained on features in bfloat16, the float32 model rounds "
            "otherwise and is off by that."
        )
    return "".join(f" {sentence}" for sentence in said)


def _quantile_ms(single: Samples, percent: int) -> str:
    """`36.1 [35.2, 37.0]`; nothing for a 99th percentile that too few calls cannot enclose."""
    interval_s = single.interval_s(percent)
    value = f"{1000 * single.percentile_s(percent):.1f}"
    if interval_s is None:
        return "" if percent == 99 else value
    low, high = (f"{1000 * bound:.1f}" for bound in interval_s)
    return f"{value} [{low}, {high}]"


def export(run: Run) -> str:
    """The selected model for the browser: what each precision costs, and what was exported."""
    found = run.export
    if found is None:
        lacks = run.selection and run.record.benchmark.export.precisions
        words = f"Not exported; `gfr export {run.record.run_id}` does it."
        return f"## On the user's device\n\n{words}" if lacks else ""
    keras, recorded = (
        f"{num_right / found.num_images:.3f} ({num_right:,} of {found.num_images:,} images)"
        for num_right in (found.keras_right, found.recorded_right)
    )
    computed = run.result_of(found.trial.id).features.precision
    features = "" if computed == "float32" else f", from features in {computed}"
    return (
        f"## On the user's device\n\n**{found.trial.title}** in TensorFlow.js, "
        f"{found.written.num_bytes / 1e6:.1f} MB in {found.precision}: `gfr serve "
        f"{found.run_id}` shows it on a page. Test accuracy of the fused Keras model in float32: "
        f"{keras}; of the trial itself{features}: {recorded}.\n\n{_precisions(found)}\n\n"
        f"{_why(found)}\n\n{_latencies(run, found)}"
    )


def _latencies(run: Run, export: ExportResult) -> str:
    """One image here and there: the server's graph, Node, the browser's backends."""
    latency = run.latency_of(export.trial)
    lines = [] if latency is None else [f"TensorFlow, float32: p50 {latency.float32.p50_ms:.0f} ms"]
    spoken = export.written.javascript
    in_node = export_records.milliseconds(spoken.values_s)
    lines.append(f"TensorFlow.js in Node, {markup.text(spoken.backend)}, two at a time: {in_node}")
    if run.page and run.page.digest == export.digest:
        lines += [
            f"the page in {markup.text(f'{run.page.browser}, {row.title}')}: "
            f"{export_records.milliseconds(row.values_s)}"
            for row in run.page.timings
        ]
    else:
        lines.append("the page in a browser: not measured (`make page-latency`)")
    return "One image at a time:\n\n" + "\n".join(f"- {line}" for line in lines)


def _precisions(export: ExportResult) -> str:
    rows = []
    for row in export.models:
        low, high = wilson(row.num_right, row.num_images)
        spoken = row.javascript
        rows.append(
            [
                f"**{row.precision}**" if row.precision == export.precision else row.precision,
                f"{row.num_bytes / 1e6:.1f}",
                f"{row.num_right / row.num_images:.3f} [{low:.3f}, {high:.3f}]",
                f"{row.only_keras_right} / {row.only_this_right}",
                f"{row.p_value:.2f}",
                f"{row.max_difference:.1e}",
                f"{row.mean_difference:.1e}",
                f"{spoken.from_keras:.1e}",
                f"{spoken.from_graph:.1e}",
            ]
        )
    header = ["Precision", "MB", "Test Accuracy", "lost / won", "p", "max Δp", "mean Δp"]
    header += ["JavaScript: max Δp", "from the same weights"]
    return table(header, rows)


def _why(export: ExportResult) -> str:
    """What the columns mean and why the bold precision was written."""
    spoken = export.written.javascript
    why = (
        "asked for by name"
        if export.is_asked_for
        else f"the smallest whose probabilities stay within {export_records.MAX_DIFFERENCE:g} and whose "
        f"answers cannot be told apart (p >= {export_records.MIN_P_VALUE:g})"
        if export.written.is_faithful
        else "the closest: none stays within the limits"
    )
    return (
        f"In bold what was exported: {why}. Test set of {export.num_images:,} images against the "
        "fused Keras model in float32; lost / won: images that only Keras or only this precision "
        "gets right, p: exact McNemar test; Δp: difference of p_male. JavaScript: "
        f"{spoken.num_images} of these images in TensorFlow.js {markup.text(spoken.version)} "
        f"({markup.text(spoken.backend)}, "
        "in Node), against Keras and against TensorFlow with the same weights."
    )


def hardware(run: Run) -> str:
    """CPU, memory and GPUs of the machine that ran it."""
    found = run.record.hardware
    gigabytes = 1e9
    rows = [
        ["CPU", markup.text(found.cpu_model)],
        ["Architecture", markup.text(found.cpu_architecture)],
        ["Cores / threads", f"{found.cpu_physical_cores or 'unknown'} / {found.cpu_threads}"],
        ["CPU features", markup.text(", ".join(found.cpu_flags)) or "no AVX2"],
        ["Memory, total", f"{found.memory_total_bytes / gigabytes:.2f} GB"],
        ["Memory, available at the start", f"{found.memory_available_bytes / gigabytes:.2f} GB"],
        ["Load at the start", f"{found.cpu_load:.2f} (1-minute average)"],
        ["GPU", "" if found.gpus else markup.text(found.gpu_note)],
    ]
    for number, gpu in enumerate(found.gpus, 1):
        known = gpu.utilization is not None
        busy = f"{gpu.utilization:.0%} busy" if known else "utilisation unknown"
        memory = (
            f"{gpu.memory_total_bytes / gigabytes:.2f} GB "
            f"({gpu.memory_used_bytes / gigabytes:.2f} used, "
            f"{gpu.memory_free_bytes / gigabytes:.2f} free)"
        )
        what = f"{markup.text(gpu.name)}, driver {markup.text(gpu.driver)}"
        rows.append([f"GPU {number}", f"{what}, memory {memory}, {busy}"])
    machine = table(["", ""], [row for row in rows if row[1]])
    return f"## Hardware specifications\n\n{machine}{_workers(run)}"


def _workers(run: Run) -> str:
    """Nothing where the run's own process did everything."""
    found = workers(run)
    if len(found) < 2:
        return ""
    rows = [
        [
            markup.text(row.name),
            markup.text(row.cpu_model),
            f"{row.num_images:,}",
            str(row.num_heads),
        ]
        for row in found
    ]
    header = ["Worker (machine/process)", "CPU", "Images through backbones", "Heads trained"]
    return (
        "\n\nFeatures and heads were computed by the workers below; latency was measured on the "
        f"machine above alone.\n\n{table(header, rows)}"
    )


def dataset(run: Run) -> str:
    """Class counts of each split."""
    split = run.record.split
    rows = []
    for name in SPLITS:
        male, female = split.num_male[name], split.num_female[name]
        share = male / (male + female)
        rows.append([name, f"{male:,}", f"{female:,}", f"{male + female:,}", f"{share:.1%}"])
    counts = table(["Split", "male", "female", "images", "share male"], rows)
    return f"## Dataset\n\n{counts}"


def parameters(run: Run) -> str:
    """What the iterations differ in, and what they share."""
    benchmark = run.record.benchmark
    scalings = {row.label: row.scaling for row in benchmark.backbone}
    shared = {
        "Backbone": "frozen, BatchNorm in inference mode, features computed once",
        "Scaling": ", ".join(f"{label}: {scaling}" for label, scaling in scalings.items()),
        "Head": "GlobalAveragePooling2D, Dense(128, relu), Dense(1, sigmoid)",
        "Optimizer, loss": "Adam at Keras' default rate, binary cross-entropy",
        "Batch size": str(benchmark.training.batch_size),
        "Seed": str(benchmark.seed),
        "Precision of the features": f"{benchmark.features.precision} asked for",
    }
    rows = [
        [
            str(row.number),
            "{} x {}".format(*row.size),
            str(row.epochs),
            "({}, {}, 3)".format(*row.size) if row.input == "fixed" else "any size",
        ]
        for row in benchmark.iteration
    ]
    header = ["Iteration", "Image size, height x width", "Epochs", "Backbone input"]
    facts = "\n".join(f"- {name}: {value}" for name, value in shared.items())
    return f"## Parameters\n\n{table(header, rows)}\n\n{facts}{_prefixes(run)}"


def _prefixes(run: Run) -> str:
    """Iterations that differ in epochs alone: one is the beginning of the other."""
    rows = run.record.benchmark.iteration
    pairs = [
        f"Iteration {a.number} is the first {a.epochs} epochs of iteration {b.number}: the two are "
        "not independent."
        for a in rows
        for b in rows
        if (a.size, a.input, a.backbones) == (b.size, b.input, b.backbones) and a.epochs < b.epochs
    ]
    return "".join(f"\n- {pair}" for pair in pairs)


def trial(result: TrialResult, figures: str) -> str:
    """One trial: the three splits and its two figures."""
    rows = [
        [name, f"{found.accuracy:.3f}", f"{found.loss:.3f}", f"{found.num_images:,}"]
        for name, found in ((name, result.metrics[name]) for name in SPLITS)
    ]
    note = f"\n\n{markup.text(result.features.note)}" if result.features.note else ""
    name = result.trial.id
    return (
        f"## {result.trial.title}{note}\n\n{table(['', 'Accuracy', 'Loss', 'n'], rows)}\n\n"
        f"![Learning curves of {result.trial.title}]({figures}/{name}-curves.png)\n\n"
        f"![Confusion matrix of {result.trial.title}]({figures}/{name}-confusion.png)"
    )


def reproduce(run: Run) -> str:
    """Everything that decides the numbers, and what each stage cost."""
    record = run.record
    made = record.provenance
    changed = ", with uncommitted changes" if made.git_dirty else ""
    facts = {
        "Commit": f"{made.git_commit}{changed}",
        "Lock, SHA-256": made.lock_sha256,
        "Data, SHA-256": record.data.digest,
        **{f"Weights of {row.backbone}, SHA-256": row.sha256 for row in record.weights},
        "Versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
        "Python": f"{made.python} on {made.platform}",
        "Begun": record.created_utc,
    }
    told = (f"- {markup.text(f'{name}: {value}')}" for name, value in facts.items())
    lines = "\n".join([f"- Command: {markup.code(record.command)}", *told])
    header = ["Stage", "", "Wall (s)", "CPU (s)", "Peak memory (GB)"]
    timed_s = sum(row.cost.wall_s for row in run.latencies.values())
    lines += (
        f"\n- Latency protocol: {timed_s:.0f} s of a budget of {LATENCY_BUDGET_S} s; models timed: "
        f"{len(run.latencies)}"
    )
    if run.export:
        lines += f"\n- Export: {run.export.wall_s:.0f} s"
    return f"## Reproduce\n\n{lines}\n\n{table(header, list(map(_stage_row, stages(run))))}"


def _stage_row(stage: Stage) -> list[str]:
    memory = f"{stage.cost.peak_memory_bytes / 1e9:.2f}"
    return [stage.name, stage.did, f"{stage.cost.wall_s:.1f}", f"{stage.cost.cpu_s:.1f}", memory]
