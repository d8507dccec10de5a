"""Convert a SavedModel to TensorFlow.js graph models in several precisions.

Importing this module imports tensorflowjs, which takes seconds.
"""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from gfr import environment
from gfr.config.schema import WebPrecision
from gfr.results.export_records import SAVED_MODEL, SIGNATURE, directory

environment.import_tensorflowjs()  # must come before the next imports, hence E402

from tensorflowjs import read_weights, write_weights  # noqa: E402
from tensorflowjs.converters import normalize_bias_add, tf_saved_model_conversion_v2  # noqa: E402

_normalize_bias_add_op = normalize_bias_add.normalize_bias_add_op

_SHARD_BYTES = 4 * 1024 * 1024  # small enough for browsers to cache


def convert(precisions: tuple[WebPrecision, ...], folder: Path) -> None:
    """Write one graph model per precision beside the SavedModel in `folder`."""
    source, float32 = folder / SAVED_MODEL, directory(folder, "float32")
    with mock.patch.object(normalize_bias_add, "normalize_bias_add_op", _constants_as_biases):
        tf_saved_model_conversion_v2.convert_tf_saved_model(
            str(source), str(float32), signature_def=SIGNATURE, weight_shard_size_bytes=_SHARD_BYTES
        )
    for precision in precisions:
        if precision != "float32":
            quantise(float32, precision, directory(folder, precision))


def _constants_as_biases(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Run the converter's pass that turns convolution + x into BiasAdd for constant vectors only.

    Unpatched (tensorflowjs 4.22), the pass takes any x for a bias if a convolution has none of its
    own. With random weights all biases are zeros and already removed, so it takes ResNet50's
    residuals, or the scalar 3 of MobileNetV3's hard sigmoid, and no runtime accepts such a bias.
    """
    vectors = {
        node.name
        for node in graph.node
        if node.op == "Const" and len(node.attr["value"].tensor.tensor_shape.dim) == 1
    }
    sums = [
        (node, node.op)
        for node in graph.node
        if node.op in ("Add", "AddV2") and node.input[1] not in vectors
    ]
    for node, _ in sums:
        node.op = "AddN"  # the pass ignores it
    _normalize_bias_add_op(graph)
    for node, op in sums:
        node.op = op
    return graph


def quantise(source: Path, precision: WebPrecision, target: Path) -> None:
    """Write a float32 graph model with its kernels in another precision.

    Kernels are the float32 weights of two and more dimensions; biases and scalars, a thousandth of
    the size, stay float32. uint8 and uint16 map each kernel's range linearly onto the integers.
    """
    model = json.loads((source / "model.json").read_text("utf-8"))
    groups = read_weights.read_weights(model["weightsManifest"], str(source))
    kernels = [
        row["name"]
        for group in groups
        for row in group
        if row["data"].dtype == np.float32 and row["data"].ndim >= 2
    ]
    target.mkdir()
    model["weightsManifest"] = write_weights.write_weights(
        groups,
        str(target),
        shard_size_bytes=_SHARD_BYTES,
        write_manifest=False,
        quantization_dtype_map={precision: kernels},
    )
    (target / "model.json").write_text(json.dumps(model), "utf-8")
