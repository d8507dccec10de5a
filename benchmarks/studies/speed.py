"""Compare features once with `fit` on a frozen backbone, both measured in one go.

    .venv/bin/python -m benchmarks.studies.speed DATA [--weights DIR] [--images 256] [--float32]

DATA holds images in CelebA's layout. Prints, for each feature set, seconds of an epoch of the usual
way (keras_fit.py, "naive") in float32 and bfloat16, measured on a few hundred images and scaled up
to all, beside the seconds that gfr takes once ("ours"); the TFLOP/s reached, and what a convolution
reaches on the machine; and lines `whole, ...: N x`: 90 epochs a backbone (20 + 50 at the small
size, 20 at the large) of the usual way against a real cold run of gfr from process start to the
ninth evaluated head. With --float32 there is such a run in float32 as well.
"""

import sys
import tempfile
import time
import timeit
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import gfr
from benchmarks import harness
from benchmarks.studies import keras_fit
from cli import options
from gfr.config import benchmark_files, loader, schema
from gfr.data import loading
from gfr.data.dataset import Faces
from gfr.data.images import batches
from gfr.errors import StepFailed
from gfr.measurement import hardware, reference_workload, software
from gfr.models import backbone, feature_extraction, fused_model
from gfr.models.weights import resolve

BATCH_SIZES = (32, 64, 128)  # of which the usual way gets its fastest
PRECISIONS = ("float32", "bfloat16")


def main(
    data: Path, weights: options.Weights = "auto", images: int = 256, float32: bool = False
) -> None:
    """Measure and print."""
    benchmark = gfr.load_benchmark("full")
    machine = hardware.collect()
    print(f"{machine.cpu_model}, {machine.cpu_threads} threads, {' '.join(machine.cpu_flags)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["--data", str(data.absolute()), "--weights", weights]
        precisions = ["auto", "float32"] if float32 else ["auto"]
        ours_s = {each: whole_run_s(words, each, folder) for each in precisions}
        faces = loading.look(str(data.absolute()), benchmark, folder).faces
        rows = []
        for feature_set in benchmark.feature_sets:
            used = resolve(feature_set.backbone, weights, benchmark.seed, folder, False)
            rows.append(measure(feature_set, faces, Path(used.path), images))
            print(rows[-1], file=sys.stderr, flush=True)
    print_totals(pd.DataFrame(rows), benchmark, ours_s)


def print_totals(
    table: pd.DataFrame, benchmark: schema.Benchmark, ours_s: dict[str, float]
) -> None:
    """Print the table, and the seconds of all epochs against those of whole runs."""
    print(table.to_markdown(index=False, floatfmt=".2f"))
    rates = reference_workload.measure()
    gflops = f"float32 {rates.float32_gflops:.0f}, bfloat16 {rates.bfloat16_gflops:.0f}"
    print(f"GFLOP/s of a convolution: {gflops}")
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


def whole_run_s(words: list[str], precision: str, folder: Path) -> float:
    """Seconds of a cold `gfr run` until its ninth head is evaluated; latency is not waited for.

    One head a trial, as in the usual way: no other seeds, splits or numbers of images.
    """
    text = benchmark_files.benchmark_file("full").read_text("utf-8")
    text = text.replace("\nseeds = 5\n", "\nseeds = 1\nfractions = []\n")
    text = text.replace("\n[training]\n", "\ncompare_rules = false\n\n[training]\n")
    text += "\n[export]\nprecisions = []\n[latency]\ncalls = 2\nseconds = 0\naccelerated = false\n"
    path = folder / f"{precision}.toml"
    path.write_text(f'{text}\n[features]\nprecision = "{precision}"\n')
    if loader.load(path).refits(has_identity=True):
        raise StepFailed("full.toml trains more heads than the usual way does")
    command = harness.run_command(path, precision, *words, "--cache", f"cache-{precision}")
    begun_s = time.time()
    harness.call(precision, command, folder).check_returncode()
    records = (folder / "reports" / "runs" / precision / "trials").glob("*.json")
    return max(record.stat().st_mtime for record in records) - begun_s


def measure(
    feature_set: schema.FeatureSet, faces: Faces, weights_path: Path, num_images: int
) -> dict[str, object]:
    """Both ways in both precisions on one feature set, in turn."""
    paths = faces.paths()[:num_images]
    is_male = faces.is_male[:num_images].astype(np.float32)
    num_all = len(faces.names)
    row: dict[str, object] = {"Model": feature_set.title}
    for precision in PRECISIONS:
        seconds = min(
            keras_fit.epoch_s(
                keras_fit.model(feature_set, weights_path, precision), (paths, is_male), size
            )
            for size in BATCH_SIZES
        )
        # Four fifths of all images are for training and validation.
        row[f"naive {precision}, s an epoch"] = seconds * 4 / 5 * num_all / len(paths)
        per_s = images_per_s(feature_set, weights_path, precision, paths)
        row[f"ours {precision}, images/s"] = per_s
        row[f"ours {precision}, s once"] = num_all / per_s
        row[f"ours {precision}, TFLOP/s"] = per_s * flop(feature_set) / 1e12
    row["one epoch / once"] = row["naive bfloat16, s an epoch"] / row["ours bfloat16, s once"]
    return row


def images_per_s(
    feature_set: schema.FeatureSet, weights_path: Path, precision: str, paths: list[Path]
) -> float:
    """Best of three passes through the extraction graph, decoded pixels to features."""
    keras.utils.clear_session()
    graph = fused_model.compiled(backbone.build(feature_set, weights_path, precision))
    decoded = list(batches(paths, feature_extraction.batch_size_of(feature_set)))

    def extract() -> None:
        for batch in decoded:
            fused_model.run_batch(graph, batch)

    extract()  # sets oneDNN up
    return len(paths) / min(timeit.repeat(extract, number=1, repeat=3))


def flop(feature_set: schema.FeatureSet) -> float:
    """Floating point operations of one image: 2 a multiply-add of every convolution."""
    network = backbone.application(feature_set.backbone.name, (*feature_set.size, 3), None)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    return sum(
        2.0 * np.prod(each.kernel.shape) * np.prod(each.output.shape[1:3]) for each in layers
    )


if __name__ == "__main__":
    harness.execute(main)
