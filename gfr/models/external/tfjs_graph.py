"""Load a TensorFlow.js graph model into TensorFlow.

Importing this module imports tensorflowjs, which takes seconds.
"""

import json
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from google.protobuf import json_format

from gfr import environment

environment.import_tensorflowjs()  # must come before the next import, hence E402
from tensorflowjs import read_weights  # noqa: E402


def load(source: Path) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the graph with its weights as a function: uint8 (N, H, W, 3) -> float32 (N, 1).

    Args:
        source: a directory with model.json and its weight files.
    """
    model = json.loads((source / "model.json").read_text("utf-8"))
    graph = json_format.ParseDict(model["modelTopology"], tf.compat.v1.GraphDef())
    groups = read_weights.read_weights(model["weightsManifest"], str(source))
    values = {row["name"]: row["data"] for group in groups for row in group}
    for node in graph.node:
        if node.op == "Const":
            proto = tf.make_tensor_proto(values[node.name], node.attr["dtype"].type)
            node.attr["value"].tensor.CopyFrom(proto)
    (pixels,), (p_male,) = (model["signature"][side].values() for side in ("inputs", "outputs"))
    whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    run = whole.prune(pixels["name"], p_male["name"])
    return lambda images: run(tf.cast(images, tf.float32))
