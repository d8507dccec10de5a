"""Published results: the published project's numbers next to a run on the same images."""

from gfr.report.formatting import with_interval
from gfr.report.published import Published
from gfr.report.section import Block, Report, Section, Table
from gfr.results.records import Run, TrialResult


def section(report: Report) -> Section | None:
    """Return each trial next to its published counterpart."""
    published = report.published
    if published is None:
        return None
    rows = [row for result in report.run.trials if (row := _row(report.run, result, published))]
    if not rows:
        return None
    blocks: list[Block] = [
        f"The same {published.num_images:,} images in a new split, so the test images differ; 95% "
        f"intervals in brackets. Published: one run each, without intervals ({published.source}). "
        "Trials with random weights are left out, because the published project has none.",
        Table.of(rows),
    ]
    return Section("published-results", "Published results", blocks)


def _row(run: Run, result: TrialResult, published: Published) -> dict[str, str]:
    other = published.find(result.trial.backbone.name, result.trial.iteration.number)
    if other is None or result.features.weights.source == "random":
        return {}
    test, latency = result.metrics["test"], run.latency_of(result.trial)
    return {
        "Trial": result.trial.title,
        "Test accuracy": with_interval(test.accuracy, test.interval),
        "Published accuracy": f"{other.test_accuracy:.3f}",
        "Test loss": f"{test.loss:.3f}",
        "Published loss": f"{other.test_loss:.3f}",
        "Inference time (s)": f"{latency.float32.inference_s:.2f}" if latency else "-",
        f"Published, other hardware ({published.hardware})": f"{other.inference_s:.2f}",
    }
