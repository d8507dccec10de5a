"""References: classifiers that were not trained here, on the same images with the same tests."""

from collections.abc import Iterator
from dataclasses import replace

from gfr.config import references as config_references
from gfr.config import scaling as config_scaling
from gfr.evaluation.references import Scores
from gfr.evaluation.statistics import ALPHA
from gfr.report import facts, markdown
from gfr.report.formatting import CONTENDED, points, rate, title, with_interval
from gfr.report.section import Block, Report, Section, Table
from gfr.results import reference_analysis
from gfr.results.records import Run
from gfr.results.reference_records import ReferenceResult, Tried

_NONE = "-"
_NUM_SHOWN = 3  # other ways to use a reference that a warning names


def section(report: Report) -> Section | None:
    """Return the references with their tests against every trial; None without any."""
    run = report.run
    if not run.references:
        return None
    results = list(reference_analysis.answered(run).values())
    blocks: list[Block] = [_introduction(report)]
    if results:
        blocks += [
            Table.of([_row(row) for row in results]),
            _notes(run),
            Table.of([_origin(row) for row in results]),
        ]
    blocks.append(markdown.bullets(list(_problems(run))))
    if report.analysis.versus:
        blocks += [Table.of(_tests(report)), _test_notes(report)]
    blocks.append(_subgroups(report))
    blocks += _tried(results)
    return Section("references", "References", blocks)


def _introduction(report: Report) -> str:
    better = facts.better_references(report.run, report.analysis.versus)
    text = (
        "Classifiers that were not trained here, on the same test images. They are evaluated after "
        "the selection and never selected. What a reference was trained on is unknown unless "
        "stated, so it may have seen these images."
    )
    return f"**{markdown.text(better)}** {text}" if better else text


def _row(result: ReferenceResult) -> dict[str, str]:
    test, timed = result.metrics["test"], result.latency
    mark = f" {CONTENDED}" if timed and timed.is_contended else ""
    found, found_95 = test.accuracy_found, test.interval_found
    ours, theirs = (
        (facts.milliseconds_95(row, 50) + mark for row in (timed.single, timed.selected))
        if timed
        else (_NONE, _NONE)
    )
    return {
        "Reference": result.label,
        "Correct": f"{test.num_right:,} of {test.num_images:,}",
        "Test accuracy": with_interval(test.accuracy, test.interval),
        "Accuracy without misses": with_interval(found, found_95) if found is not None else _NONE,
        "Misses": f"{test.num_missing:,}",
        "Female predicted as male": rate(test.female_as_male, test.female_as_female),
        "Male predicted as female": rate(test.male_as_female, test.male_as_male),
        "Loss": _NONE if test.loss is None else f"{test.loss:.3f}",
        "ECE": _NONE if test.expected_error is None else f"{test.expected_error:.3f}",
        "Size (MB)": f"{result.num_bytes / 1e6:.2f}" if result.reference.file else _NONE,
        "p50, in turn (ms)": ours,
        "p50 of the selected model (ms)": theirs,
    }


def _notes(run: Run) -> str:
    text = (
        "Test accuracy: an image without an answer (a miss) is wrong; intervals are Wilson "
        "intervals. Loss and calibration error (ECE) are over the images with an answer, and only "
        "of references that give probabilities. p50: one image, from decoded pixels to the answer, "
        "in turn with the selected model in the same process. Size: of all files of the reference."
    )
    timed = [row.latency for row in run.references.values() if row.latency]
    if any(row.is_contended for row in timed):
        text += f" {CONTENDED} Contended: measured under background load."
    return text


def _origin(result: ReferenceResult) -> dict[str, str]:
    reference, used = result.reference, result.used
    runtime = f"{result.runtime} {result.runtime_version}".strip() or "answers in a CSV file"
    return {
        "Reference": result.label,
        "Runtime": markdown.text(runtime),
        "Used": markdown.text(used.title) if used else _NONE,
        "Output": config_references.OUTPUTS[reference.p_male] if reference.file else _NONE,
        "Threshold": f"{reference.threshold:g}",
        "Trained on": markdown.text(reference.trained_on) or "unknown",
        "License": markdown.text(reference.license) or "unknown",
        "Source": markdown.text(reference.source) or "unknown",
    }


def _problems(run: Run) -> Iterator[str]:
    """Name the references that failed, were not timed, or are probably not used as meant."""
    for label, result in run.references.items():
        if result.reason:
            yield f"**{label} failed**: {markdown.text(result.reason)}"
        if result.latency_reason:
            yield f"{label} was not timed: {markdown.text(result.latency_reason)}"
        yield from (f"{label}: {markdown.text(note)}" for note in result.notes)
        if result.warnings:
            yield f"**Warning, {label}**: {markdown.text(warning(result))}"


def warning(result: ReferenceResult) -> str:
    """Say what is suspicious, the usual causes, and which other ways are better on validation."""
    used, now = result.used, result.metrics["validation"]
    text = f"on the validation images, {'; '.join(result.warnings)}."
    text += (
        " Usual causes: the scaling of pixels, the polarity of the output, the order of channels."
        if used and used.scaling
        else " The usual cause is inverted polarity."
    )
    scored = [row for row in result.attempts if row.scores]
    better = [row for row in scored if row.scores and row.scores.num_right > now.num_right]
    better.sort(key=lambda row: row.rank)
    if not better:
        return f"{text} None of {len(scored)} other ways that were tried is better."
    ways = [
        f"{_way(row)} ({row.scores.num_right:,} of {row.scores.num_images:,} correct)"
        for row in better[:_NUM_SHOWN]
        if row.scores
    ]
    return (
        f"{text} It has {now.num_right:,} of {now.num_images:,} correct; the best of "
        f"{len(scored)} other ways that were tried: {', '.join(ways)}. None of them is used: "
        "change its row in the benchmark file and start a new run."
    )


def _way(tried: Tried) -> str:
    """`scaling none-bgr: BGR, pixels as they are, 0..255`."""
    if isinstance(tried.scaling, str) and tried.scaling:
        return f"{tried.title}: {config_scaling.words(tried.scaling)}"
    return tried.title


def _tests(report: Report) -> list[dict[str, str]]:
    run = report.run
    selected = run.selection.trial_id if run.selection else ""
    return [
        {
            "Reference": row.label,
            "Trial": title(run, row.trial_id) + (" (selected)" if row.trial_id == selected else ""),
            "Reference minus trial (points)": points(row.difference, row.low, row.high),
            "Only reference correct": f"{row.only_reference_right:,}",
            "Only trial correct": f"{row.only_trial_right:,}",
            "Different answers": f"{row.num_other_answers:,}",
            "p": f"{row.p_value:.2g}",
            "p (Holm)": f"{row.p_holm:.2g}",
            "Significant": "yes" if row.is_significant else "**no**",
        }
        for row in report.analysis.versus
    ]


def _test_notes(report: Report) -> str:
    return (
        "p: exact McNemar test on the same test images, with the trials' heads of the benchmark's "
        f"seed. p (Holm): adjusted for {len(report.analysis.versus)} comparisons; a difference is "
        f"significant below {ALPHA:g}. Intervals: paired bootstrap over images, not adjusted. "
        "Different answers: images that both classify, and differently."
    )


def _subgroups(report: Report) -> str:
    """Name the attributes with which each reference is significantly better or worse."""
    lines = []
    for label, found in report.analysis.reference_subgroups.items():
        gaps = [row for row in found.gaps if row.p_within_sex_holm < ALPHA]
        names = ", ".join(
            f"{markdown.text(row.attribute)} ({points(row.difference, row.low, row.high)} points)"
            for row in gaps
        )
        if found.gaps:
            lines.append(f"{label}: {names or 'none'}")
    if not lines:
        return ""
    return (
        "Attributes with and without which a reference's accuracy differs significantly within "
        f"each sex (Mantel-Haenszel test, Holm):\n\n{markdown.bullets(lines)}"
    )


def _tried(results: list[ReferenceResult]) -> Iterator[Block]:
    """Everything that was tried on the validation images."""
    rows = [
        _tried_row(result, row, "yes" if row is result.used else "no")
        for result in results
        for row in result.tried
    ]
    others = [
        _tried_row(result, row, "no, a suggestion") for result in results for row in result.attempts
    ]
    if rows + others:
        yield replace(Table.of([*rows, *others]), title="Tried on the validation images")


def _tried_row(result: ReferenceResult, row: Tried, is_used: str) -> dict[str, str]:
    scores: Scores | None = row.scores
    right = f"{scores.num_right:,} of {scores.num_images:,}" if scores else _NONE
    return {
        "Reference": result.label,
        "Scaling and crop, or CSV file": markdown.text(row.title) or _NONE,
        "Used": is_used,
        "Correct": right,
        "Accuracy": with_interval(scores.accuracy, scores.interval)
        if scores
        else f"failed: {markdown.text(row.reason)}",
        "Misses": f"{scores.num_missing:,}" if scores else _NONE,
        "Loss": f"{scores.loss:.3f}" if scores and scores.loss is not None else _NONE,
    }
