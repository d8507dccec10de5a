"""Split the fused operations of a TensorFlow.js graph into plain TensorFlow operations.

TensorFlow.js' converter joins a convolution or matrix product with the bias and the activation that
follow it. Neither LiteRT's converter nor ONNX's knows these operations, and TensorFlow itself lacks
`Prelu` and `FusedDepthwiseConv2dNative`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import tensorflow as tf
from tensorflow.compat.v1 import NodeDef

_CONVOLUTION = ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations")

# The plain operation in each fused one, and the attributes that it keeps.
_FUSED = {
    "_FusedConv2D": ("Conv2D", (*_CONVOLUTION, "use_cudnn_on_gpu")),
    "FusedDepthwiseConv2dNative": ("DepthwiseConv2dNative", _CONVOLUTION),
    "_FusedDepthwiseConv2dNative": ("DepthwiseConv2dNative", _CONVOLUTION),
    "_FusedMatMul": ("MatMul", ("T", "transpose_a", "transpose_b")),
}

_EPSILON, _LEAKY_ALPHA = 1e-4, 0.2  # where the attribute is missing, as in TensorFlow.js

_FLOAT32 = tf.float32.as_datatype_enum


def split(nodes: Iterable[NodeDef]) -> Iterator[NodeDef]:
    """Yield the nodes with fused ones in parts, the last of which has the fused one's name.

    Raises:
        ValueError: a node fuses what gfr cannot split, or lacks an argument.
    """
    for node in nodes:
        if node.op == "Prelu":
            yield from _renamed(node, _prelu(node, node.input[0], node.input[1:2]))
        elif node.op in _FUSED:
            yield from _renamed(node, _parts(node))
        else:
            yield node


def _renamed(fused: NodeDef, parts: list[NodeDef]) -> list[NodeDef]:
    """Give the last part the name of the fused node, which other nodes take as input."""
    parts[-1].name = fused.name
    return parts


def _parts(fused: NodeDef) -> list[NodeDef]:
    operation, attributes = _FUSED[fused.op]
    inputs = [name for name in fused.input if not name.startswith("^")]
    waits_for = [name for name in fused.input if name.startswith("^")]
    plain = _part(fused, operation, [*inputs[:2], *waits_for])
    for name in attributes:
        if name in fused.attr:
            plain.attr[name].CopyFrom(fused.attr[name])
    parts, arguments = [plain], inputs[2:]
    for step in (name.decode() for name in fused.attr["fused_ops"].list.s):
        if step == "NoOp":
            continue
        if step not in _STEPS:
            raise ValueError(f"{fused.name}: gfr cannot split {fused.op} with {step}")
        num_arguments, write = _STEPS[step]
        if len(arguments) < num_arguments:
            raise ValueError(f"{fused.name}: {fused.op} lacks an argument of {step}")
        parts += write(fused, parts[-1].name, arguments[:num_arguments])
        arguments = arguments[num_arguments:]
    return parts


def _part(fused: NodeDef, operation: str, inputs: Sequence[str], part: str = "") -> NodeDef:
    """Make a plain node of the fused node's number type, named after both."""
    node = NodeDef(name=f"{fused.name}/split/{part or operation}", op=operation, input=inputs)
    node.attr["T"].type = fused.attr["T"].type if "T" in fused.attr else _FLOAT32
    return node


def _bias(fused: NodeDef, x: str, arguments: Sequence[str]) -> list[NodeDef]:
    node = _part(fused, "BiasAdd", [x, *arguments])
    if "data_format" in fused.attr:
        node.attr["data_format"].CopyFrom(fused.attr["data_format"])
    return [node]


def _batch_norm(fused: NodeDef, x: str, arguments: Sequence[str]) -> list[NodeDef]:
    """`arguments`: scale, offset, mean, variance."""
    node = _part(fused, "FusedBatchNormV3", [x, *arguments])
    node.attr["U"].type = _FLOAT32
    node.attr["epsilon"].f = fused.attr["epsilon"].f if "epsilon" in fused.attr else _EPSILON
    node.attr["is_training"].b = False
    if "data_format" in fused.attr:
        node.attr["data_format"].CopyFrom(fused.attr["data_format"])
    return [node]


def _activation(operation: str) -> "_Write":
    return lambda fused, x, _: [_part(fused, operation, [x])]


def _leaky_relu(fused: NodeDef, x: str, _: Sequence[str]) -> list[NodeDef]:
    node = _part(fused, "LeakyRelu", [x])
    given = "leakyrelu_alpha" in fused.attr
    node.attr["alpha"].f = fused.attr["leakyrelu_alpha"].f if given else _LEAKY_ALPHA
    return [node]


def _prelu(fused: NodeDef, x: str, arguments: Sequence[str]) -> list[NodeDef]:
    """relu(x) - alpha * relu(-x), as Keras writes PReLU."""
    if not arguments:
        raise ValueError(f"{fused.name}: {fused.op} lacks its slope")
    above = _part(fused, "Relu", [x], "Above")
    negative = _part(fused, "Neg", [x])
    below = _part(fused, "Relu", [negative.name], "Below")
    scaled = _part(fused, "Mul", [*arguments, below.name])
    return [above, negative, below, scaled, _part(fused, "Sub", [above.name, scaled.name])]


_Write = Callable[[NodeDef, str, Sequence[str]], list[NodeDef]]

# What may be fused: the number of its arguments, and the function that writes it as plain nodes.
_STEPS: dict[str, tuple[int, _Write]] = {
    "BiasAdd": (1, _bias),
    "FusedBatchNorm": (4, _batch_norm),
    "LeakyRelu": (0, _leaky_relu),
    "Prelu": (1, _prelu),
    **{name: (0, _activation(name)) for name in ("Relu", "Relu6", "Elu", "Sigmoid", "Tanh")},
}
