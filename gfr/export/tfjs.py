"""TensorFlow.js graph models on disk: converted, quantised, and read back into TensorFlow.

In: a SavedModel, or a directory with model.json and its shards. Out: such directories, and the
written graph with the written weights as a function, so that what is measured is what a browser
downloads. Imports tensorflowjs, which takes seconds: for child processes alone.
"""

import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from gfr import environment
from gfr.config.schema import WebPrecision
from gfr.export.saved_model import NUM_STAGES, SAVED_MODEL, SIGNATURE, UNIT
from gfr.models.external.tfjs_graph import _model
from gfr.progress import reporter
from gfr.results.export_records import STEP
from gfr.storage.hashing import file_sha256, lines_sha256

environment.import_tensorflowjs()  # before what follows, hence E402

from tensorflowjs import read_weights, write_weights  # noqa: E402
from tensorflowjs.converters import normalize_bias_add, tf_saved_model_conversion_v2  # noqa: E402

_normalize_bias_add_op = normalize_bias_add.normalize_bias_add_op

_SHARD_BYTES = 4 * 1024 * 1024  # small enough for browsers to cache


def convert(precisions: tuple[WebPrecision, ...], folder: Path) -> None:
    """The SavedModel in `folder` -> a graph model for each precision; the SavedModel goes."""
    source, float32 = folder / SAVED_MODEL, directory(folder, "float32")
    with mock.patch.object(normalize_bias_add, "normalize_bias_add_op", _constants_as_biases):
        tf_saved_model_conversion_v2.convert_tf_saved_model(
            str(source),
            str(float32),
            signature_def=SIGNATURE,
            weight_shard_size_bytes=_SHARD_BYTES,
        )
    shutil.rmtree(source)
    for precision in precisions:
        if precision != "float32":
            quantise(float32, precision, directory(folder, precision))
    reporter(STEP, UNIT)(2, NUM_STAGES)


def _constants_as_biases(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """The converter's pass that makes a BiasAdd of convolution + x, for constant vectors x alone.

    As it is, it takes anything for a bias where a convolution has none of its own, as with random
    weights, whose biases are zeros and gone by then: ResNet50's residuals, or the 3 that
    MobileNetV3's hard sigmoid adds, and no runtime has a bias without a dimension
    (tensorflowjs 4.22).
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
        node.op = "AddN"  # which the pass leaves alone
    _normalize_bias_add_op(graph)
    for node, op in sums:
        node.op = op
    return graph


def directory(folder: Path, precision: WebPrecision) -> Path:
    """Where a precision stands until one is chosen."""
    return folder / f"tfjs-{precision}"


def quantise(source: Path, precision: WebPrecision, target: Path) -> None:
    """A float32 graph model -> the same graph with its kernels in another precision.

    Kernels are the float32 weights of two and more dimensions; biases and scalars, a thousandth of
    the size, stay float32. uint8 and uint16 map each kernel's range linearly onto the integers.
    """
    model = _model(source)
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


def num_bytes(source: Path) -> int:
    """What a browser downloads."""
    return sum(path.stat().st_size for path in source.iterdir())


def digest(source: Path) -> str:
    """SHA-256, in hex, over the name and SHA-256 of each file."""
    return lines_sha256(f"{path.name} {file_sha256(path)}" for path in sorted(source.iterdir()))
