"""First stage of an export: the fused Keras model, as a .keras file and a SavedModel.

Every format is converted from this SavedModel, or from the Keras file where the network is an .onnx
file (gfr/export/fused_onnx.py). Fusing, converting (gfr/export/tfjs.py,
gfr/export/convert.py) and validating (gfr/export/validate.py, gfr/export/file_formats.py) take a
process each (gfr/pipeline/model_formats.py): in a single one InceptionResNetV2 needs up to 7 GB.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gfr.engines import keras_model
from gfr.engines.base import classify_files
from gfr.engines.tensorflow import classifier
from gfr.export import agreement, golden_images
from gfr.models import backbone, fused_model
from gfr.results import store
from gfr.results.export_records import REFERENCE, SAVED_MODEL, SIGNATURE
from gfr.storage import atomic
from gfr.storage.run_directory import ExportDirectory


def fuse(run_dir: Path, trial_id: str, folder: Path) -> int:
    """Write model, SavedModel, golden images and Keras' probabilities into `folder`.

    Returns the model's number of parameters.
    """
    model = keras_model.load(run_dir, store.read_run(run_dir).result_of(trial_id))
    atomic.save(ExportDirectory(folder).keras, model.save)
    classify = classifier(model)
    golden_images.write(folder, classify)
    reference = classify_files(classify, agreement.images_of(run_dir).paths)
    atomic.write(folder / REFERENCE, lambda file: np.save(file, reference))
    write_source(model, folder)
    return fused_model.num_parameters(model)


def write_source(model: keras.Model, folder: Path) -> None:
    """Write the SavedModel that formats are converted from (`export_records.source`).

    TensorFlow cannot save a network that another runtime computes; then write the Keras file.
    """
    if all(row.is_exportable for row in fused_model.external_networks(model)):
        write_graph(model, folder / SAVED_MODEL)
    elif not (path := ExportDirectory(folder).keras).exists():
        atomic.save(path, model.save)


def write_graph(model: keras.Model, target: Path) -> None:
    """Write the SavedModel that the converter reads; changes the axes of the model's BatchNorm.

    Keras' own ExportArchive also has TensorFlow trace every layer, which nothing calls and which
    takes more than twice as long (docs/LOG.md).
    """
    count_from_the_end(model)
    module = tf.Module()
    module.model_variables = [variable.value for variable in model.variables]
    signature = [tf.TensorSpec([None, *backbone.ANY_SIZE], tf.float32, name="pixels")]

    @tf.function(input_signature=signature, autograph=False)
    def serve(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"p_male": model(pixels, training=False)}

    tf.saved_model.save(module, str(target), signatures={SIGNATURE: serve})


def count_from_the_end(model: keras.Model) -> None:
    """Give every BatchNorm the axis -1 instead of 3; its results do not change.

    With Inception's `axis=3` its constants have four dimensions, and the wasm backend refuses what
    the converter makes of them: "FusedConv2D only supports rank-1 bias but got rank 4".
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            count_from_the_end(layer)
        elif isinstance(layer, keras.layers.BatchNormalization) and layer.axis == 3:
            layer.axis = -1
