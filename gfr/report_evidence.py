"""The part of the page that holds up against a reviewer: comparisons, kinds of errors, learning.

In: a Run and its Analysis. Out: Markdown sections for gfr/report.py. Pure, like it.
"""

from collections.abc import Sequence

from gfr import markup
from gfr.analysis import ALPHA, NUM_HARD, Against, Analysis, Face, Study, cost
from gfr.data.sources import SOURCES
from gfr.evaluation.calibration import Point
from gfr.evaluation.metrics import Metrics
from gfr.evaluation.statistics import Spread, wilson
from gfr.evaluation.subgroups import LEAST_IMAGES, Gap, Rate, Subgroups
from gfr.report_details import table
from gfr.results.records import Run

NUM_GAPS = 8
LEAST_RATED = 10  # images of one sex: of fewer a rate is an anecdote
RANDOM = "†"  # random weights


def title(run: Run, trial_id: str) -> str:
    """As people read a trial, marked where its weights are random."""
    result = run.result_of(trial_id)
    return result.trial.title + (f" {RANDOM}" if result.features.weights.source == "random" else "")


def equals(run: Run, analysis: Analysis) -> str:
    """The trials that these test images cannot tell from the selected one, and how they did."""
    if not analysis.against:
        return ""
    rows = [row for row in analysis.against if not row.is_told_apart]
    if not rows:
        return "Every other trial is told apart from it on the same test images."
    names = ", ".join(f"{title(run, row.trial_id)} ({_below(row.difference)})" for row in rows)
    return f"On the same test images these cannot be told from it: {names}."


def _below(difference: float) -> str:
    """How an accuracy stands to the selected trial's, which is larger by `difference`, 0..1."""
    points = f"{100 * abs(difference):.1f}"
    if points == "0.0":
        return "level"
    return f"{points} points {'below' if difference > 0 else 'above'}"


def comparison(run: Run, analysis: Analysis) -> str:
    """Every trial against the selected one, the fastest first."""
    if not analysis.against:
        return ""
    rows = [_against(run, row) for row in analysis.against]
    has_seeds = any(row.seeds.num > 1 for row in analysis.studies.values())
    seeds = " Other seeds stand below." if has_seeds else ""
    header = ["Trial", "p50 (ms)", "MB", "selected less this, points", "only selected right"]
    header += ["only this right", "p", "p, Holm", ""]
    num_images = run.result_of(None).metrics["test"].num_images
    chosen = run.result_of(None).trial.title
    return (
        f"## As good as {chosen}?\n\n{equals(run, analysis)} The same {num_images:,} test images, "
        f"heads of seed {run.record.benchmark.seed}; the fastest first."
        f"\n\n{table(header, rows)}\n\n"
        "Test accuracy, with the 95 % interval of a paired bootstrap over images; p: exact McNemar "
        f"test. Intervals are single ones; the last p is corrected for {len(rows)} comparisons "
        f"after Holm and tells apart below {ALPHA:g}: an interval may exclude 0 all the same. What "
        f"is not told apart is not shown to be equal: more test images might tell.{seeds}"
    )


def _against(run: Run, row: Against) -> list[str]:
    p50_ms, size_mb = cost(run, run.result_of(row.trial_id))
    timed = p50_ms < float("inf")
    return [
        title(run, row.trial_id),
        f"{p50_ms:.1f}" if timed else "-",
        f"{size_mb:.0f}" if timed else "-",
        f"{100 * row.difference:+z.1f} [{100 * row.low:+z.1f}, {100 * row.high:+z.1f}]",
        str(row.only_selected_right),
        str(row.only_this_right),
        f"{row.p_value:.2g}",
        f"{row.p_holm:.2g}",
        "told apart" if row.is_told_apart else "**not told apart**",
    ]


def front(run: Run, analysis: Analysis) -> str:
    """Trials worth choosing by someone who minds latency or size."""
    if not analysis.front:
        return ""
    rows = []
    for trial_id in analysis.front:
        p50_ms, size_mb = cost(run, run.result_of(trial_id))
        mean = analysis.studies[trial_id].validation_seeds.mean
        rows.append(f"{title(run, trial_id)} ({mean:.3f}, {p50_ms:.1f} ms, {size_mb:.0f} MB)")
    return (
        "Pareto front (mean validation accuracy, p50 latency, size; no other trial is better in "
        f"one and as good in the rest): {'; '.join(rows)}. These are point estimates: a trial that "
        "misses the front by less than seeds move it is not thereby worse."
    )


def optimism(run: Run, analysis: Analysis) -> str:
    """What choosing on the test set would have flattered, for this very table."""
    if analysis.optimism is None:
        return ""
    num_images = run.result_of(None).metrics["test"].num_images
    return (
        "Choosing by the test set would flatter the chosen by "
        f"{100 * analysis.optimism.mean:.1f} points on average (bootstrap of these {num_images:,} "
        "images; up to 1.4 times that if trials differ by chance alone). The selected trial's test "
        "accuracy had no part in its selection."
    )


def errors(run: Run, analysis: Analysis) -> str:
    """Ranking, calibration and thresholds of every trial."""
    rows = [_errors(run, study) for study in analysis.studies.values()]
    if not rows:
        return ""
    split = run.record.split
    header = ["Trial", "ROC AUC", "AP", "loss", "female as male", "male as female", "ECE", "Brier"]
    header += ["T", "ECE at T", "loss at T", "threshold", "gain there, points"]
    return (
        f"## Kinds of errors\n\nTest set of {split.num_male['test']:,} men and "
        f"{split.num_female['test']:,} women, heads of seed {run.record.benchmark.seed}."
        f"\n\n{table(header, rows)}\n\n"
        "In brackets 95 % intervals: DeLong's, a bootstrap's over images for the loss, Wilson's. "
        "AP: average precision, male positive; ECE: expected calibration error, ten bins of p_male "
        "(chance alone leaves some even of a calibrated model); T: temperature fitted on "
        "validation, above 1 where the model was too sure; threshold: the most accurate on "
        "validation, and what it wins in test accuracy over 0.5, a point estimate."
    )


def _errors(run: Run, study: Study) -> list[str]:
    test = run.result_of(study.trial_id).metrics["test"]
    roc, ranked = study.roc, study.precision_recall
    area = "-"
    if roc is not None:
        bounds = "" if roc.low is None else f" [{roc.low:.3f}, {roc.high:.3f}]"
        area = f"{roc.area:.3f}{bounds}"
    low, high = study.loss_95
    best = study.choices.best
    return [
        title(run, study.trial_id),
        area,
        "-" if ranked is None else f"{ranked.average:.3f}",
        f"{test.loss:.3f} [{low:.3f}, {high:.3f}]",
        _share(test.female_as_male, test.female_as_male + test.female_as_female),
        _share(test.male_as_female, test.male_as_female + test.male_as_male),
        f"{study.calibration.expected_error:.3f}",
        f"{study.calibration.brier:.3f}",
        f"{study.temperature.value:.2f}" + (" (bound)" if study.temperature.is_bound else ""),
        f"{study.calibrated.expected_error:.3f}",
        f"{study.calibrated.loss:.3f}",
        f"{best.validation.threshold:.2f}",
        f"{100 * (best.test.accuracy - test.accuracy):+z.1f}",
    ]


def _share(num: int, num_images: int) -> str:
    """`4.1 % [3.0, 5.6]`, Wilson's interval at 95 %."""
    if not num_images:
        return "-"
    low, high = wilson(num, num_images)
    return f"{100 * num / num_images:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def thresholds(study: Study) -> str:
    """The three thresholds of one trial in a sentence."""

    def told(name: str, point: Point) -> str:
        return f"{name} {point.threshold:.2f}: test accuracy {point.accuracy:.3f}"

    found = study.choices
    parts = [told("usual", found.usual.test), told("best on validation", found.best.test)]
    if found.equal is not None:
        parts.append(told("equal error rates on validation", found.equal.test))
    return "; ".join(parts)


def subgroups(run: Run, analysis: Analysis, num_gaps: int | None = NUM_GAPS) -> str:
    """Where the selected trial errs more; what is told apart first; None shows all."""
    if run.selection is None or analysis.subgroups is None:
        return ""
    found = analysis.subgroups
    heading = f"## Subgroups of {title(run, run.selection.trial_id)}\n\n"
    if not found.gaps:
        return (
            f"{heading}No attribute has {LEAST_IMAGES} test images with it and {LEAST_IMAGES} "
            "without: nothing is compared."
        )
    header = ["Attribute", "with", "without", "accuracy with", "without", "gap, points", "p, Holm"]
    header += ["p within each sex, Holm", "female as male, with", "without", "male as female, with"]
    rows = [row for row in found.gaps if row.p_within_sex_holm < ALPHA]
    rows += [row for row in found.gaps if row not in rows][: _room(num_gaps, len(rows))]
    more = len(found.gaps) - len(rows)
    text = table([*header, "without"], [_gap(row) for row in rows])
    return (
        f"{heading}{_told_apart(found)}{f' {more} others: summary.html.' if more else ''}"
        f"\n\n{text}\n\n"
        f"p: Fisher's exact test; within each sex: Mantel and Haenszel's, which compares men with "
        f"men and women with women; both corrected for {len(found.gaps)} attributes after Holm. In "
        f"brackets 95 % intervals of Wilson and Newcombe; no rate of fewer than {LEAST_RATED} "
        f"images. {SOURCES[run.record.data.source].attribute_note}: a gap says where errors are, "
        "not why."
    )


def _room(num_gaps: int | None, num_taken: int) -> int | None:
    return None if num_gaps is None else max(0, num_gaps - num_taken)


def _told_apart(found: Subgroups) -> str:
    """Which gaps are more than chance, and which only follow the groups' shares of men."""
    within = [markup.text(row.attribute) for row in found.gaps if row.p_within_sex_holm < ALPHA]
    only_pooled = [
        markup.text(row.attribute)
        for row in found.gaps
        if row.p_holm < ALPHA <= row.p_within_sex_holm
    ]
    parts = [
        f"Told apart within each sex: {', '.join(within)}."
        if within
        else "Within each sex no gap is told apart."
    ]
    if only_pooled:
        parts.append(f"Only by the groups' shares of men: {', '.join(only_pooled)}.")
    if found.left_out:
        names = ", ".join(markup.text(row.attribute) for row in found.left_out)
        parts.append(f"Left out, fewer than {LEAST_IMAGES} images on a side: {names}.")
    return " ".join(parts)


def _gap(row: Gap) -> list[str]:
    groups = (row.having, row.lacking)
    return [
        markup.text(row.attribute),
        *(f"{group.num_images:,}" for group in groups),
        *(_rate(group.accuracy) for group in groups),
        f"{100 * row.difference:+z.1f} [{100 * row.low:+z.1f}, {100 * row.high:+z.1f}]",
        f"{row.p_holm:.2g}",
        f"{row.p_within_sex_holm:.2g}",
        *(_rate(group.false_male) for group in groups),
        *(_rate(group.false_female) for group in groups),
    ]


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.num_images < LEAST_RATED:
        return "-"
    return f"{100 * rate.share:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def repetitions(run: Run, analysis: Analysis) -> str:
    """Seeds, splits, identities and numbers of training images."""
    studies = list(analysis.studies.values())
    columns: dict[str, list[str]] = {"Trial": [title(run, row.trial_id) for row in studies]}
    if any(row.seeds.num > 1 for row in studies):
        num = max(row.seeds.num for row in studies)
        columns[f"accuracy, {num} seeds"] = [spread(row.seeds) for row in studies]
        columns[f"loss, {num} seeds"] = [spread(row.seed_losses) for row in studies]
    if any(row.splits for row in studies):
        num = max(row.splits.num for row in studies if row.splits)
        columns[f"accuracy, {num} splits"] = [
            spread(row.splits) if row.splits else "-" for row in studies
        ]
    if any(row.rule for row in studies):
        rule = run.record.benchmark.data.split
        other = "nobody in two splits" if rule == "random" else "split by image"
        columns["accuracy"] = [
            f"{run.result_of(row.trial_id).metrics['test'].accuracy:.3f}" for row in studies
        ]
        columns[other] = [_accuracy(row.rule) for row in studies]
    for place, (num_train, _) in enumerate(studies[0].sizes if studies else ()):
        columns[f"{num_train:,} to train"] = [
            f"{row.sizes[place][1].accuracy:.3f}" for row in studies if row.sizes
        ]
    if len(columns) < 2:
        return ""
    rows = list(map(list, zip(*columns.values(), strict=True)))
    seed = run.record.benchmark.seed
    return (
        f"## Seeds, splits, number of images\n\n{table(list(columns), rows)}\n\n"
        f"Test accuracy. {_about_repetitions(studies)}"
        f"Figures, paired tests and the exported model are those of seed {seed}."
    )


def _about_repetitions(studies: Sequence[Study]) -> str:
    """What the columns that are there mean."""
    has_seeds = any(row.seeds.num > 1 for row in studies)
    said = []
    if has_seeds:
        said.append(
            "Seeds set initialisation and batch order of the head: mean (lowest to highest)."
        )
    if any(row.splits for row in studies):
        said.append("Splits: other images in each part, mean (lowest to highest).")
    if any(row.rule for row in studies):
        said.append("Of the other way to split: Wilson's 95 % interval, on other test images.")
    if any(len(row.sizes) > 1 for row in studies):
        said.append(
            "Fewer training images: one head each, for as many epochs and so for fewer steps; "
            f"other seeds would move it{' as they move the first column' if has_seeds else ''}."
        )
    return "".join(f"{sentence} " for sentence in said)


def spread(found: Spread) -> str:
    """`0.894 (0.888 to 0.903)`: mean, lowest, highest; brackets are for 95 % intervals."""
    return f"{found.mean:.3f} ({found.least:.3f} to {found.most:.3f})"


def _accuracy(found: Metrics | None) -> str:
    if found is None:
        return "-"
    low, high = wilson(found.num_right, found.num_images)
    return f"{found.accuracy:.3f} [{low:.3f}, {high:.3f}]"


def learning(run: Run, analysis: Analysis) -> str:
    """Over- and under-fitting, a line a trial."""
    lines = [
        f"- {title(run, study.trial_id)} {study.learning.words}."
        for study in analysis.studies.values()
    ]
    intro = f"Curves of seed {run.record.benchmark.seed}; the test set has no part in this.\n\n"
    return "## Over- and underfitting\n\n" + intro + "\n".join(lines) if lines else ""


def images(run: Run, analysis: Analysis) -> str:
    """Names and probabilities of what is got wrong; pictures are in the local summary.html."""
    if run.selection is None:
        return ""
    study, num_trials = analysis.studies[run.selection.trial_id], len(analysis.voters)
    parts = [
        "## Images",
        f"{wrong_by_most(analysis)} (for these the label is worth a look):",
        _faces(analysis.hard, num_trials, "mean p_male"),
        f"The surest mistakes of {title(run, study.trial_id)}:",
        _faces(study.mistakes, num_trials, "p_male"),
        "Its most doubtful:",
        _faces(study.doubtful, num_trials, "p_male"),
        "Those of every trial, with pictures, are in summary.html, which stays on this machine.",
    ]
    return "\n\n".join(parts)


def wrong_by_most(analysis: Analysis) -> str:
    """What the list of hard images holds."""
    is_all = len(analysis.voters) == len(analysis.studies)
    which = "trials" if is_all else "trials without random weights"
    return f"Wrong by most of the {len(analysis.voters)} {which}, worst first, at most {NUM_HARD}"


def _faces(faces: tuple[Face, ...], num_trials: int, name: str) -> str:
    if not faces:
        return "None."
    rows = [
        [
            markup.text(face.name),
            "male" if face.is_male else "female",
            f"{face.p_male:.3f}",
            f"{face.num_wrong} of {num_trials}",
        ]
        for face in faces
    ]
    return table(["Image", "label", name, "trials that get it wrong"], rows)
