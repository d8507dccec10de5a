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
    header = ["Trial", "Test accuracy", "Published", "Test loss", "Published"]
    header += ["Inference time (s)", f"Published, other hardware ({published.hardware})"]
    blocks: list[Block] = [
        f"The same {published.num_images:,} images in a new split, so the test images differ; 95 % "
        f"intervals in brackets. Published: one run each, without intervals ({published.source}). "
        "Trials with random weights are left out, because the published project has none.",
        Table(header, rows),
    ]
    return Section("published-results", "Published results", blocks)


def _row(run: Run, result: TrialResult, published: Published) -> list[str] | None:
    other = published.find(result.trial.backbone.name, result.trial.iteration.number)
    if other is None or result.features.weights.source == "random":
        return None
    test, latency = result.metrics["test"], run.latency_of(result.trial)
    return [
        result.trial.title,
        with_interval(test.accuracy, test.interval),
        f"{other.test_accuracy:.3f}",
        f"{test.loss:.3f}",
        f"{other.test_loss:.3f}",
        f"{latency.float32.inference_s:.2f}" if latency else "-",
        f"{other.inference_s:.2f}",
    ]
