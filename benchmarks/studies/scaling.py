"""Is time linear in the images, and memory flat? 5,000, 20,000 and 50,000, all three backbones.

    .venv/bin/python -m benchmarks.studies.scaling DATA [--images 5000 20000 50000] [--plot FILE]

DATA is any data set that gfr reads; its images are repeated as often as necessary. For each number
of images, runs scaling.toml without Prefect: random weights, 96 x 96 and few epochs, since what is
measured is how both grow. Prints seconds and the largest memory from checking images to three
trained heads as a table, and draws a figure. Keeps no features.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import harness
from gfr.data import csv_labels, dataset
from gfr.pipeline import run as pipeline
from gfr.results import store

BENCHMARK = Path(__file__).with_suffix(".toml")


def main() -> None:
    """Measure each number of images, then print the table."""
    parser = harness.parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[5000, 20_000, 50_000])
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    rows = []
    for num_images in options.images:
        rows.append(measure(options.data.absolute(), num_images))
        print(rows[-1], file=sys.stderr, flush=True)
    table = pd.DataFrame(rows)
    print(table.astype({"images": str}).to_markdown(index=False, floatfmt=".1f"))
    if options.plot:
        plot(table, options.plot)


def measure(data: Path, num_images: int) -> dict[str, float | int]:
    """Seconds of each stage and peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeat_images(data, num_images, folder / "data")
        request = harness.request(BENCHMARK, folder, data=str(folder / "data"))
        run = store.read_run(pipeline.run(request))
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
    for number, path in enumerate(np.resize(np.array(faces.paths(), object), num_images)):
        names.append(f"{number:06}{path.suffix}")
        (folder / names[-1]).symlink_to(path)
    labels = {"image": names, "is_male": np.resize(faces.is_male, num_images).astype(int)}
    pd.DataFrame(labels).to_csv(folder / csv_labels.LABELS_NAME, index=False)


def plot(table: pd.DataFrame, path: Path) -> None:
    """Draw seconds beside a straight line, and memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    thousands, ends = table["images"] / 1000, table.iloc[[0, -1]]
    left.plot(thousands, table["all (s)"], "o-", color="#0072B2", label="measured")
    line = ends["images"] / 1000, ends["all (s)"]
    left.plot(*line, "--", color="0.4", label="straight line, first to last")
    left.set_ylabel("seconds, images to heads")
    left.legend(fontsize=8, frameon=False)
    right.plot(thousands, table["peak (GB)"], "s-", color="#D55E00")
    right.set_ylabel("peak memory, GB")
    for axes in (left, right):
        axes.set_xlabel("thousand images")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0, top=1.3 * axes.get_ylim()[1])
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    harness.execute(main)
