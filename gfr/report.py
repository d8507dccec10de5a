"""A run as the page that people read.

In: a Run, the published numbers if they apply, where the figures are. Out: Markdown. Pure: every
sentence and every number follows from the records; nothing is measured, nothing is written, no
TensorFlow is imported.
"""

import pandas as pd

from gfr import markup, report_energy, report_published, summary
from gfr import report_details as details
from gfr import report_evidence as evidence
from gfr.analysis import Analysis
from gfr.evaluation.metrics import constant_answer
from gfr.measurement.latency import LatencyResult
from gfr.published import Published
from gfr.results import regression_records
from gfr.results.records import Run, TrialResult
from gfr.types import SPLITS

_RANDOM, _UNGATED, _CONTENDED = evidence.RANDOM, "‡", "‖"


def render(run: Run, analysis: Analysis, published: Published | None, figures: str) -> str:
    """Markdown of `summary.md`; `figures` is the folder of the figures as the page refers to it."""
    sections = [
        _verdict(run, analysis),
        _comparison(run, analysis),
        _scatter(run, figures),
        evidence.comparison(run, analysis),
        _selection(run, analysis),
        report_published.section(run, published),
        regression_records.section(run.verdict, figures),
        evidence.errors(run, analysis),
        evidence.subgroups(run, analysis),
        evidence.repetitions(run, analysis),
        evidence.learning(run, analysis),
        evidence.images(run, analysis),
        details.latency(run),
        details.export(run),
        details.hardware(run),
        details.dataset(run),
        details.parameters(run),
        *(details.trial(result, figures) for result in run.trials),
        report_energy.section(run),
        details.reproduce(run),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _scatter(run: Run, figures: str) -> str:
    name = "Test accuracy against latency of one image"
    return f"![{name}]({figures}/accuracy-latency.png)" if run.latencies else ""


def _verdict(run: Run, analysis: Analysis) -> str:
    record = run.record
    lines = [f"# gfr: {record.benchmark.name}, run {record.run_id}", ""]
    selected = summary.selected_trial(run)
    if selected is None:
        lines.append("**No model is selected**: the run has not finished.")
    else:
        latency = run.latency_of(selected.trial)
        speed = f", {_p50(run, latency)}" if latency else ""
        line = (
            f"**{evidence.title(run, selected.trial.id)}** is selected: "
            f"{accuracy(selected, 'test')}{_over_seeds(analysis, selected)}{speed}. "
            f"{_weakness(run, selected)}{evidence.equals(run, analysis)}".rstrip()
        )
        lines.append(line + (f" {_RANDOM} random weights." if _RANDOM in line else ""))
    caveats = summary.caveats(run)
    told = [(markup.text(row.text), row.is_serious) for row in caveats]
    lines += ["", *(f"- **{text}**" if is_serious else f"- {text}" for text, is_serious in told)]
    return "\n".join(lines)


def _weakness(run: Run, selected: TrialResult) -> str:
    if run.is_better_than_majority(selected):
        return ""
    share = f"{100 * run.record.split.majority_share:.1f} %"
    return f"**It is not shown to be better than the majority class** ({share}; 95 % interval). "


def accuracy(result: TrialResult, split: str) -> str:
    """`test accuracy 90.6 % [88.6, 92.3] (n = 1,000)`, the interval being Wilson's at 95 %."""
    found = result.metrics[split]
    low, high = found.interval
    return (
        f"{split} accuracy {100 * found.accuracy:.1f} % [{100 * low:.1f}, {100 * high:.1f}] "
        f"(n = {found.num_images:,})"
    )


def _over_seeds(analysis: Analysis, result: TrialResult) -> str:
    """`, 89.5 % (88.5 to 90.5) over 5 seeds`; nothing of a single one."""
    found = analysis.studies[result.trial.id].seeds
    if found.num < 2:
        return ""
    least, most = 100 * found.least, 100 * found.most
    return f", {100 * found.mean:.1f} % ({least:.1f} to {most:.1f}) over {found.num} seeds"


def _p50(run: Run, latency: LatencyResult) -> str:
    """`p50 54.5 ms [53.8, 54.9] an image in float32 (batch 1, 100 calls, CPU)`."""
    device = "" if run.record.hardware.gpus else ", CPU"
    single = latency.float32.single
    bounds = single.interval_s(50)
    interval = f" [{1000 * bounds[0]:.1f}, {1000 * bounds[1]:.1f}]" if bounds else ""
    contended = ", CONTENDED" if latency.float32.is_contended else ""
    return (
        f"p50 {1000 * single.percentile_s(50):.1f} ms{interval} an image in float32 "
        f"(batch 1, {len(single.values_s)} calls{device}{contended})"
    )


_FASTER = "p50, bfloat16 (ms)"

# Column, how it is printed, whether more is better.
_COLUMNS: tuple[tuple[str, str, bool], ...] = (
    ("Test Accuracy", "{:.3f}", True),
    ("Test Loss", "{:.3f}", False),
    ("Inference Time (s)", "{:.2f}", False),
    ("p50 (ms)", "{:.1f}", False),
    (_FASTER, "{:.1f}", False),
    ("Training Accuracy", "{:.3f}", True),
    ("Training Loss", "{:.3f}", False),
    ("Validation Accuracy", "{:.3f}", True),
    ("Validation Loss", "{:.3f}", False),
    ("Parameters (M)", "{:.1f}", False),
    ("Size (MB)", "{:.0f}", False),
)


def numbers(run: Run) -> pd.DataFrame:
    """One row a finished trial, by trial id; NaN where a model could not be timed.

    Without the column of bfloat16 latencies where none was measured.
    """
    rows = {}
    for result in run.trials:
        latency, found = run.latency_of(result.trial), result.metrics
        faster = latency and latency.accelerated
        timed = (
            (latency.float32.inference_s, latency.float32.p50_ms)
            + (faster.p50_ms if faster else float("nan"),)
            + (latency.num_parameters / 1e6, latency.size_bytes / 1e6)
            if latency
            else (float("nan"),) * 5
        )
        rows[result.trial.id] = (
            *(found["test"].accuracy, found["test"].loss, *timed[:3]),
            *(found["train"].accuracy, found["train"].loss),
            *(found["validation"].accuracy, found["validation"].loss, *timed[3:]),
        )
    names = [name for name, _, _ in _COLUMNS]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return table.drop(columns=_FASTER) if table[_FASTER].isna().all() else table


def _comparison(run: Run, analysis: Analysis) -> str:
    table = numbers(run)
    printed = table.copy().astype(object)
    for name, form, more_is_better in _COLUMNS:
        if name not in table:
            continue
        best = table[name].max() if more_is_better else table[name].min()
        cells = [
            "-"
            if pd.isna(value)
            else f"**{form.format(value)}**"
            if value == best
            else form.format(value)
            for value in table[name]
        ]
        printed[name] = cells
    _mark_contended(run, printed)
    _insert_intervals(run, analysis, printed)
    rows: list[list[str]] = []
    for backbone in run.record.benchmark.backbone:
        is_random = run.record.weights_of(backbone.label).source == "random"
        mark = f" {_RANDOM}" if is_random else ""
        mark += f" {_UNGATED}" if summary.is_ungated(run, backbone.label) else ""
        rows.append([f"**{backbone.label}**{mark}", *[""] * len(printed.columns)])
        rows += _backbone_rows(run, backbone.label, printed)
    rows.append(_majority_row(run, list(printed.columns)))
    text = pd.DataFrame(rows, columns=["Model", *printed.columns]).to_markdown(
        index=False, disable_numparse=True, colalign=("left", *["right"] * len(printed.columns))
    )
    return "\n\n".join(["## Comparison", text, *_comparison_notes(run)])


def _mark_contended(run: Run, printed: pd.DataFrame) -> None:
    """What was timed while other processes took their share."""
    found = [run.latency_of(row.trial) for row in run.trials]
    marks = [f" {_CONTENDED}" if row and row.is_contended else "" for row in found]
    for name in ("Inference Time (s)", "p50 (ms)", _FASTER):
        if name in printed:
            printed[name] = [
                str(cell) + mark for cell, mark in zip(printed[name], marks, strict=True)
            ]


def _insert_intervals(run: Run, analysis: Analysis, printed: pd.DataFrame) -> None:
    """Beside the test accuracy: its interval, and what other seeds make of it."""
    bounds = [row.metrics["test"].interval for row in run.trials]
    printed.insert(1, "95 %", [f"[{low:.3f}, {high:.3f}]" for low, high in bounds])
    spreads = [analysis.studies[row.trial.id].seeds for row in run.trials]
    num_seeds = max((row.num for row in spreads), default=1)
    if num_seeds > 1:
        printed.insert(2, f"{num_seeds} seeds", [evidence.spread(row) for row in spreads])


def _backbone_rows(run: Run, label: str, printed: pd.DataFrame) -> list[list[str]]:
    selected = run.selection.trial_id if run.selection else None
    rows = []
    for trial in run.record.benchmark.trials:
        if trial.backbone.label != label:
            continue
        name = f"- Iteration {trial.iteration.number}"
        if trial.id in printed.index:
            mark = " (selected)" if trial.id == selected else ""
            rows.append([name + mark, *printed.loc[trial.id]])
        else:
            rows.append([f"{name}: failed", *["-"] * len(printed.columns)])
    return rows


def _majority_row(run: Run, columns: list[str]) -> list[str]:
    cells = dict.fromkeys(columns, "")
    split = run.record.split
    for name in SPLITS:
        title = {"train": "Training"}.get(name, name.capitalize())
        found = constant_answer(split.num_male, split.num_female, name)
        cells[f"{title} Accuracy"], cells[f"{title} Loss"] = (f"{value:.3f}" for value in found)
    return ["Majority class", *cells.values()]


def _comparison_notes(run: Run) -> list[str]:
    has_seeds = any(len(row.over_seeds("test")) > 1 for row in run.trials)
    seeds = "; seeds: mean (lowest to highest)" if has_seeds else ""
    notes = [
        f"Best of each column in bold. Accuracies and losses: the head of seed "
        f"{run.record.benchmark.seed}; 95 %: Wilson's interval{seeds}. "
        f"Inference Time: the whole test set in batches of {run.batch_sizes}, from decoded pixels "
        "to probability; p50: one image; iterations on one model share their times; float32 graphs "
        "unless said otherwise. Size: parameters in float32. Majority class: always the answer "
        "that is more frequent in training, with its training share as probability."
    ]
    if any(row.source == "random" for row in run.record.weights):
        notes.append(
            f"{_RANDOM} Random weights: these rows say nothing about the backbone with ImageNet "
            "weights and cannot be compared with rows that have them."
        )
    if any(summary.is_ungated(run, row.label) for row in run.record.benchmark.backbone):
        notes.append(f"{_UNGATED} bfloat16 features, {summary.GATE_NOT_RUN}.")
    notes += [f"Features of {markup.text(line)}." for line in summary.arithmetic(run)]
    if any(row.is_contended for row in run.latencies.values()):
        notes.append(f"{_CONTENDED} Contended: slower than the model by itself would be.")
    return notes + _majority_notes(run)


def _majority_notes(run: Run) -> list[str]:
    """Which trials have learnt nothing that the test could show, with this seed or another."""
    weak = [row for row in run.trials if not run.is_better_than_majority(row)]
    share = run.record.split.majority_share
    fallen = [
        row.trial.title
        for row in run.trials
        if row not in weak and min(found.accuracy for found in row.over_seeds("test")) <= share
    ]
    notes = []
    if weak:
        names = ", ".join(row.trial.title for row in weak)
        notes.append(
            f"**Not shown to be better than the majority class** (95 % interval): {names}."
        )
    elif run.trials:
        notes.append(
            f"With seed {run.record.benchmark.seed} the 95 % interval of every trial lies above "
            "the majority class."
        )
    if fallen:
        notes.append(
            f"**No better than the majority class with another seed**: {', '.join(fallen)}."
        )
    return notes


def _selection(run: Run, analysis: Analysis) -> str:
    selected = summary.selected_trial(run)
    if selected is None:
        return "## Selection\n\nNothing is selected: the run has not finished."
    study = analysis.studies[selected.trial.id]
    mean = (
        f" (mean of {study.validation_seeds.num} seeds {study.validation_seeds.mean:.3f})"
        if study.validation_seeds.num > 1
        else ""
    )
    lines = [
        "## Selection",
        "",
        f"**{evidence.title(run, selected.trial.id)}**: of {_candidates(run)} none has a higher "
        f"validation accuracy{mean}. With seed {run.record.benchmark.seed}: "
        f"{accuracy(selected, 'validation')}, {accuracy(selected, 'test')}. Ties go to the lower "
        "validation loss, then to the lower latency; the test set has no say.",
    ]
    second = summary.runner_up(run)
    if second is not None:
        lines += ["", _against(run, selected, second)]
    lines += ["", _published_rule(run, selected)]
    more = (evidence.optimism(run, analysis), evidence.front(run, analysis))
    lines += [line for text in more if text for line in ("", text)]
    if len({row.features.weights.source == "random" for row in run.trials}) > 1:
        lines += [
            "",
            "Some trials have random weights and some have not: the selection says which of these "
            "models is the most accurate, not which backbone is.",
        ]
    return "\n".join(lines)


def _candidates(run: Run) -> str:
    """`9 trials`, or those of them that the benchmark's limits allow."""
    num_trials, limits = len(run.trials), run.record.benchmark.selection
    if run.selection is None or not run.selection.beyond:
        return f"{num_trials} trials"
    words = [
        f"{value:g} {unit}"
        for value, unit in ((limits.max_latency_ms, "ms"), (limits.max_size_mb, "MB"))
        if value is not None
    ]
    num_within = num_trials - len(run.selection.beyond)
    if not num_within:
        return f"{num_trials} trials, **none of which is within {' and '.join(words)}**,"
    return f"the {num_within} of {num_trials} trials within {' and '.join(words)}"


def _against(run: Run, selected: TrialResult, second: summary.Next) -> str:
    """What the selected trial gains over the next best, and what it costs."""
    other = next(row for row in run.trials if row.trial.id == second.trial_id)
    num_images = selected.metrics["validation"].num_images
    mean = ""
    if second.ahead_95 is not None:
        low, high = second.ahead_95
        mean = f" on average over the seeds (95 % of that mean: {low:+z.1f} to {high:+z.1f})"
    gain = (
        f"{abs(second.images_ahead):g} of {num_images:,} validation images "
        f"{'ahead' if second.images_ahead > 0 else 'behind'}{mean}"
        if second.images_ahead
        else "level on accuracy"
    )
    beyond = run.selection.beyond.get(second.trial_id) if run.selection else None
    limits = f" (beyond the limits: {markup.text(beyond)})" if beyond else ""
    text = f"Next is {other.trial.title}{limits}: {selected.trial.title} is {gain}"
    if second.latency_ratio is None or second.size_ratio is None:
        return text + "."
    if selected.trial.feature_set == other.trial.feature_set:
        return text + "; both have the same backbone, image size, latency and parameters."
    return (
        text + f"; it takes {second.latency_ratio:.2f} times as long an image and "
        f"{second.size_ratio:.2f} times the space."
    )


def _published_rule(run: Run, selected: TrialResult) -> str:
    """The published project chose the highest test accuracy: say what that would have done."""
    chosen = summary.top_on_test(run)
    top = chosen[0].metrics["test"].accuracy
    names = " and ".join(row.trial.title for row in chosen)
    if chosen == [selected]:
        return f"The published rule, the highest test accuracy, chooses the same ({top:.3f})."
    if selected in chosen:
        return f"The published rule, the highest test accuracy, ties between {names} ({top:.3f})."
    ours = selected.metrics["test"].accuracy
    return (
        f"The published rule, the highest test accuracy, would choose {names} ({top:.3f} against "
        f"{ours:.3f}): the two rules disagree. Choosing on the test set flatters the chosen."
    )
