"""Does JavaScript answer as Keras does? Over the whole test set, not over a sample.

    .venv/bin/python benchmarks/parity.py [RUN] [--trial VGG16-iteration-3] [--images N]

In: a finished run with its data and weights. Out: on standard output, for float32 and for the
precision that was exported, the differences of p_male between TensorFlow.js (wasm, in Node, the
page's own code), TensorFlow with the same weights, and the fused Keras model. Exit code 1 if
float32 differs from Keras by more than 1e-4 or in an answer.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from gfr.data import images
from gfr.engines import node
from gfr.export import tfjs, validate
from gfr.export.saved_model import REFERENCE, examined
from gfr.measurement import hardware
from gfr.pipeline import isolation
from gfr.results import export_records, store
from gfr.storage import paths as storage_paths
from gfr.storage import run_directory, serialization
from gfr.storage.run_directory import RunDirectory


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", help="a run id; the newest finished one if not given")
    parser.add_argument("--trial", help="not the selected one")
    parser.add_argument("--reports", type=Path, default=storage_paths.default_directory("reports"))
    parser.add_argument("--images", type=int, help="the first of the test set alone")
    asked = parser.parse_args()
    run = store.read_run(run_directory.find(asked.reports, asked.run))
    trial = run.result_of(asked.trial).trial
    path = RunDirectory(run.directory).export(trial.id).record
    precision = (
        serialization.read(path, export_records.ExportResult).precision
        if path.exists()
        else "uint16"
    )
    paths, _ = examined(run.directory)
    precisions = tuple(dict.fromkeys(("float32", precision)))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        limits = isolation.Limits()
        isolation.call_alone(
            "gfr.export.saved_model:fuse", run.directory, trial.id, folder, limits=limits
        )
        isolation.call_alone("gfr.export.tfjs:convert", precisions, folder, limits=limits)
        reference = np.load(folder / REFERENCE)
        for row in precisions:
            model = tfjs.directory(folder, row)
            spoken = in_javascript(model, paths[: asked.images])
            rows.append((row, node.agreement(spoken, reference, validate.in_graph(model, paths))))
    print(f"{trial.title}, run {run.record.run_id}: {hardware.collect().cpu_model}")
    print(pd.DataFrame(map(as_row, rows)).to_markdown(index=False, floatfmt=".3g"))
    float32 = rows[0][1]
    sys.exit(float32.from_keras > export_records.TOLERANCE or float32.num_other_answers > 0)


def in_javascript(model: Path, paths: Sequence[Path]) -> node.Answers:
    """Every image, by as many processes as there are processors."""
    parts = np.array_split(np.array(paths), hardware.collect().cpu_threads)

    def classify(part: Sequence[Path]) -> node.Answers:
        return node.classify(model, [images.decode(path).pixels for path in part])

    with ThreadPoolExecutor(len(parts)) as pool:
        found = list(pool.map(classify, parts))
    return node.Answers(
        np.concatenate([row.p_male for row in found]),
        tuple(second for row in found for second in row.seconds),
        found[0].backend,
        found[0].version,
    )


def as_row(row: tuple[str, export_records.JavaScript]) -> dict[str, object]:
    """One precision."""
    precision, spoken = row
    return {
        "precision": precision,
        "images": spoken.num_images,
        "max dp, Keras": spoken.from_keras,
        "max dp, same weights": spoken.from_graph,
        "other answers": spoken.num_other_answers,
        "p50, ms": 1000 * float(np.median(spoken.values_s)),
        "runtime": f"TensorFlow.js {spoken.version}, {spoken.backend}",
    }


if __name__ == "__main__":
    main()
