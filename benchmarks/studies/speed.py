"""Compare features once with `fit` on a frozen backbone, both measured in one go.

    .venv/bin/python -m benchmarks.studies.speed DATA [--weights DIR] [--images 256] [--float32]

DATA holds images in CelebA's layout. Prints, for each feature set, seconds of an epoch of the usual
way (keras_fit.py, "naive") in float32 and bfloat16, measured on a few hundred images and scaled up
to all, beside the seconds that gfr takes once ("ours"); the TFLOP/s reached, and what a convolution
reaches on the machine; and a last line `whole: N x`: 90 epochs a backbone (20 + 50 at the small
size, 20 at the large) of the usual way in float32 against a real cold run of gfr from process start
to the ninth evaluated head.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import timeit
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from benchmarks import harness
from benchmarks.studies import keras_fit
from gfr.config import benchmark_files, loader, schema
from gfr.data import images, loading
from gfr.measurement import hardware, reference_workload, software
from gfr.models import backbone, feature_extraction, fused_model, weights
from gfr.storage import paths as storage_paths

BATCH_SIZES = (32, 64, 128)  # of which the usual way gets its fastest
PRECISIONS = ("float32", "bfloat16")


def main() -> None:
    """Measure and print."""
    parser = harness.parser(__doc__)
    parser.add_argument("data", type=lambda path: str(Path(path).absolute()))
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--images", type=int, default=256, help="for the usual way's epoch")
    parser.add_argument("--float32", action="store_true", help="a whole run of ours in it as well")
    options = parser.parse_args()
    options.weights = storage_paths.at_root(options.weights, weights.KEYWORDS)
    benchmark = loader.load(benchmark_files.benchmark_file("full"))
    machine = hardware.collect()
    print(f"{machine.cpu_model}, {machine.cpu_threads} threads, {' '.join(machine.cpu_flags)}")
    with tempfile.TemporaryDirectory() as name:
        ours_s = {
            precision: whole_run_s(options, precision, Path(name))
            for precision in (("auto", "float32") if options.float32 else ("auto",))
        }
        looked = loading.look(options.data, benchmark, Path(name))
        table = pd.DataFrame(
            measure(row, looked, benchmark, options, Path(name)) for row in benchmark.feature_sets
        )
    print_totals(table, benchmark, ours_s)


def print_totals(
    table: pd.DataFrame, benchmark: schema.Benchmark, ours_s: dict[str, float]
) -> None:
    """Print the table, and the seconds of all epochs against those of whole runs."""
    print(table.to_markdown(index=False, floatfmt=".2f"))
    rates = reference_workload.measure()
    print(f"GFLOP/s of a convolution: float32 {rates.float32_gflops:.0f}", end=", ")
    print(f"bfloat16 {rates.bfloat16_gflops:.0f}")
    epochs = [
        sum(row.iteration.epochs for row in benchmark.trials if row.feature_set == feature_set)
        for feature_set in benchmark.feature_sets
    ]
    naive_s = {
        precision: float((table[f"naive {precision}, s an epoch"] * epochs).sum())
        for precision in PRECISIONS
    }
    for precision, seconds in ours_s.items():
        print(f"ours, {precision}: {seconds:,.0f} s from process start to the ninth evaluated head")
    for precision, seconds in naive_s.items():
        print(f"naive, {precision}: {seconds:,.0f} s for {sum(epochs)} epochs, extrapolated")
    print(f"machine load {hardware.collect().cpu_load:.1f}; {software.engine()}")
    if "float32" in ours_s:
        print(f"whole, both in float32: {naive_s['float32'] / ours_s['float32']:.0f} x")
    print(f"whole, naive in bfloat16: {naive_s['bfloat16'] / ours_s['auto']:.0f} x")
    print(f"whole: {naive_s['float32'] / ours_s['auto']:.0f} x")


def whole_run_s(options: argparse.Namespace, precision: str, folder: Path) -> float:
    """Seconds of a cold `gfr run` until its ninth head is evaluated; latency is not waited for.

    One head a trial, as in the usual way: no other seeds, splits or numbers of images.
    """
    text = benchmark_files.benchmark_file("full").read_text("utf-8")
    text = text.replace("\nseeds = 5\n", "\nseeds = 1\nfractions = []\n")
    text = text.replace("\n[training]\n", "\ncompare_rules = false\n\n[training]\n")
    text += "\n[export]\nprecisions = []\n[latency]\ncalls = 2\nseconds = 0\naccelerated = false\n"
    path = folder / f"{precision}.toml"
    path.write_text(f'{text}\n[features]\nprecision = "{precision}"\n')
    benchmark = loader.load(path)
    if benchmark.refits(has_identity=True):
        raise SystemExit("error: full.toml trains more heads than the usual way does")
    places = ["--data", options.data, "--weights", options.weights, "--cache", f"cache-{precision}"]
    trials = folder / "reports" / "runs" / precision / "trials"
    records = [trials / f"{trial.id}.json" for trial in benchmark.trials]
    begun_s = time.time()
    subprocess.run(
        harness.run_command(path, precision, *places),
        cwd=folder,
        env=harness.environment(),
        stdout=subprocess.DEVNULL,
        timeout=harness.TIMEOUT_S,
        check=True,
    )
    return max(file.stat().st_mtime for file in records) - begun_s


def measure(
    feature_set: schema.FeatureSet,
    looked: loading.Looked,
    benchmark: schema.Benchmark,
    options: argparse.Namespace,
    cache: Path,
) -> dict[str, object]:
    """Both ways in both precisions on one feature set, in turn."""
    used = weights.resolve(feature_set.backbone, options.weights, benchmark.seed, cache, False)
    paths = looked.faces.paths()[: options.images]
    is_male = looked.faces.is_male[: options.images].astype(np.float32)
    num_all = len(looked.faces.names) * 4 / 5  # training and validation
    row: dict[str, object] = {"Model": feature_set.title}
    for precision in PRECISIONS:
        seconds = min(
            keras_fit.epoch_s(
                keras_fit.model(feature_set, Path(used.path), precision), (paths, is_male), size
            )
            for size in BATCH_SIZES
        )
        row[f"naive {precision}, s an epoch"] = seconds * num_all / len(paths)
        per_s = images_per_s(feature_set, Path(used.path), precision, paths)
        row[f"ours {precision}, images/s"] = per_s
        row[f"ours {precision}, s once"] = len(looked.faces.names) / per_s
        row[f"ours {precision}, TFLOP/s"] = per_s * flop(feature_set) / 1e12
    row["one epoch / once"] = row["naive bfloat16, s an epoch"] / row["ours bfloat16, s once"]
    print(row, file=sys.stderr, flush=True)
    return row


def images_per_s(
    feature_set: schema.FeatureSet, weights_path: Path, precision: str, paths: list[Path]
) -> float:
    """Best of three passes through the extraction graph, decoded pixels to features."""
    keras.utils.clear_session()
    graph = fused_model.compiled(backbone.build(feature_set, weights_path, precision))
    batches = list(images.batches(paths, feature_extraction.batch_size_of(feature_set)))

    def extract() -> None:
        for batch in batches:
            fused_model.run_batch(graph, batch)

    extract()  # sets oneDNN up
    return len(paths) / min(timeit.repeat(extract, number=1, repeat=3))


def flop(feature_set: schema.FeatureSet) -> float:
    """Floating point operations of one image: 2 a multiply-add of every convolution."""
    network = backbone.application(feature_set.backbone.name, (*feature_set.size, 3), None)
    total = 0.0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += 2.0 * float(np.prod(layer.kernel.shape)) * height * width
    return total


if __name__ == "__main__":
    harness.execute(main)
