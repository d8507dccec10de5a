"""How far the head's seed moves a trial: every trial of a run, trained again with several seeds.

    .venv/bin/python benchmarks/head_seeds.py reports/runs/RUN [--seeds 5]

In: a finished run and its cached features. Out: a table of test accuracy and loss, mean and range
over seeds that follow the run's own (head initialisation and batch order; the split stays). Writes
nothing.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from gfr import backbones, dataset, head, results, shards, stages
from gfr.evaluate import metrics


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    _, faces, splits = stages.open_run(str(asked.run_dir))
    rows = {name: np.flatnonzero(splits == name) for name in dataset.SPLITS}
    backbones.make_deterministic()
    table = [
        summary(result, faces, rows, asked.seeds)
        for result in results.read_run(asked.run_dir).trials
    ]
    print(f"test n = {len(rows['test']):,}, {asked.seeds} head seeds")
    print(pd.DataFrame(table).to_markdown(index=False, floatfmt=".4f"))


def summary(
    result: results.TrialResult, faces: dataset.Faces, rows: dict[str, np.ndarray], seeds: int
) -> dict[str, object]:
    """One trial over the seeds: mean, lowest and highest accuracy and loss on test."""
    trial, found = result.trial, result.features
    features = shards.read(found.directory)
    tests = []
    for seed in range(trial.seed, trial.seed + seeds):
        model, _ = head.train(
            features,
            found.scale,
            faces.is_male,
            rows["train"],
            rows["validation"],
            trial.iteration.epochs,
            trial.batch_size,
            seed,
            lambda done, total: None,
        )
        logits = head.logits(model, features, found.scale, rows["test"])
        tests.append(metrics(logits, faces.is_male[rows["test"]]))
    accuracies, losses = [test.accuracy for test in tests], [test.loss for test in tests]
    return {
        "trial": trial.title,
        "accuracy": np.mean(accuracies),
        "lowest": min(accuracies),
        "highest": max(accuracies),
        "loss": np.mean(losses),
        "least": min(losses),
        "most": max(losses),
        "note": found.weights.note,
    }


if __name__ == "__main__":
    main()
