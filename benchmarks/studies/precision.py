"""Do bfloat16 features cost accuracy? Makes the gates that `precision = "auto"` looks up.

    .venv/bin/python -m benchmarks.studies.precision DATA [--weights DIR] [--seeds 5] [--cache DIR]

DATA holds the published project's images (any CelebA will do). Runs benchmarks/full.toml in both
precisions. Prints a table of all trials: test accuracy of heads on float32 features, and the
difference that bfloat16 features make, mean and 95 % interval over head seeds. Writes
benchmarks/precision.json for the backbones that have ImageNet weights. Random weights are shown and
not kept: a network that amplifies every rounding says nothing about precision.
"""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from benchmarks import harness
from gfr.config import schema
from gfr.config.schema import Precision
from gfr.measurement import hardware, software
from gfr.models import feature_store
from gfr.models.precision import GateRow, GateTrial, dump_gates
from gfr.pipeline import request as pipeline_request
from gfr.pipeline import run as pipeline
from gfr.results import records, store
from gfr.results.records import TrialResult
from gfr.storage import paths

OUTPUT = paths.ROOT / "benchmarks" / "precision.json"


def main() -> None:
    """Run twice, compare, print, write the gates."""
    parser = harness.parser(__doc__)
    parser.add_argument("data", type=lambda path: str(Path(path).absolute()))
    parser.add_argument("--benchmark", default="full")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path(paths.default_directory("cache")))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        exact, rounded = (
            run(
                harness.request(
                    options.benchmark,
                    Path(folder),
                    data=options.data,
                    weights=options.weights,
                    cache=str(options.cache.absolute()),
                    run_id=precision,
                ),
                precision,
                options.seeds,
            )
            for precision in ("float32", "bfloat16")
        )
        by_set: dict[schema.FeatureSet, list[tuple[TrialResult, TrialResult]]] = {}
        for pair in zip(exact.trials, rounded.trials, strict=True):
            by_set.setdefault(pair[0].features.feature_set, []).append(pair)
        gates = {key: gate_of(pairs, exact.record) for key, pairs in by_set.items()}
    notes = {key: note_of(*pairs[0]) for key, pairs in by_set.items()}
    rows = [row for key, gate in gates.items() for row in as_rows(gate, notes[key])]
    print(pd.DataFrame(rows).to_markdown(index=False))
    kept = [gate for key, gate in gates.items() if not notes[key]]
    if kept:
        options.output.write_text(dump_gates(kept))
    num_test = exact.trials[0].metrics["test"].num_images
    print(f"test n = {num_test:,}, {options.seeds} head seeds, {engine()}")


def run(request: pipeline_request.Request, precision: Precision, num_seeds: int) -> records.Run:
    """Run the benchmark in one precision, with as many heads a trial as there are seeds."""
    benchmark = dataclasses.replace(
        request.benchmark,
        data=dataclasses.replace(request.benchmark.data, splits=1, compare_rules=False),
        training=dataclasses.replace(request.benchmark.training, seeds=num_seeds, fractions=()),
        features=schema.Features(precision),
        latency=schema.Latency(calls=2, seconds=0, accelerated=False),
    )
    request = dataclasses.replace(request, benchmark=benchmark)
    finished = store.read_run(pipeline.run(request, export=False))
    if finished.failures:
        raise SystemExit(f"error: {finished.failures[0]}")
    return finished


def engine() -> str:
    """What computes on this machine; a gate holds for it alone."""
    return software.engine([gpu.name for gpu in hardware.collect().gpus])


def note_of(exact: TrialResult, rounded: TrialResult) -> str:
    """Why a gate is not kept; empty if it is."""
    if rounded.features.precision == "float32":
        return "computed in float32: a few images differ too much in bfloat16"
    return exact.features.weights.note


def gate_of(pairs: Sequence[tuple[TrialResult, TrialResult]], record: records.RunRecord) -> GateRow:
    """Compare all trials of one feature set, each in float32 and in bfloat16."""
    first, second = (result.features for result in pairs[0])
    everything = np.arange(first.num_images)
    exact, rounded = (feature_store.read(row.directory).rows(everything) for row in (first, second))
    return GateRow(
        backbone=first.feature_set.backbone.name,
        size=first.feature_set.size,
        scaling=first.feature_set.backbone.scaling,
        weights_sha256=first.weights.sha256,
        engine=engine(),
        relative_error=float(np.linalg.norm(rounded - exact) / np.linalg.norm(exact)),
        trials=tuple(gate_trial(*pair, record.split.majority_share) for pair in pairs),
    )


def gate_trial(exact: TrialResult, rounded: TrialResult, majority_share: float) -> GateTrial:
    """Compare the accuracies of one trial over its seeds."""
    accuracies, others = (
        np.array([metrics.accuracy for metrics in result.over_seeds("test")])
        for result in (exact, rounded)
    )
    differences = others - accuracies
    interval = ttest_1samp(differences, 0).confidence_interval()  # of the mean over seeds
    return GateTrial(
        iteration=exact.trial.iteration.number,
        beats_majority=bool(accuracies.mean() >= majority_share + 0.05),
        float32_accuracies=tuple(accuracies.tolist()),
        differences=tuple(differences.tolist()),
        mean=float(differences.mean()),
        low=float(interval.low),
        high=float(interval.high),
    )


def as_rows(gate: GateRow, note: str) -> list[dict[str, str]]:
    """Rows of the printed table; differences in points of accuracy."""
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
    harness.execute(main)
