"""Compare computing features once with Keras `fit` on a frozen backbone.

    .venv/bin/python -m benchmarks.studies.speed DATA [--weights DIR] [--images 256]

DATA holds images in CelebA's layout. Prints, for each feature set and both precisions, the seconds
of an epoch of `fit` (keras_fit.py, "naive"), measured on a few hundred images and extrapolated to
all, and the seconds of gfr's feature extraction ("ours"). Then lines `whole, ...: N x` compare 90
epochs of `fit` for each backbone (20 + 50 at the small size, 20 at the large) with runs of gfr that
have an empty cache, one with the precision `auto` and one in float32, from process start to the
ninth evaluated head.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import gfr
from benchmarks import harness
from benchmarks.studies import keras_fit
from cli import options
from gfr.config import benchmark_files, loader, schema
from gfr.data import loading
from gfr.data.dataset import Faces
from gfr.errors import StepFailed
from gfr.measurement import hardware, software
from gfr.models.weights import resolve

BATCH_SIZES = (32, 64, 128)  # the fastest of them counts for `fit`
PRECISIONS = ("float32", "bfloat16")


def main(data: Path, weights: options.Weights = "auto", images: int = 256) -> None:
    """Measure and print."""
    benchmark = gfr.load_benchmark("full")
    machine = hardware.collect()
    print(f"{machine.cpu_model}, {machine.cpu_threads} threads, {' '.join(machine.cpu_flags)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["--data", str(data.absolute()), "--weights", weights]
        ours = {each: whole_run(words, each, folder) for each in ("auto", "float32")}
        faces = loading.look(str(data.absolute()), benchmark, folder).faces
        rows = []
        for feature_set in benchmark.feature_sets:
            used = resolve(feature_set.backbone, weights, benchmark.seed, folder, False)
            row: dict[str, object] = {"Model": feature_set.title}
            for precision in PRECISIONS:
                epoch_s = naive_epoch_s(feature_set, Path(used.path), precision, faces, images)
                row[f"naive {precision}, s an epoch"] = epoch_s
            for precision, (run, _) in ours.items():
                results = {each.trial.feature_set.title: each for each in run.trials}
                row[f"ours {precision}, s once"] = results[feature_set.title].features.cost.wall_s
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
    ours_s = {precision: seconds for precision, (_, seconds) in ours.items()}
    print_totals(pd.DataFrame(rows), benchmark, ours_s)


def print_totals(table: pd.DataFrame, benchmark: schema.Benchmark, ours_s: dict) -> None:
    """Print the table, and the seconds of all epochs against those of whole runs."""
    print(table.to_markdown(index=False, floatfmt=".2f"))
    print(f"machine load {hardware.collect().cpu_load:.1f}; {software.engine()}")
    epochs = [
        sum(row.iteration.epochs for row in benchmark.trials if row.feature_set == feature_set)
        for feature_set in benchmark.feature_sets
    ]
    for ours, seconds in ours_s.items():
        print(f"ours, {ours}: {seconds:,.0f} s from process start to the ninth evaluated head")
    for naive in PRECISIONS:
        naive_s = (table[f"naive {naive}, s an epoch"] * epochs).sum()
        print(f"naive, {naive}: {naive_s:,.0f} s for {sum(epochs)} epochs, extrapolated")
        for ours, seconds in ours_s.items():
            print(f"whole, naive in {naive}, ours in {ours}: {naive_s / seconds:.0f} x")


def whole_run(words: list[str], precision: str, folder: Path) -> tuple[gfr.Run, float]:
    """Do a run with an empty cache; returns it and its seconds until the ninth head is evaluated.

    One head per trial, as `fit` trains: no other seeds, splits or numbers of images.
    """
    text = benchmark_files.benchmark_file("full").read_text("utf-8")
    text = text.replace("\nseeds = 5\n", "\nseeds = 1\nfractions = []\n")
    text = text.replace("\n[training]\n", "\ncompare_rules = false\n\n[training]\n")
    text += "\n[export]\nprecisions = []\n"
    text += "[latency]\ncalls = 2\nseconds = 0\naccelerated = false\nengines = []\n"
    path = folder / f"{precision}.toml"
    path.write_text(f'{text}\n[features]\nprecision = "{precision}"\n')
    if loader.load(path).refits(has_identity=True):
        raise StepFailed("full.toml trains more than one head for each trial")
    command = harness.run_command(path, precision, *words, "--cache", f"cache-{precision}")
    begun_s = time.time()
    harness.call(precision, command, folder).check_returncode()
    run_dir = folder / "reports" / "runs" / precision
    ended_s = max(record.stat().st_mtime for record in run_dir.glob("trials/*.json"))
    return gfr.load_run(run_dir), ended_s - begun_s


def naive_epoch_s(
    feature_set: schema.FeatureSet,
    weights_path: Path,
    precision: str,
    faces: Faces,
    num_images: int,
) -> float:
    """Seconds of an epoch of `fit` with the fastest batch size, extrapolated to all images."""
    labeled = faces.paths()[:num_images], faces.is_male[:num_images].astype(np.float32)
    seconds = []
    for size in BATCH_SIZES:
        model = keras_fit.model(feature_set, weights_path, precision)
        seconds.append(keras_fit.epoch_s(model, labeled, size))
    # Four fifths of all images are for training and validation.
    return min(seconds) * 4 / 5 * len(faces.names) / len(labeled[0])


if __name__ == "__main__":
    harness.execute(main)
