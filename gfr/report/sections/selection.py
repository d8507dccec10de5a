"""Selection: why this trial, and what other rules would select."""

from collections.abc import Mapping

from gfr.report import facts, markdown
from gfr.report.analysis import cost
from gfr.report.formatting import accuracy, title
from gfr.report.section import Report, Section
from gfr.results.records import Run, TrialResult


def section(report: Report) -> Section:
    """Return the rule, the runner-up, the published rule and the Pareto front."""
    run = report.run
    if run.selection is None:
        text = "No model is selected: the run has not finished."
        return Section("selection", "Selection", [text])
    selected, beyond = run.result_of(None), run.selection.beyond
    blocks = [
        _rule(report, selected, beyond),
        _runner_up(run, selected, beyond),
        _published_rule(run, selected),
        _optimism(report),
        _front(report),
        _mixed_weights(run),
    ]
    return Section("selection", "Selection", blocks)


def _rule(report: Report, selected: TrialResult, beyond: Mapping[str, str]) -> str:
    run, seeds = report.run, report.analysis.studies[selected.trial.id].validation_seeds
    mean = f" (mean of {seeds.num} seeds {seeds.mean:.3f})" if seeds.num > 1 else ""
    return (
        f"**{title(run, selected.trial.id)}** has the highest validation accuracy of "
        f"{_candidates(run, beyond)}{mean}. With seed {run.record.benchmark.seed}: "
        f"{accuracy(selected.metrics['validation'], 'validation')}, "
        f"{accuracy(selected.metrics['test'], 'test')}. Ties are broken by lower validation loss, "
        "then by lower latency. Test accuracy is shown for information only."
    )


def _candidates(run: Run, beyond: Mapping[str, str]) -> str:
    """`9 trials`, or those of them within the benchmark's limits."""
    num_trials, limits = len(run.trials), run.record.benchmark.selection
    if not beyond:
        return f"{num_trials} trials"
    by_unit = {"ms": limits.max_latency_ms, "MB": limits.max_size_mb}
    words = " and ".join(f"{value:g} {unit}" for unit, value in by_unit.items() if value)
    num_within = num_trials - len(beyond)
    if not num_within:
        return f"{num_trials} trials, **none of which is within {words}**"
    return f"the {num_within} of {num_trials} trials within {words}"


def _runner_up(run: Run, selected: TrialResult, beyond: Mapping[str, str]) -> str:
    """Compare the selected trial with the next best: accuracy, latency and size."""
    second = facts.runner_up(run)
    if second is None:
        return ""
    other, reason = run.result_of(second.trial_id), beyond.get(second.trial_id)
    limits = f" (exceeds the limits: {markdown.text(reason)})" if reason else ""
    text = f"Runner-up: {other.trial.title}{limits}. {_gain(selected, second)}"
    if second.latency_ratio is None or second.size_ratio is None:
        return text
    if selected.trial.feature_set == other.trial.feature_set:
        return f"{text} Both have the same backbone and image size, so equal latency and size."
    return (
        f"{text} {selected.trial.title} has {second.latency_ratio:.2f} times the latency and "
        f"{second.size_ratio:.2f} times the size of the runner-up."
    )


def _gain(selected: TrialResult, second: facts.Next) -> str:
    if not second.images_ahead:
        return "Both have the same validation accuracy."
    mean = ""
    if second.ahead_95:
        low, high = second.ahead_95
        mean = f" on average over the seeds (95 % interval of the mean {low:+z.1f} to {high:+z.1f})"
    return (
        f"{selected.trial.title} classifies {abs(second.images_ahead):g} of "
        f"{selected.metrics['validation'].num_images:,} validation images "
        f"{'more' if second.images_ahead > 0 else 'fewer'} correctly{mean}."
    )


def _published_rule(run: Run, selected: TrialResult) -> str:
    """Say what the published project's rule, the highest test accuracy, would select."""
    top = facts.top_on_test(run)
    best = top[0].metrics["test"].accuracy
    names = " and ".join(row.trial.title for row in top)
    rule = "The published rule (highest test accuracy)"
    if top == [selected]:
        return f"{rule} selects the same trial ({best:.3f})."
    if selected in top:
        return f"Under the published rule (highest test accuracy), {names} are tied at {best:.3f}."
    return (
        f"{rule} would select {names} ({best:.3f} against "
        f"{selected.metrics['test'].accuracy:.3f}), so the two rules disagree. Selecting on the "
        "test set overestimates accuracy."
    )


def _optimism(report: Report) -> str:
    """Say by how much selecting on the test set would overestimate accuracy."""
    optimism = report.analysis.optimism
    if optimism is None:
        return ""
    num_images = report.run.result_of(None).metrics["test"].num_images
    return (
        f"Selecting on the test set would overestimate accuracy by {100 * optimism.mean:.1f} "
        f"points on average (bootstrap over the {num_images:,} test images; up to 1.4 times as "
        "much if the trials differ by chance alone)."
    )


def _front(report: Report) -> str:
    """List the trials that remain if latency or size matters."""
    run, trials = report.run, []
    for trial_id in report.analysis.front:
        p50_ms, size_mb = cost(run, run.result_of(trial_id))
        mean = report.analysis.studies[trial_id].validation_seeds.mean
        trials.append(f"{title(run, trial_id)} ({mean:.3f}, {p50_ms:.1f} ms, {size_mb:.0f} MB)")
    if not trials:
        return ""
    return (
        "Pareto front of mean validation accuracy, p50 latency and size (no other trial is at "
        f"least as good in all three and better in one): {'; '.join(trials)}. These are point "
        "estimates: a trial that falls short of the front by less than the variation between "
        "seeds may not really be worse."
    )


def _mixed_weights(run: Run) -> str:
    if len({row.features.weights.source == "random" for row in run.trials}) < 2:
        return ""
    return (
        "Some trials have random weights and some do not: the selection shows which of these "
        "models is the most accurate, not which backbone is."
    )
