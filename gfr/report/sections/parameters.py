"""Parameters: what the iterations differ in, and what all trials share."""

from itertools import permutations

from gfr.config import scaling
from gfr.config.schema import Benchmark
from gfr.report import markdown
from gfr.report.section import Report, Section, Table


def section(report: Report) -> Section:
    """Return a row an iteration, then the shared parameters."""
    benchmark = report.run.record.benchmark
    rows = [
        {
            "Iteration": str(row.number),
            "Image size (height x width)": "{} x {}".format(*row.size),
            "Epochs": str(row.epochs),
            "Backbone input": "any size" if row.input == "any" else "({}, {}, 3)".format(*row.size),
        }
        for row in benchmark.iteration
    ]
    scalings = (f"{row.label} {scaling.words(row.scaling)}" for row in benchmark.backbone)
    shared = [
        "Backbone: frozen, BatchNorm in inference mode, features computed once",
        f"Input scaling: {'; '.join(scalings)}",
        *_origins(benchmark),
        "Head: GlobalAveragePooling2D, Dense(128, relu), Dense(1, sigmoid)",
        "Optimizer: Adam (Keras default learning rate); loss: binary cross-entropy",
        f"Batch size: {benchmark.training.batch_size}",
        f"Seed: {benchmark.seed}",
        f"Requested feature precision: {benchmark.features.precision}",
        *_prefixes(benchmark),
    ]
    return Section("parameters", "Parameters", [Table.of(rows), markdown.bullets(shared)])


def _origins(benchmark: Benchmark) -> list[str]:
    """Say where backbones are from, as far as the benchmark file states it."""
    lines = []
    for row in benchmark.backbone:
        facts = {"license": row.license, "source": row.source, "trained on": row.trained_on}
        stated = [f"{name} {markdown.text(value)}" for name, value in facts.items() if value]
        if stated:
            lines.append(f"{row.label}: {', '.join(stated)} (as the benchmark file states)")
    return lines


def _prefixes(benchmark: Benchmark) -> list[str]:
    """Name iterations that differ in epochs alone: one is the beginning of the other."""
    return [
        f"Iteration {a.number} is the first {a.epochs} epochs of iteration {b.number}, so the two "
        "are not independent."
        for a, b in permutations(benchmark.iteration, 2)
        if (a.size, a.input, a.backbones) == (b.size, b.input, b.backbones) and a.epochs < b.epochs
    ]
