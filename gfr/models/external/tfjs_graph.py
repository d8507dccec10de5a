"""Load a TensorFlow.js graph model into TensorFlow.

A graph model is a JSON file with the network's nodes and a manifest of the files beside it that
hold its weights. No code of the model runs: it may only use operations that TensorFlow.js knows,
none of which reads or writes files.

Importing this module imports tensorflowjs, which takes seconds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.compat.v1 import GraphDef, NodeDef

from gfr import environment
from gfr.errors import InputError, did_you_mean, reason
from gfr.models.external import fused_operations, tfjs_files, workarounds

environment.import_tensorflowjs()  # must come before the next import, hence E402
from tensorflowjs.converters import tf_saved_model_conversion_v2  # noqa: E402

Shape = tuple[int | None, ...]

_NO_OUTPUTS = ("NoOp", "Const", "Placeholder")

_MAX_LISTED = 12  # names in a message

# Attributes about how the graph was made: other nodes, devices and shapes that may be gone.
_REMOVED = ("_class", "_output_shapes")


@dataclass(frozen=True)
class Graph:
    """A network from images to one of its nodes.

    `function`: (N, H, W, C) of any number type -> float32 (N, ...), for any N. The shapes have None
    where a size is free. `num_parameters`: numbers in the weights that the node depends on.
    """

    function: Callable[[tf.Tensor], tf.Tensor]
    input_shape: Shape
    output_shape: Shape
    num_parameters: int

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Run the network."""
        return self.function(images)


def load(source: Path, input: str = "", output: str = "") -> Graph:
    """Load the part of a graph model that leads from `input` to `output`.

    Args:
        source: the model's JSON file, or a directory with model.json
        input, output: names of nodes, with or without ":0"; needed where there are several

    Raises:
        InputError: a file is missing, damaged or of another kind, or a node is unknown.
    """
    path = source / "model.json" if source.is_dir() else source
    model = tfjs_files.read(path)
    graph = _parse(path, model["modelTopology"])
    nodes = {node.name: node for node in graph.node}
    signature = tfjs_files.signature(path, model)
    start = _choose(path, "input", input, signature["inputs"], nodes)
    end = _choose(path, "output", output, signature["outputs"], nodes)
    shape = _input_shape(path, nodes[_node(start)], signature["inputs"].get(start))
    part = GraphDef(library=graph.library, versions=graph.versions)
    part.node.extend(_needed(path, nodes, _node(start), _node(end)))
    num_parameters = _fill_in_weights(path, part, tfjs_files.weights(path, model))
    part = _plain(path, part)
    ends = (_tensor(start), _tensor(end))
    return Graph(*_compile(path, part, ends, shape), num_parameters)


def _parse(path: Path, topology: Mapping[str, Any]) -> GraphDef:
    try:
        graph = json_format.ParseDict(topology, GraphDef())
    except json_format.ParseError as error:
        raise InputError(
            f"{path}: modelTopology is not a TensorFlow graph ({reason(error)}). Convert the model "
            "again with tensorflowjs_converter"
        ) from None
    for node in graph.node:
        node.device = ""
        for name in _REMOVED:
            node.attr.pop(name, None)
    return graph


def _node(tensor: str) -> str:
    """`^scope/name:0` -> `scope/name`."""
    return tensor.removeprefix("^").partition(":")[0]


def _tensor(name: str) -> str:
    """`scope/name` -> `scope/name:0`."""
    return name if ":" in name else f"{name}:0"


def _choose(
    path: Path, side: str, given: str, signature: Iterable[str], nodes: Mapping[str, NodeDef]
) -> str:
    """Return the tensor to use as `side`: the given one, or the only one that there is."""
    inputs = [name for name, node in nodes.items() if node.op == "Placeholder"]
    used = {_node(tensor) for node in nodes.values() for tensor in node.input}
    ends = [name for name in nodes if name not in used and nodes[name].op not in _NO_OUTPUTS]
    known = [tensor for tensor in signature if _node(tensor) in nodes] or (
        inputs if side == "input" else ends
    )
    listed = ", ".join(known[:_MAX_LISTED]) + (", …" if len(known) > _MAX_LISTED else "")
    if given and _node(given) not in nodes:
        hint = did_you_mean(_node(given), nodes)
        raise InputError(f"{path}: has no node {given!r}; {hint}{side}s: {listed or 'none'}")
    if given and side == "input" and "Placeholder" not in nodes[_node(given)].op:
        operation = nodes[_node(given)].op
        raise InputError(f"{path}: {given!r} is a {operation} and not an input; inputs: {listed}")
    if not given and len(known) != 1:
        raise InputError(
            f"{path}: has {len(known) or 'no'} {side}s"
            + (f"; give the name of one as {side}: {listed}" if known else ", so it is incomplete")
        )
    return (given or known[0]).removesuffix(":0")


def _input_shape(path: Path, node: NodeDef, described: Mapping[str, Any] | None) -> Shape:
    """Return the shape of the images that the input takes, by its node or by the signature."""
    shape = node.attr["shape"].shape
    if not shape.dim and described:
        shape = json_format.ParseDict(described, type(shape)())
    if not shape.dim:  # an unknown shape, or how old files write one: images of any size
        return (None, None, None, 3)
    sizes = tuple(None if row.size < 0 else row.size for row in shape.dim)
    if len(sizes) != 4:
        listed = ", ".join("any" if size is None else str(size) for size in sizes)
        raise InputError(
            f"{path}: its input {node.name!r} has the shape ({listed}) and not that of images, "
            "(batch, height, width, channels). Choose another input or file"
        )
    return sizes


def _needed(path: Path, nodes: Mapping[str, NodeDef], start: str, end: str) -> list[NodeDef]:
    """Return the nodes that `end` depends on, with `start` as a placeholder among them."""
    images = NodeDef(name=start, op="Placeholder")
    images.attr["dtype"].type = nodes[start].attr["dtype"].type or tf.float32.as_datatype_enum
    needed, waiting = {start: images}, [end]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        if name not in nodes:
            raise InputError(
                f"{path}: lacks the node {name!r}, on which {end!r} depends. Get the file again"
            )
        needed[name] = nodes[name]
        waiting += map(_node, nodes[name].input)
    others = [node.name for node in needed.values() if node.op == "Placeholder" and node != images]
    if others:
        raise InputError(
            f"{path}: {end!r} needs further inputs ({', '.join(others[:_MAX_LISTED])}), and gfr "
            "only has images. Choose another output"
        )
    return list(needed.values())


def _fill_in_weights(path: Path, graph: GraphDef, values: Mapping[str, np.ndarray]) -> int:
    """Give the constants their values, and return the number of parameters."""
    num_parameters = 0
    functions = (node for function in graph.library.function for node in function.node_def)
    for node in (*graph.node, *functions):
        if node.op != "Const":
            continue
        if node.name in values:
            value = values[node.name]
            try:
                proto = tf.make_tensor_proto(value, node.attr["dtype"].type)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{path}: the weight {node.name!r} is not of its node's type "
                    f"({reason(error)}). Get the files again"
                ) from None
            node.attr["value"].tensor.CopyFrom(proto)
        elif not _has_value(node):
            raise InputError(
                f"{path}: its manifest lacks the weight {node.name!r}. Get the file again"
            )
        else:
            value = tf.make_ndarray(node.attr["value"].tensor)
        if value.ndim and np.issubdtype(value.dtype, np.floating):
            num_parameters += value.size
    return num_parameters


def _has_value(node: NodeDef) -> bool:
    """Say whether a constant has its value in the graph itself."""
    fields = {field.name for field, _ in node.attr["value"].tensor.ListFields()}
    return bool(fields - {"dtype", "tensor_shape", "version_number"})


def _plain(path: Path, graph: GraphDef) -> GraphDef:
    """Split fused operations; InputError if TensorFlow or TensorFlow.js does not know the rest."""
    try:
        nodes = workarounds.apply(list(fused_operations.split(graph.node)))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {reason(error)}. Choose an output before that node") from None
    plain = GraphDef(node=nodes, library=graph.library, versions=graph.versions)
    unknown = tf_saved_model_conversion_v2.validate(plain, False, True)
    unknown |= {node.op for node in nodes if not hasattr(tf.raw_ops, node.op)}
    if unknown:
        raise InputError(
            f"{path}: has custom operations, which gfr cannot run: "
            f"{', '.join(sorted(unknown)[:_MAX_LISTED])}. Choose an output before them, or run the "
            "network with its own program and give gfr its `predictions`"
        )
    return plain


def _compile(
    path: Path, graph: GraphDef, ends: tuple[str, str], shape: Shape
) -> tuple[Callable[[tf.Tensor], tf.Tensor], Shape, Shape]:
    """Return the graph as a function of any number of images, its input's and output's shape."""
    free: Shape = (None, *shape[1:])
    run = _function(path, graph, ends, free)
    if shape[0] is None or _takes_batches(run, free):
        return lambda images: _call(run, images), free, _sizes(run.outputs[0].shape)
    if shape[0] != 1:
        raise InputError(
            f"{path}: takes batches of exactly {shape[0]} images. Convert it with a free batch size"
        )
    run = _function(path, graph, ends, shape)
    return _one_by_one(run), free, (None, *_sizes(_row(run)))


def _function(path: Path, graph: GraphDef, ends: tuple[str, str], shape: Shape) -> Any:
    """Import the graph, with images of that shape, as a concrete function."""
    (images,) = (node for node in graph.node if node.op == "Placeholder")
    images.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    try:
        whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
        run = whole.prune(*ends)
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise InputError(
            f"{path}: TensorFlow cannot build its graph ({reason(error)}). Get the file again, or "
            "choose another output"
        ) from None
    if not (run.outputs[0].dtype.is_floating or run.outputs[0].dtype.is_integer):
        raise InputError(
            f"{path}: its output {ends[1]!r} is of the type {run.outputs[0].dtype.name} and not a "
            "number. Choose another output"
        )
    return run


def _call(run: Any, images: tf.Tensor) -> tf.Tensor:
    return tf.cast(run(tf.cast(images, run.inputs[0].dtype)), tf.float32)


def _sizes(shape: Any) -> Shape:
    """Return a tf.TensorShape as a tuple; (None,) if not even its rank is known."""
    return (None,) if shape.rank is None else tuple(shape)


def _takes_batches(run: Any, shape: Shape) -> bool:
    """Try whether a graph made for one image at a time computes two as it computes each."""
    if _sizes(run.outputs[0].shape)[:1] != (None,) or None in shape[1:]:
        return False
    sizes = [size for size in shape[1:] if size is not None]
    images = np.random.default_rng(0).uniform(0, 1, (2, *sizes)).astype(np.float32)
    try:
        both = _call(run, images).numpy()
        single = [_call(run, images[i : i + 1]).numpy() for i in range(2)]
    except tf.errors.OpError:
        return False
    one_each = all(len(row) == 1 for row in single) and len(both) == 2
    return one_each and np.allclose(both, np.concatenate(single), rtol=1e-3, atol=1e-4)


def _row(run: Any) -> Any:
    """Return the tf.TensorShape of one image's output, without the batch of one."""
    shape = run.outputs[0].shape
    return shape[1:] if _has_batch(run) else shape


def _has_batch(run: Any) -> bool:
    """Say whether the output of a graph for one image begins with a batch of one."""
    return _sizes(run.outputs[0].shape)[:1] == (1,)


def _one_by_one(run: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """Run a graph that takes one image at a time on each of several."""
    row = tf.TensorSpec(_row(run), tf.float32)

    def one(image: tf.Tensor) -> tf.Tensor:
        answer = _call(run, image[None])
        return answer[0] if _has_batch(run) else answer

    def every(images: tf.Tensor) -> tf.Tensor:
        if images.shape[0] == 1:  # without a loop, which converters may not know
            return one(images[0])[None]
        return tf.map_fn(one, images, fn_output_signature=row)

    return every
