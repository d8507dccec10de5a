"""Measure how time and memory grow with the number of images, for all three backbones.

    .venv/bin/python -m benchmarks.studies.scaling DATA [--images 5000 --images 20000]

DATA is any data set that gfr reads; its images are repeated as often as necessary. For each number
of images, runs scaling.toml without Prefect: random weights, 96 x 96 and few epochs, since only the
growth matters. Prints seconds and the largest memory from checking images to three trained heads as
a table. Keeps no features.
"""

import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import gfr
from benchmarks import harness
from gfr.data import csv_labels, dataset

BENCHMARK = Path(__file__).with_suffix(".toml")


def main(data: Path, images: list[int] = [5000, 20_000, 50_000]) -> None:  # noqa: B006
    """Measure each number of images, then print the table."""
    rows = []
    for num_images in images:
        rows.append(measure(data.absolute(), num_images))
        print(rows[-1], file=sys.stderr, flush=True)
    table = pd.DataFrame(rows).astype({"images": str})
    print(table.to_markdown(index=False, floatfmt=".1f"))


def measure(data: Path, num_images: int) -> dict[str, float | int]:
    """Seconds of each stage and peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeat_images(data, num_images, folder / "data")
        places = {name: folder / name for name in ("data", "reports", "cache")}
        run = gfr.run_benchmark(BENCHMARK, weights="random", **places)
    row: dict[str, float | int] = {"images": num_images}
    costs = [run.record.cost]
    for trial in run.trials:
        label = trial.trial.feature_set.backbone.label
        row[f"{label}, features (s)"] = trial.features.cost.wall_s
        row[f"{label}, head (s)"] = trial.train_cost.wall_s
        costs += [trial.features.cost, trial.train_cost]
    row["all (s)"] = sum(cost.wall_s for cost in costs)
    row["peak (GB)"] = max(cost.peak_memory_bytes for cost in costs) / 1e9
    return row


def repeat_images(data: Path, num_images: int, folder: Path) -> None:
    """Make a data set of links to the images of another one, in turn."""
    faces = dataset.load(data, "all", 0).faces
    folder.mkdir()
    names = []
    for number, path in enumerate(itertools.islice(itertools.cycle(faces.paths()), num_images)):
        names.append(f"{number:06}{path.suffix}")
        (folder / names[-1]).symlink_to(path)
    labels = {"image": names, "is_male": np.resize(faces.is_male, num_images).astype(int)}
    pd.DataFrame(labels).to_csv(folder / csv_labels.LABELS_NAME, index=False)


if __name__ == "__main__":
    harness.execute(main)
