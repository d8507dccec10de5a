"""Selection: why this trial, and what other rules would select."""

from gfr.config.schema import Preference
from gfr.report import facts, markdown
from gfr.report.analysis import cost
from gfr.report.formatting import accuracy, title
from gfr.report.section import Report, Section
from gfr.results.records import Choices, Run, Selection, TrialResult

_BEST: dict[Preference, str] = {
    "accuracy": "the highest validation accuracy",
    "loss": "the lowest validation loss",
    "latency": "the lowest p50 latency",
    "size": "the fewest parameters",
}


def section(report: Report) -> Section:
    """Return the rule, the runner-up, the published rule and the Pareto front."""
    run = report.run
    if run.selection is None:
        text = "No model is selected: the run has not finished."
        return Section("selection", "Selection", [text])
    selected = run.result_of(None)
    blocks = [
        _rule(report, run.selection, selected),
        _choices(run, run.selection),
        _runner_up(run, run.selection, selected),
        _published_rule(run, selected),
        _optimism(report),
        _front(report),
        _mixed_weights(run),
    ]
    return Section("selection", "Selection", blocks)


def sentence(run: Run) -> str:
    """Say in short whether accuracy alone decides, and what another preference would select."""
    choices = run.selection and run.selection.choices
    if not choices or not choices.tests:
        return ""
    selected, first = (choices.by_preference[name] for name in (choices.prefer, "accuracy"))
    than = "" if selected == first else f" than {title(run, first)}"
    num = len(choices.equal) - 1
    if not num:
        return "Every other trial is significantly worse on validation."
    trials = f"{num} other trial is" if num == 1 else f"{num} other trials are"
    if than:
        trials = f"{num} trial is" if num == 1 else f"{num} trials are"
    text = f"{trials} not significantly worse on validation{than}"
    others = [
        f"{_listed([f'`{name}`' for name in names])} would select {title(run, trial_id)}"
        for trial_id, names in _by_trial(choices).items()
        if trial_id != selected
    ]
    if not others:
        return f"{text}; each value of `prefer` selects this one."
    return f"{text}; as `prefer` in `[selection]`, {', '.join(others)}."


def _by_trial(choices: Choices) -> dict[str, list[str]]:
    """Return the preferences that select each trial, by its id."""
    by_trial: dict[str, list[str]] = {}
    for name in _BEST:
        by_trial.setdefault(choices.by_preference[name], []).append(name)
    return by_trial


def _rule(report: Report, selection: Selection, selected: TrialResult) -> str:
    run, seeds = report.run, report.analysis.studies[selected.trial.id].validation_seeds
    mean = f" (mean of {seeds.num} seeds {seeds.mean:.3f})" if seeds.num > 1 else ""
    verb, reason = _tie(run, selection, selected)
    candidates, ties = _candidates(run, selection), "by lower validation loss, then by lower"
    best, choices = _BEST["accuracy"], selection.choices
    if choices and choices.prefer != "accuracy":
        first = title(run, choices.by_preference["accuracy"])
        best, verb, reason, mean = _BEST[choices.prefer], "has", "", ""
        candidates = (
            f"{first}, which has {_BEST['accuracy']} among {candidates}, and the trials that are "
            "not significantly worse"
        )
        ties = "by higher validation accuracy, then by lower validation loss and"
    return (
        f"**{title(run, selected.trial.id)}** {verb} {best} among {candidates}{mean}{reason}. "
        f"With seed {run.record.benchmark.seed}: "
        f"{accuracy(selected.metrics['validation'], 'validation')}, "
        f"{accuracy(selected.metrics['test'], 'test')}. Ties are broken {ties} latency. "
        "Test accuracy is shown for information only."
    )


def _choices(run: Run, selection: Selection) -> str:
    """Name the trials that are statistically equal on validation, and what decides among them."""
    choices = selection.choices
    if not choices or not choices.tests:
        return ""
    first = run.result_of(choices.by_preference["accuracy"])
    metrics = first.over_seeds("validation")
    limits = " within the limits" if 0 < len(selection.beyond) < len(selection.ranking) else ""
    names = [title(run, trial_id) for trial_id in choices.equal[1:]]
    verb = "is" if len(names) == 1 else "are"
    are = f"{len(names)} of the {len(choices.tests)} other trials{limits} {verb} not"
    if not names:
        are = f"all other trials{limits} are"
    text = (
        f"On the same {metrics[0].num_images:,} validation images, {are} significantly worse than "
        f"{title(run, first.trial.id)} (exact McNemar test of the seed-"
        f"{run.record.benchmark.seed} heads, Holm)"
    )
    if not names:
        return f"{text}, so `prefer` in `[selection]` makes no difference."
    chosen = []
    for trial_id, preferences in _by_trial(choices).items():
        words = [f"{name} (this run)" if name == choices.prefer else name for name in preferences]
        selects = f"{_listed(words)} {'selects' if len(words) == 1 else 'select'}"
        qualities = _qualities(run, run.result_of(trial_id), first)
        chosen.append(f"{selects} {title(run, trial_id)} ({qualities})")
    over = f" Images and losses are means over {len(metrics)} seeds." if len(metrics) > 1 else ""
    return (
        f"{text}: {', '.join(names)}. `prefer` in `[selection]` decides among them: "
        f"{'; '.join(chosen)}.{over}"
    )


def _listed(words: list[str]) -> str:
    """`accuracy, latency and size`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _qualities(run: Run, result: TrialResult, first: TrialResult) -> str:
    """`2.6 validation images fewer, loss 0.249, p50 51.2 ms, 59 MB`."""
    ours, best = (row.over_seeds("validation") for row in (result, first))
    behind = sum(row.num_right for row in best) - sum(row.num_right for row in ours)
    qualities = [f"loss {sum(row.loss for row in ours) / len(ours):.3f}"]
    if result != first:
        qualities.insert(0, f"{round(behind / len(ours), 1):g} validation images fewer")
    if best_row := facts.best_rows(run).get(result.trial.feature_set.id):
        engine = f" in {best_row.title}" if run.engine_latencies else ""
        qualities.append(f"p50 {best_row.p50_ms:.1f} ms{engine}")
        qualities += [f"{best_row.num_bytes / 1e6:.0f} MB"] if best_row.num_bytes else []
    return ", ".join(qualities)


def _tie(run: Run, selection: Selection, selected: TrialResult) -> tuple[str, str]:
    """Return `has` or `ties with ... for`, and what broke the tie."""

    best_rows = facts.best_rows(run)

    def rank(row: TrialResult) -> tuple[tuple[bool, int], float, float]:
        metrics = row.over_seeds("validation")
        best = row.trial.id in selection.beyond, sum(each.num_right for each in metrics)
        best_row = best_rows.get(row.trial.feature_set.id)
        p50_ms = best_row.p50_ms if best_row else float("inf")
        return best, sum(each.loss for each in metrics), p50_ms

    best, loss, p50_ms = rank(selected)
    tied = [row for row in run.trials if row != selected and rank(row)[0] == best]
    if not tied:
        return "has", ""
    _, next_loss, next_ms = min(map(rank, tied))
    reason = "for its lower latency" if p50_ms != next_ms else "because its name comes first"
    reason = "for its lower validation loss" if loss != next_loss else reason
    names = ", ".join(title(run, row.trial.id) for row in tied)
    return f"ties with {names} for", f" and is selected {reason}"


def _candidates(run: Run, selection: Selection) -> str:
    """`the 9 trials`, or those of them within the benchmark's limits."""
    num_trials, limits = len(run.trials), run.record.benchmark.selection
    if not selection.beyond:
        return f"the {num_trials} trials"
    by_unit = {"ms": limits.max_latency_ms, "MB": limits.max_size_mb}
    words = " and ".join(f"{value:g} {unit}" for unit, value in by_unit.items() if value)
    if num_within := num_trials - len(selection.beyond):
        return f"the {num_within} of {num_trials} trials within {words}"
    return f"the {num_trials} trials, **none of which is within {words}**"


def _runner_up(run: Run, selection: Selection, selected: TrialResult) -> str:
    """Compare the selected trial with the next best: accuracy, latency and size."""
    second = facts.runner_up(run)
    if second is None:
        return ""
    other, reason = run.result_of(second.trial_id), selection.beyond.get(second.trial_id)
    limits = f" (exceeds the limits: {markdown.text(reason)})" if reason else ""
    text = f"Runner-up: {other.trial.title}{limits}."
    if second.images_ahead:
        text += (
            f" {selected.trial.title} classifies {abs(second.images_ahead):g} of "
            f"{selected.metrics['validation'].num_images:,} validation images "
            f"{'more' if second.images_ahead > 0 else 'fewer'} correctly"
        )
        if ends := second.ahead_95:
            interval = "{:+z.1f} to {:+z.1f}".format(*ends)
            text += f" on average over the seeds (95% interval of the mean {interval})"
        text += "."
    if selected.trial.feature_set == other.trial.feature_set:
        text += " Both have the same backbone and image size, so equal latency and size."
    elif second.latency_ratio and second.size_ratio:
        text += (
            f" {selected.trial.title} has {second.latency_ratio:.2f} times the latency and "
            f"{second.size_ratio:.2f} times the size of the runner-up."
        )
    return text


def _published_rule(run: Run, selected: TrialResult) -> str:
    """Say what the published project's rule, the highest test accuracy, would select."""
    top = facts.top_on_test(run)
    best = top[0].metrics["test"].accuracy
    names = " and ".join(row.trial.title for row in top)
    rule = "The published project's rule (highest test accuracy)"
    if selected in top and len(top) > 1:
        return f"{rule} does not decide: {names} tie at {best:.3f}."
    if selected in top:
        return f"{rule} selects the same trial ({best:.3f})."
    return (
        f"{rule} would select {names} ({best:.3f} against "
        f"{selected.metrics['test'].accuracy:.3f}), so the two rules disagree."
    )


def _optimism(report: Report) -> str:
    """Say by how much selecting on the test set would overestimate accuracy."""
    optimism = report.analysis.optimism
    if optimism is None:
        return ""
    num_images = report.run.result_of(None).metrics["test"].num_images
    return (
        f"Selecting on the test set would overestimate accuracy by {100 * optimism.mean:.1f} "
        f"points on average (bootstrap over the {num_images:,} test images). If the trials differ "
        "by chance alone, it could be up to 1.4 times as much."
    )


def _front(report: Report) -> str:
    """List the trials that remain if latency or size matters."""
    run, trials = report.run, []
    for trial_id in report.analysis.front:
        p50_ms, size_mb = cost(run, run.result_of(trial_id))
        accuracy = report.analysis.studies[trial_id].validation_seeds.mean
        figures = f"{accuracy:.3f}, {p50_ms:.1f} ms, {size_mb:.0f} MB"
        trials.append(f"{title(run, trial_id)} ({figures})")
    if not trials:
        return ""
    mean = " (mean over the seeds)" if report.has_seeds else ""
    return (
        f"Pareto front of validation accuracy{mean}, p50 latency and size (no other trial is at "
        f"least as good on all three and better on one): {'; '.join(trials)}. These are point "
        "estimates: a trial behind the front by less than the variation between seeds may not "
        "really be worse."
    )


def _mixed_weights(run: Run) -> str:
    if len({row.features.weights.source == "random" for row in run.trials}) < 2:
        return ""
    return (
        "Some trials have random weights and some do not: the selection shows which of these "
        "models is the most accurate, not which backbone is."
    )
