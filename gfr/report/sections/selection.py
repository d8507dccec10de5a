"""Selection: why this trial, and what other rules would select."""

from gfr.report import facts, markdown
from gfr.report.analysis import cost
from gfr.report.formatting import accuracy, title
from gfr.report.section import Report, Section
from gfr.results.records import Run, Selection, TrialResult


def section(report: Report) -> Section:
    """Return the rule, the runner-up, the published rule and the Pareto front."""
    run = report.run
    if run.selection is None:
        text = "No model is selected: the run has not finished."
        return Section("selection", "Selection", [text])
    selected = run.result_of(None)
    blocks = [
        _rule(report, run.selection, selected),
        _runner_up(run, run.selection, selected),
        _published_rule(run, selected),
        _optimism(report),
        _front(report),
        _mixed_weights(run),
    ]
    return Section("selection", "Selection", blocks)


def _rule(report: Report, selection: Selection, selected: TrialResult) -> str:
    run, seeds = report.run, report.analysis.studies[selected.trial.id].validation_seeds
    mean = f" (mean of {seeds.num} seeds {seeds.mean:.3f})" if seeds.num > 1 else ""
    verb, reason = _tie(run, selection, selected)
    return (
        f"**{title(run, selected.trial.id)}** {verb} the highest validation accuracy among "
        f"{_candidates(run, selection)}{mean}{reason}. With seed {run.record.benchmark.seed}: "
        f"{accuracy(selected.metrics['validation'], 'validation')}, "
        f"{accuracy(selected.metrics['test'], 'test')}. Ties are broken by lower validation loss, "
        "then by lower latency. Test accuracy is shown for information only."
    )


def _tie(run: Run, selection: Selection, selected: TrialResult) -> tuple[str, str]:
    """Return `has` or `ties with ... for`, and what broke the tie."""

    def rank(row: TrialResult) -> tuple[tuple[bool, int], float, float]:
        metrics = row.over_seeds("validation")
        best = row.trial.id in selection.beyond, sum(each.num_right for each in metrics)
        return best, sum(each.loss for each in metrics), cost(run, row)[0]

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
