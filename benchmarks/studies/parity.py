"""Does JavaScript give the probabilities of Keras, on the whole test set?

    .venv/bin/python -m benchmarks.studies.parity [RUN] [--trial VGG16-iteration-3] [--images N]

Needs a finished run with its data and weights. Prints, for float32 and for the precision that was
exported, the differences of p_male between TensorFlow.js (wasm, in Node, the page's own code),
TensorFlow with the same weights, and the fused Keras model. Exit code 1 if float32 differs from
Keras by more than 1e-4 or in an answer.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import harness
from gfr import engines
from gfr.data import images
from gfr.engines.base import classify_files
from gfr.export.validate import agreement, test_images
from gfr.measurement import hardware
from gfr.pipeline import isolation
from gfr.results import export_records
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory


def main() -> int:
    """Measure and print."""
    parser = harness.run_parser(__doc__)
    parser.add_argument("--trial", help="not the selected one")
    parser.add_argument("--images", type=int, help="the first of the test set alone")
    options = parser.parse_args()
    run = harness.read_run(options)
    trial = run.result_of(options.trial).trial
    path = RunDirectory(run.directory).export(trial.id).record
    exported_in = (
        serialization.read(path, export_records.ExportResult).precision
        if path.exists()
        else "uint16"
    )
    paths, _ = test_images(run.directory)
    precisions = tuple(dict.fromkeys(("float32", exported_in)))
    compared: dict[str, export_records.JavaScript] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        limits = isolation.Limits()
        isolation.call_alone(
            "gfr.export.saved_model:fuse", run.directory, trial.id, folder, limits=limits
        )
        isolation.call_alone("gfr.export.tfjs:convert", precisions, folder, limits=limits)
        reference = np.load(folder / export_records.REFERENCE)
        for precision in precisions:
            model = export_records.directory(folder, precision)
            pixels = [images.decode(path).pixels for path in paths[: options.images]]
            in_node = engines.get("node").load(model)(pixels)
            p_male = classify_files(engines.get("tensorflow").load(model), paths)
            compared[precision] = agreement(in_node, reference, p_male)
    print(f"{trial.title}, run {run.record.run_id}: {hardware.collect().cpu_model}")
    rows = [as_row(*item) for item in compared.items()]
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g"))
    float32 = compared["float32"]
    return int(float32.from_keras > export_records.TOLERANCE or float32.num_other_answers > 0)


def as_row(precision: str, compared: export_records.JavaScript) -> dict[str, object]:
    """One precision as a row of the table."""
    return {
        "precision": precision,
        "images": compared.num_images,
        "max dp, Keras": compared.from_keras,
        "max dp, same weights": compared.from_graph,
        "other answers": compared.num_other_answers,
        "p50, ms": 1000 * float(np.median(compared.values_s)),
        "runtime": f"TensorFlow.js {compared.version}, {compared.backend}",
    }


if __name__ == "__main__":
    harness.execute(main)
