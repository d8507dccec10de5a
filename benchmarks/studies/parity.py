"""Does JavaScript give the probabilities of Keras, on the whole test set?

    .venv/bin/python -m benchmarks.studies.parity [RUN] [--trial VGG16-iteration-3] [--images N]

Needs a finished run with its data and weights. Prints, for float32 and for the precision that was
exported, the differences of p_male between TensorFlow.js (wasm, in Node, the page's own code),
TensorFlow with the same weights, and the fused Keras model. Exit code 1 if float32 differs from
Keras by more than 1e-4 or in an answer.
"""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import gfr
from benchmarks import harness
from cli import options
from gfr import engines
from gfr.data.images import decode
from gfr.engines.base import classify_files
from gfr.export import agreement
from gfr.export.validate import compare_javascript
from gfr.measurement import hardware
from gfr.pipeline import isolation
from gfr.results import export_records
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory


def main(run_id: options.Run = None, trial: options.Trial = None, images: int | None = None) -> int:
    """Measure and print."""
    run = gfr.load_run(run_id)
    chosen = run.result_of(trial).trial
    exported = "uint16"
    export = RunDirectory(run.directory).export(chosen.id).record
    if export.exists():
        exported = serialization.read(export, export_records.ExportResult).precision
    precisions = tuple(dict.fromkeys(("float32", exported)))
    paths = agreement.images_of(run.directory).test_paths
    pixels = [decode(path).pixels for path in paths[:images]]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder, limits = Path(name), isolation.Limits()
        fuse, convert = "gfr.export.saved_model:fuse", "gfr.export.tfjs:convert"
        isolation.call_alone(fuse, run.directory, chosen.id, folder, limits=limits)
        isolation.call_alone(convert, precisions, folder, limits=limits)
        reference = agreement.read_reference(folder)
        for precision in precisions:
            model = export_records.directory(folder, precision)
            in_node = engines.get("tfjs").load(model)(pixels)
            p_male = classify_files(engines.get("tensorflow").load(model), paths)
            compared = compare_javascript(in_node, reference, p_male)
            row = {"precision": precision} | dataclasses.asdict(compared)
            row["p50_ms"] = 1000 * np.median(row.pop("values_s"))
            rows.append(row)
    print(f"{chosen.title}, run {run.record.run_id}: {hardware.collect().cpu_model}")
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g"))
    is_far = rows[0]["from_keras"] > export_records.TOLERANCE
    return int(is_far or rows[0]["num_other_answers"] > 0)


if __name__ == "__main__":
    harness.execute(main)
