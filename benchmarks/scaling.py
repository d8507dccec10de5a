"""Is time linear in the images, and memory flat? 5,000, 20,000 and 50,000, all three backbones.

    .venv/bin/python benchmarks/scaling.py DATA [--images 5000 20000 50000] [--plot FILE.png]

In: images in CelebA's layout, gone round as often as need be. Out: for each number, in a process of
its own, seconds from checking images to three trained heads and the largest proportional set size
on the way, as a table and a figure. Random weights, 96 x 96, few epochs: what is measured is how
both grow. Never keeps features.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

SIZE, EPOCHS, BATCH_SIZE, SEED = (96, 96), 3, 64, 1024
BACKBONES = ("VGG16", "InceptionV3", "InceptionResNetV2")
_SAMPLE_EVERY_S = 0.5


def main() -> None:
    """A process a number of images, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[5000, 20_000, 50_000])
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        print(json.dumps(measure(asked.data.absolute(), asked.images[0])))
        return
    rows = []
    for num_images in asked.images:
        words = [sys.executable, __file__, str(asked.data), "--here", "--images", str(num_images)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], file=sys.stderr, flush=True)
    table = pd.DataFrame(rows)
    print(table.astype({"images": str}).to_markdown(index=False, floatfmt=".1f"))
    if asked.plot:
        plot(table, asked.plot)


def measure(data: Path, num_images: int) -> dict[str, float | int]:
    """Seconds of each stage and peak memory; features go to a temporary folder."""
    from gfr.config.schema import Backbone, FeatureSet
    from gfr.data import dataset, inspection
    from gfr.measurement import reference_workload
    from gfr.models import backbone, feature_extraction, feature_store, head, weights
    from gfr.models.precision import Choice

    peak = Peak()
    backbone.make_deterministic()
    listed = dataset.load(data, "all", SEED).faces
    around = np.resize(np.arange(len(listed.names)), num_images)
    names = tuple(listed.names[row] for row in around)
    faces = dataclasses.replace(listed, names=names, is_male=listed.is_male[around])
    precision, rows = reference_workload.measure().fastest, np.arange(num_images)
    found: dict[str, float | int] = {"images": num_images}
    with tempfile.TemporaryDirectory() as cache:
        begun_s = time.perf_counter()
        # Repeated names are one key for `inspect`: the digests of the first round serve all.
        seen = inspection.inspect(listed, lambda done, total: None).faces
        digests = tuple(seen.pixels_sha256[row] for row in around)
        faces = dataclasses.replace(faces, pixels_sha256=digests)
        for name in BACKBONES:
            row = Backbone(name, "tf", "random", name)
            feature_set = FeatureSet(row, SIZE, "fixed", precision)
            used = weights.resolve(row, "random", SEED, Path(cache), allow_download=False)
            job = feature_extraction.Job(feature_set, faces, used, "digest", Path(cache))
            choice = Choice(feature_set.id, precision, "asked for", "means nothing")
            stage_s = time.perf_counter()
            made = feature_extraction.extract(
                job, choice, feature_store.WHOLE, "", lambda done, total: None
            )
            found[f"{name}, features (s)"] = time.perf_counter() - stage_s
            stage_s = time.perf_counter()
            table = feature_store.read(Path(made.extracted.directory))
            parts = rows[: 4 * num_images // 5], rows[4 * num_images // 5 :]
            fit = head.trainer(table, 1.0, faces.is_male, BATCH_SIZE)
            fit(*parts, EPOCHS, SEED, lambda done, total: None)
            found[f"{name}, head (s)"] = time.perf_counter() - stage_s
        found["all (s)"] = time.perf_counter() - begun_s
    return found | {"peak (GB)": peak.stop() / 1e9}


class Peak:
    """The largest proportional set size of this process and its children, sampled."""

    def __init__(self) -> None:
        """Begin."""
        self.bytes = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self.over.wait(_SAMPLE_EVERY_S):
            members = [process, *process.children(recursive=True)]
            self.bytes = max(self.bytes, sum(row.memory_full_info().pss for row in members))

    def stop(self) -> int:
        """End; bytes."""
        self.over.set()
        self.thread.join()
        return self.bytes


def plot(table: pd.DataFrame, path: Path) -> None:
    """Seconds beside a straight line, and memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    thousands = table["images"] / 1000
    left.plot(thousands, table["all (s)"], "o-", color="#0072B2", label="measured")
    ends = thousands.iloc[[0, -1]], table["all (s)"].iloc[[0, -1]]
    left.plot(*ends, "--", color="0.4", label="straight line, first to last")
    left.set_ylabel("seconds, images to heads")
    left.legend(fontsize=8, frameon=False)
    right.plot(thousands, table["peak (GB)"], "s-", color="#D55E00")
    right.set_ylim(0, 1.3 * table["peak (GB)"].max())
    right.set_ylabel("peak memory (PSS), GB")
    for axes in (left, right):
        axes.set_xlabel("thousand images")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
