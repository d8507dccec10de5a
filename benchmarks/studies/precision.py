"""Measure whether bfloat16 features cost accuracy: the gates that `precision = "auto"` looks up.

    .venv/bin/python -m benchmarks.studies.precision DATA [--weights DIR] [--seeds 5] [--cache DIR]

DATA holds the published project's images (any CelebA will do). Runs benchmarks/full.toml in both
precisions. Prints a table of all trials: test accuracy of heads on float32 features, and the
difference that bfloat16 features make, mean and 95% interval over head seeds. Writes
benchmarks/precision.json for the backbones that have ImageNet weights. Gates of random weights are
printed but not written: such a network amplifies every rounding error, which says nothing about
precision.
"""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

import gfr
from benchmarks import harness
from gfr.config import schema
from gfr.errors import StepFailed
from gfr.measurement import hardware, software
from gfr.models import feature_store
from gfr.models.precision import GateRow, GateTrial, dump_gates
from gfr.results.records import TrialResult
from gfr.storage import paths

OUTPUT = paths.ROOT / "benchmarks" / "precision.json"


def main(data: Path, weights: str = "auto", seeds: int = 5, cache: Path | None = None) -> None:
    """Run twice, compare, print, write the gates."""
    benchmark = gfr.load_benchmark("full")
    benchmark = dataclasses.replace(
        benchmark,
        data=dataclasses.replace(benchmark.data, splits=1, compare_rules=False),
        training=dataclasses.replace(benchmark.training, seeds=seeds, fractions=()),
        latency=schema.Latency(calls=2, seconds=0, accelerated=False),
        export=schema.Export(precisions=()),
    )
    kept, rows = [], []
    with tempfile.TemporaryDirectory() as folder:
        options = {"data": data, "weights": weights, "cache": cache, "reports": Path(folder)}
        exact, rounded = (
            gfr.run_benchmark(
                dataclasses.replace(benchmark, features=schema.Features(precision)), **options
            )
            for precision in ("float32", "bfloat16")
        )
        for failure in exact.failures + rounded.failures:
            raise StepFailed(str(failure))
        pairs = list(zip(exact.trials, rounded.trials, strict=True))
        for feature_set in benchmark.feature_sets:
            of_set = [pair for pair in pairs if pair[0].trial.feature_set == feature_set]
            gate = gate_of(of_set, exact.record.split.majority_share)
            note = note_of(*of_set[0])
            rows += as_rows(gate, note)
            kept += [] if note else [gate]
    print(pd.DataFrame(rows).to_markdown(index=False))
    if kept:
        OUTPUT.write_text(dump_gates(kept))
    num_test = exact.trials[0].metrics["test"].num_images
    print(f"test n = {num_test:,}, {seeds} head seeds, {gate.engine}")


def note_of(exact: TrialResult, rounded: TrialResult) -> str:
    """Return why a gate is not kept; empty if it is."""
    if rounded.features.precision == "float32":
        return "computed in float32: a few images differ too much in bfloat16"
    return exact.features.weights.note


def gate_of(pairs: Sequence[tuple[TrialResult, TrialResult]], majority_share: float) -> GateRow:
    """Compare all trials of one feature set, each in float32 and in bfloat16."""
    first = pairs[0][0].features
    exact, rounded = (
        feature_store.read(result.features.directory).rows(np.arange(first.num_images))
        for result in pairs[0]
    )
    return GateRow(
        backbone=first.feature_set.backbone.name,
        size=first.feature_set.size,
        scaling=first.feature_set.backbone.scaling,
        weights_sha256=first.weights.sha256,
        engine=software.engine([gpu.name for gpu in hardware.collect().gpus]),
        relative_error=float(np.linalg.norm(rounded - exact) / np.linalg.norm(exact)),
        trials=tuple(gate_trial(*pair, majority_share) for pair in pairs),
    )


def gate_trial(exact: TrialResult, rounded: TrialResult, majority_share: float) -> GateTrial:
    """Compare the accuracies of one trial over its seeds."""
    both = [[row.accuracy for row in result.over_seeds("test")] for result in (exact, rounded)]
    accuracies, others = np.array(both)
    differences = others - accuracies
    low, high = ttest_1samp(differences, 0).confidence_interval()  # of the mean over seeds
    return GateTrial(
        iteration=exact.trial.iteration.number,
        beats_majority=bool(accuracies.mean() >= majority_share + 0.05),
        float32_accuracies=tuple(accuracies.tolist()),
        differences=tuple(differences.tolist()),
        mean=float(differences.mean()),
        low=float(low),
        high=float(high),
    )


def as_rows(gate: GateRow, note: str) -> list[dict[str, str]]:
    """Rows of the printed table; differences in points of accuracy."""
    return [
        {
            "Model": f"{gate.backbone} / iteration {trial.iteration}",
            "Features differ by": f"{gate.relative_error:.2%}",
            "float32 accuracy": f"{np.mean(trial.float32_accuracies):.4f}",
            "bfloat16 - float32, points": (
                f"{100 * trial.mean:+.2f} [{100 * trial.low:+.2f}, {100 * trial.high:+.2f}]"
            ),
            "Gate": note or ("passed" if trial.has_passed else "FAILED"),
        }
        for trial in gate.trials
    ]


if __name__ == "__main__":
    harness.execute(main)
