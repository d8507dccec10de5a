"""Rewrite correct graphs on which TensorFlow 2.21 crashes on a CPU, with equal results.

Its optimiser (oneDNN, on by default) merges neighbouring operations, two combinations wrongly:

- convolution without padding + bias + Pad of another tensor: it takes the Pad for the convolution's
  own and reads past the end of the memory. BlazeFace has such sums.
- depthwise convolution with explicit paddings + bias: the merged operation has no such paddings.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.compat.v1 import NodeDef

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def apply(nodes: Sequence[NodeDef]) -> list[NodeDef]:
    """Return the nodes with both combinations rewritten."""
    return _with_other_pads([part for node in nodes for part in _with_own_pad(node)])


def _with_other_pads(nodes: list[NodeDef]) -> list[NodeDef]:
    """Replace Pad by PadV2, which is never merged, unless only convolutions use it."""
    users = defaultdict(set)
    for node in nodes:
        for name in node.input:
            users[name.removesuffix(":0")].add(node.op)
    added = []
    for node in nodes:
        if node.op == "Pad" and not users[node.name] <= set(_CONVOLUTIONS):
            dtype = tf.as_dtype(node.attr["T"].type)
            zero = _constant(f"{node.name}/zero", np.zeros((), dtype.as_numpy_dtype))
            node.op = "PadV2"
            node.input.insert(2, zero.name)
            added.append(zero)
    return nodes + added


def _with_own_pad(node: NodeDef) -> list[NodeDef]:
    """Give a depthwise convolution with explicit paddings a Pad before it."""
    if node.op != "DepthwiseConv2dNative" or node.attr["padding"].s != b"EXPLICIT":
        return [node]
    sides = np.array(node.attr["explicit_paddings"].list.i, np.int32).reshape(-1, 2)
    paddings = _constant(f"{node.name}/paddings", sides)
    pad = NodeDef(name=f"{node.name}/pad", op="Pad", input=[node.input[0], paddings.name])
    pad.attr["T"].CopyFrom(node.attr["T"])
    pad.attr["Tpaddings"].type = tf.int32.as_datatype_enum
    node.input[0] = pad.name
    node.attr["padding"].s = b"VALID"
    del node.attr["explicit_paddings"]
    return [paddings, pad, node]


def _constant(name: str, value: np.ndarray) -> NodeDef:
    node = NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return node
