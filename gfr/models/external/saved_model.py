"""Load SavedModels into TensorFlow, with their variables as constants."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from gfr.errors import InputError, reason
from gfr.models.external import base, files

_SIGNATURE = "serving_default"

# Operations that run code of this process or use files; those that restore variables are allowed.
_REFUSED = ("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles")

_RESTORED = ("SaveV2", "RestoreV2", "Save", "Restore", "MergeV2Checkpoints")


def load(path: Path, input: str = "", output: str = "") -> base.Network:
    """Load the signature of a SavedModel, cut at a tensor if one is named.

    `input` and `output` are names of the signature; `output` may also be one of the frozen graph.
    """
    signature = _signature(path)
    starts = {**signature.structured_input_signature[1]}
    ends = {**signature.structured_outputs}
    try:
        frozen = convert_variables_to_constants_v2(signature)
    except (ValueError, KeyError, NotImplementedError, tf.errors.OpError) as error:
        raise InputError(
            f"{path}: its variables cannot be made constants ({reason(error)}); save it again"
        ) from None
    _check_operations(path, [row.op for row in frozen.graph.as_graph_def().node], _RESTORED)
    inner = {row.name: row for row in frozen.graph.get_operations() if row.outputs}
    output = base.node(path, "output", output, sorted(ends), {**ends, **inner})
    start = base.only_input(path, input, sorted(starts), output)
    tensors = dict(zip(sorted(ends), frozen.outputs, strict=True))
    end = tensors[output] if output in ends else inner[output].outputs[0]
    pixels = frozen.inputs[0]
    base.check_dtypes(path, starts[start].dtype.name, end.dtype.name)
    run = frozen.prune(pixels.name, end.name)
    return base.Network(
        run, _shape(pixels), _shape(end), _num_parameters(frozen.graph), pixels.dtype.name
    )


def _signature(path: Path) -> Any:
    """Load a SavedModel and return its signature for inference."""
    try:
        read = SavedModel.FromString((path / files.SAVED_MODEL_PB).read_bytes())
        nodes = [
            row.op
            for graph in (each.graph_def for each in read.meta_graphs)
            for part in (graph.node, *(each.node_def for each in graph.library.function))
            for row in part
        ]
        _check_operations(path, nodes, ())
        loaded = tf.saved_model.load(str(path))
    except InputError:
        raise
    except Exception as error:  # protobuf's, TensorFlow's, and those of its readers of variables
        raise InputError(
            f"{path}: TensorFlow cannot load it ({reason(error)}). Export it again"
        ) from None
    named = dict(getattr(loaded, "signatures", {}))
    name = _SIGNATURE if _SIGNATURE in named else next(iter(named), "")
    if not name or (name != _SIGNATURE and len(named) > 1):
        found = ", ".join(named) or "none"
        raise InputError(
            f"{path}: has no signature {_SIGNATURE!r}, and not just one other (it has {found}). "
            "Save it with one"
        )
    signature = named[name]
    signature._loaded = loaded  # its variables live as long as this
    return signature


def _check_operations(path: Path, operations: list[str], others: tuple[str, ...]) -> None:
    """Raise InputError for operations that run code or use files."""
    if refused := sorted({*operations} & {*_REFUSED, *others}):
        raise InputError(
            f"{path}: uses {', '.join(refused)}, which run code or use files; gfr does not run it"
        )


def _shape(tensor: tf.Tensor) -> base.Shape:
    return () if tensor.shape.rank is None else tuple(tensor.shape)


def _num_parameters(graph: tf.Graph) -> int:
    rows = [row.outputs[0] for row in graph.get_operations() if row.type == "Const"]
    return sum(int(np.prod(row.shape)) for row in rows if row.dtype.is_floating and row.shape.rank)
