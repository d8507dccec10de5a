"""The published project's numbers beside a run on the same images.

In: a Run, what was published. Out: a Markdown section for gfr/report.py. Pure, like it.
"""

from gfr.published import Published
from gfr.report_details import table
from gfr.results.records import Run


def section(run: Run, published: Published | None) -> str:
    """Each trial and the published project's, of runs on the same images."""
    if published is None or not published.applies_to(run.record.data):
        return ""
    rows = []
    for result in run.trials:
        other = published.find(result.trial.backbone.name, result.trial.iteration.number)
        latency = run.latency_of(result.trial)
        if other is None or result.features.weights.source == "random":
            continue
        test = result.metrics["test"]
        low, high = test.interval
        rows.append(
            [
                result.trial.title,
                f"{test.accuracy:.3f} [{low:.3f}, {high:.3f}]",
                f"{other.test_accuracy:.3f}",
                f"{test.loss:.3f}",
                f"{other.test_loss:.3f}",
                f"{latency.float32.inference_s:.2f}" if latency else "-",
                f"{other.inference_s:.2f}",
            ]
        )
    header = ["Model", "Test Accuracy", "published", "Test Loss", "published"]
    header += ["Inference Time (s)", f"published, other hardware ({published.hardware})"]
    if not rows:
        return ""
    return (
        "## Beside the published numbers\n\n"
        f"The same {published.num_images:,} images, split anew, so other test images; in brackets "
        "95 %. Published: one run each, without intervals "
        f"({published.source}). Trials with random weights have no counterpart there and are left "
        "out.\n\n" + table(header, rows)
    )
