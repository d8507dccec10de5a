"""Features once against `fit` with a frozen backbone: both measured side by side, in one run.

    .venv/bin/python benchmarks/speed.py DATA [--weights DIR] [--images 256] [--float32]

In: images in CelebA's layout. Out: on standard output, for each feature set, seconds an epoch of
the naive way (benchmarks/naive.py) in float32 and bfloat16, on a few hundred images and scaled up
to all, beside seconds of ours, once; TFLOP/s reached beside the machine's best; and a last line
`whole: N x`: 90 epochs a backbone (20 + 50 at the small size, 20 at the large) of the naive way in
float32, as everyone writes it, against a real cold run of ours from process start to the ninth
evaluated head.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import naive
import numpy as np
import pandas as pd
import tensorflow as tf

from gfr.config import benchmark_files, loader, schema
from gfr.data import images, loading
from gfr.measurement import hardware, software
from gfr.models import backbone, feature_extraction, fused_model, weights

BATCH_SIZES = (32, 64, 128)  # of which the naive way gets its fastest
PRECISIONS = ("float32", "bfloat16")
_TIMEOUT_S = 3600


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--images", type=int, default=256, help="for the naive way's epoch")
    parser.add_argument("--float32", action="store_true", help="a whole run of ours in it as well")
    asked = parser.parse_args()
    benchmark = loader.load(benchmark_files.benchmark_file("full"))
    machine = hardware.collect()
    print(f"{machine.cpu_model}, {machine.cpu_threads} threads, {' '.join(machine.cpu_flags)}")
    with tempfile.TemporaryDirectory() as name:
        ours_s = {
            precision: whole_run_s(asked, precision, Path(name))
            for precision in (("auto", "float32") if asked.float32 else ("auto",))
        }
        looked = loading.look(str(Path(asked.data).absolute()), benchmark, Path(name))
        sets = [
            measure(row, looked, benchmark, asked, Path(name)) for row in benchmark.feature_sets
        ]
    table = pd.DataFrame(sets)
    print(table.to_markdown(index=False, floatfmt=".2f"))
    print(peaks().to_markdown(index=False, floatfmt=".2f"))
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
        ratio = naive_s["float32"] / ours_s["float32"]
        print(f"whole, both in float32: {ratio:.0f} x")
    print(f"whole, naive in bfloat16: {naive_s['bfloat16'] / ours_s['auto']:.0f} x")
    print(f"whole: {naive_s['float32'] / ours_s['auto']:.0f} x")


def whole_run_s(asked: argparse.Namespace, precision: str, folder: Path) -> float:
    """Seconds of a cold `gfr run` until its ninth head is evaluated; latency is not waited for.

    One head a trial, as in the naive way: no other seeds, splits or numbers of images.
    """
    text = benchmark_files.benchmark_file("full").read_text("utf-8")
    text = text.replace("\nseeds = 5\n", "\nseeds = 1\nfractions = []\n")
    text = text.replace("\n[training]\n", "\ncompare_rules = false\n\n[training]\n")
    path = folder / f"{precision}.toml"
    path.write_text(f'{text}\n[features]\nprecision = "{precision}"\n')
    known = loader.load(path)
    if known.refits(has_identity=True):
        raise SystemExit("full.toml trains more heads than the naive way does")
    words = [sys.executable, "-c", "from cli.main import main; main()", "run", str(path)]
    words += ["--data", asked.data, "--weights", asked.weights, "--offline", "--run-id", precision]
    words += ["--cache", str(folder / f"cache-{precision}"), "--reports", str(folder)]
    trials = [folder / "runs" / precision / "trials" / f"{row.id}.json" for row in known.trials]
    begun_s = time.time()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        while not all(file.exists() for file in trials):
            if process.poll() is not None or time.time() - begun_s > _TIMEOUT_S:
                raise SystemExit(f"the run in {precision} ended with {process.poll()}")
            time.sleep(0.2)
        return max(file.stat().st_mtime for file in trials) - begun_s
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def measure(
    feature_set: schema.FeatureSet,
    looked: loading.Looked,
    benchmark: schema.Benchmark,
    asked: argparse.Namespace,
    cache: Path,
) -> dict[str, object]:
    """Both ways in both precisions on one feature set, in turn."""
    used = weights.resolve(feature_set.backbone, asked.weights, benchmark.seed, cache, False)
    paths = looked.faces.paths()[: asked.images]
    is_male = looked.faces.is_male[: asked.images].astype(np.float32)
    num_all = len(looked.faces.names) * 4 / 5  # training and validation
    row: dict[str, object] = {"Model": feature_set.title}
    for precision in PRECISIONS:
        seconds = min(
            naive.epoch_s(feature_set, Path(used.path), precision, size, paths, is_male)
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
    seconds = []
    for _ in range(4):  # the first sets oneDNN up
        begun_s = time.perf_counter()
        for batch in batches:
            fused_model.run_batch(graph, batch)
        seconds.append(time.perf_counter() - begun_s)
    return len(paths) / min(seconds[1:])


def flop(feature_set: schema.FeatureSet) -> float:
    """Floating point operations of one image: 2 a multiply-add of every convolution."""
    network = backbone.application(feature_set.backbone.name, (*feature_set.size, 3), None)
    total = 0.0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += 2.0 * float(np.prod(layer.kernel.shape)) * height * width
    return total


def peaks() -> pd.DataFrame:
    """The machine's best convolution and matrix product of a sweep, TFLOP/s."""
    rows = []
    for name in PRECISIONS:
        dtype = tf.as_dtype(name)
        convolution = max(
            _convolution(side, width, dtype) for side, width in ((28, 256), (14, 512))
        )
        product = max(_product(size, dtype) for size in (1024, 2048, 4096))
        rows.append(
            {"Precision": name, "convolution, TFLOP/s": convolution, "product, TFLOP/s": product}
        )
    return pd.DataFrame(rows)


def _convolution(side: int, width: int, dtype: tf.DType) -> float:
    pixels, kernel = tf.ones([64, side, side, width], dtype), tf.ones([3, 3, width, width], dtype)
    run = tf.function(lambda: tf.nn.conv2d(pixels, kernel, 1, "SAME"))
    return _tflops(run, 2.0 * 64 * side**2 * 9 * width**2)


def _product(size: int, dtype: tf.DType) -> float:
    a, b = tf.ones([size, size], dtype), tf.ones([size, size], dtype)
    return _tflops(tf.function(lambda: tf.matmul(a, b)), 2.0 * size**3)


def _tflops(run: object, num_flop: float) -> float:
    seconds = []
    for _ in range(10):
        begun_s = time.perf_counter()
        run().numpy()
        seconds.append(time.perf_counter() - begun_s)
    return num_flop / min(seconds) / 1e12


if __name__ == "__main__":
    main()
