"""Do bfloat16 features cost accuracy? The gate that `precision = "auto"` asks.

    .venv/bin/python benchmarks/precision.py DATA [--weights DIR] [--seeds 5] [--cache cache]

In: the published project's images (any CelebA will do), weights. Out: a table of all trials of
benchmarks/full.toml on standard output: test accuracy of heads on float32 features, and the
difference that bfloat16 features make, mean and 95 % interval over head seeds; and
benchmarks/precision.json with the backbones that have ImageNet weights. Random weights are shown
and not kept: a network that amplifies every rounding says nothing about precision.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from gfr import environment
from gfr.config import benchmark_files, loader, schema
from gfr.data import loading
from gfr.data.records import SPLITS
from gfr.evaluation.metrics import metrics
from gfr.measurement import hardware, software
from gfr.models import backbone as models_backbone
from gfr.models import feature_extraction, feature_store, head, weights
from gfr.models.precision import Choice, GateRow, GateTrial, dump_gates
from gfr.storage import paths

OUTPUT = paths.ROOT / "benchmarks" / "precision.json"


def main() -> None:
    """Extract twice, train, compare, print, keep."""
    environment.prepare()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path(paths.default_directory("cache")))
    asked = parser.parse_args()
    benchmark = loader.load(benchmark_files.benchmark_file("full"))
    looked = loading.look(str(Path(asked.data).absolute()), benchmark, asked.cache.absolute())
    models_backbone.make_deterministic()
    gates, table = [], []
    for feature_set in benchmark.feature_sets:
        used = weights.resolve(
            feature_set.backbone, asked.weights, benchmark.seed, asked.cache.absolute(), False
        )
        job = feature_extraction.Job(
            feature_set, looked.faces, used, looked.data.pixels_digest, asked.cache.absolute()
        )
        gate = run_gate(job, looked, benchmark, asked.seeds)
        table += rows(gate, used.note)
        print(pd.DataFrame(table).to_markdown(index=False), flush=True)
        if used.source != "random":
            gates.append(gate)
            OUTPUT.write_text(dump_gates(gates))
    num_test = int((looked.splits == "test").sum())
    print(f"test n = {num_test:,}, {asked.seeds} head seeds, {engine()}")


def engine() -> str:
    """What computes here: a gate holds for it alone."""
    return software.engine([gpu.name for gpu in hardware.collect().gpus])


def run_gate(
    job: feature_extraction.Job, looked: loading.Looked, benchmark: schema.Benchmark, num_seeds: int
) -> GateRow:
    """All trials of one feature set."""
    tables = {}
    for precision in ("float32", "bfloat16"):
        # As random weights, so that no check stands between: the gate is what judges.
        plain = dataclasses.replace(job, weights=dataclasses.replace(job.weights, source="random"))
        choice = Choice(job.feature_set.id, precision, "asked for", "means nothing")
        feature_extraction.extract(plain, choice, feature_store.WHOLE, "", lambda done, total: None)
        tables[precision] = feature_store.read(job.directory(precision))
    everything = np.arange(len(job.faces.names))
    exact, rounded = (tables[name].rows(everything) for name in ("float32", "bfloat16"))
    found = [
        run_trial(trial, tables, job, looked, num_seeds)
        for trial in benchmark.trials
        if trial.feature_set == job.feature_set
    ]
    backbone = job.feature_set.backbone
    return GateRow(
        backbone=backbone.name,
        size=job.feature_set.size,
        scaling=backbone.scaling,
        weights_sha256=job.weights.sha256,
        engine=engine(),
        relative_error=float(np.linalg.norm(rounded - exact) / np.linalg.norm(exact)),
        trials=tuple(found),
    )


def run_trial(
    trial: schema.Trial,
    tables: dict[str, feature_store.Features],
    job: feature_extraction.Job,
    looked: loading.Looked,
    num_seeds: int,
) -> GateTrial:
    """Heads of several seeds on both kinds of features."""
    by_split = {name: np.flatnonzero(looked.splits == name) for name in SPLITS}
    is_male, accuracies = job.faces.is_male, {}
    for precision, table in tables.items():
        scale = 1.0
        if job.weights.source == "random":
            calibration = by_split["train"][: weights.NUM_CALIBRATION_IMAGES]
            scale = weights.calibrate(table.rows(calibration))
        accuracies[precision] = np.array(
            [
                accuracy(trial, table, scale, is_male, by_split, trial.seed + number)
                for number in range(num_seeds)
            ]
        )
    differences = accuracies["bfloat16"] - accuracies["float32"]
    # Student's interval of the mean difference over seeds.
    half = student.ppf(0.975, num_seeds - 1) * differences.std(ddof=1) / np.sqrt(num_seeds)
    return GateTrial(
        iteration=trial.iteration.number,
        beats_majority=bool(accuracies["float32"].mean() >= looked.split.majority_share + 0.05),
        float32_accuracies=tuple(accuracies["float32"].tolist()),
        differences=tuple(differences.tolist()),
        mean=float(differences.mean()),
        low=float(differences.mean() - half),
        high=float(differences.mean() + half),
    )


def accuracy(
    trial: schema.Trial,
    table: feature_store.Features,
    scale: float,
    is_male: np.ndarray,
    by_split: dict[str, np.ndarray],
    seed: int,
) -> float:
    """Of one head on the test images, 0..1."""
    fit = head.trainer(table, scale, is_male, trial.batch_size)
    rows = by_split["train"], by_split["validation"]
    model, _ = fit(*rows, trial.iteration.epochs, seed, lambda done, total: None)
    test = by_split["test"]
    return metrics(head.logits(model, table, scale, test), is_male[test]).accuracy


def rows(gate: GateRow, note: str) -> list[dict[str, str]]:
    """As people read it; differences in points of accuracy."""
    return [
        {
            "Model": f"{gate.backbone} / iteration {trial.iteration}",
            "Features differ by": f"{gate.relative_error:.2%}",
            "float32 accuracy": f"{np.mean(trial.float32_accuracies):.4f}",
            "bfloat16 - float32, points": f"{100 * trial.mean:+.2f} "
            f"[{100 * trial.low:+.2f}, {100 * trial.high:+.2f}]",
            "Gate": note or ("passed" if trial.has_passed else "FAILED"),
        }
        for trial in gate.trials
    ]


if __name__ == "__main__":
    main()
