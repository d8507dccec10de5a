"""The model of one trial on its way to TensorFlow.js: fused, and as Keras answers.

In: a run directory and a finished trial. Out: in a folder, the .keras file, a SavedModel, the
golden images and Keras' probabilities. The first of three stages, each for a process of its own
(gfr/pipeline/steps.py): InceptionResNetV2 takes up to 7 GB in a single one. Then
gfr/export/tfjs.py converts and
gfr/export/validate.py measures. Never quantises.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gfr.data import images
from gfr.engines import keras_model
from gfr.export import golden_images
from gfr.models import backbone
from gfr.progress import reporter
from gfr.results import store
from gfr.results.export_records import STEP
from gfr.storage import atomic
from gfr.storage.run_directory import ExportDirectory

NUM_STAGES, UNIT = 4, "stages"  # of the progress shown

SIGNATURE = "serve"

REFERENCE, SAVED_MODEL = "reference.npy", "saved_model"

_BATCH = 64


def fuse(run_dir: Path, trial_id: str, folder: Path) -> int:
    """Fill `folder`; return the model's number of parameters."""
    report = reporter(STEP, UNIT)
    report(0, NUM_STAGES)
    model = keras_model.load(run_dir, store.read_run(run_dir).result_of(trial_id))
    atomic.save(ExportDirectory(folder).keras, model.save)
    classify = keras_model.classifier(model)
    pictures = golden_images.collect()
    golden_images.write(folder, pictures, classify([row.pixels for row in pictures])[:, 0])
    paths, _ = examined(run_dir)
    reference = over(paths, classify)
    atomic.write(folder / REFERENCE, lambda file: np.save(file, reference))
    write_graph(model, folder / SAVED_MODEL)
    report(1, NUM_STAGES)
    return model.count_params()


def write_graph(model: keras.Model, target: Path) -> None:
    """Write the SavedModel that the converter reads; BatchNorm's axes change, answers do not.

    The one graph and its variables. Keras' own ExportArchive has TensorFlow trace every layer as
    well, which nobody calls and which takes more than twice as long (docs/LOG.md).
    """
    count_from_the_end(model)
    module = tf.Module()
    module.model_variables = [variable.value for variable in model.variables]
    signature = [tf.TensorSpec([None, *backbone.ANY_SIZE], tf.float32, name="pixels")]

    @tf.function(input_signature=signature, autograph=False)
    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p_male": model(pixels, training=False)}

    tf.saved_model.save(module, str(target), signatures={SIGNATURE: serve})


def examined(run_dir: Path) -> tuple[list[Path], np.ndarray]:
    """The test images that exports are measured on, and is_male, bool (N,)."""
    _, faces, splits = store.open_run(run_dir)
    rows = np.flatnonzero(splits == "test")
    paths = faces.paths()
    return [paths[row] for row in rows], faces.is_male[rows]


def over(paths: Sequence[Path], classify: Callable[[list[np.ndarray]], np.ndarray]) -> np.ndarray:
    """p_male float32 (N,) of image files."""
    batches = [classify(batch) for batch in images.batches(paths, _BATCH)]
    return np.concatenate(batches)[:, 0]


def count_from_the_end(model: keras.Model) -> None:
    """Have every BatchNorm call its axis -1; nothing else changes.

    With Inception's `axis=3` its constants have four dimensions, and the wasm backend refuses what
    the converter makes of them: "FusedConv2D only supports rank-1 bias but got rank 4".
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            count_from_the_end(layer)
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.axis == 3:
            layer.axis = -1
