"""Convert a graph to ONNX (.onnx) in float32. The converter is an extra (docs/dependencies.md)."""

from pathlib import Path
from typing import Any
from unittest import mock

from tensorflow.python.framework import convert_to_constants

from gfr.engines.formats import INPUT, OUTPUT
from gfr.errors import InputError, StepFailed, reason
from gfr.export.inference_graph import Graph
from gfr.measurement.software import missing

OPSET = 18

# Otherwise tf2onnx keeps a copy of the model for each of its dozens of passes.
_WITHOUT_COPIES = {"TF2ONNX_CATCH_ERRORS": "false"}

# What its passes raise for graphs that they do not expect.
FAILURES = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)


def write(graph: Graph, path: Path) -> None:
    """Write an .onnx file; StepFailed if the model cannot be converted."""
    save(converted(graph.concrete), path)


def converted(function: Any, opset: int = OPSET) -> Any:
    """Convert a concrete function with one input and one output to a ModelProto.

    StepFailed if it cannot be converted.
    """
    for package in ("tf2onnx", "onnx"):
        if why := missing(package):
            raise InputError(f"ONNX float32: {why}")
    import onnx
    import tf2onnx

    # tf2onnx.convert.from_function would make inputs of the constants that it refers to.
    frozen = convert_to_constants.convert_variables_to_constants_v2(
        function, lower_control_flow=False, aggressive_inlining=True
    )
    takes, gives = frozen.inputs[0].name, frozen.outputs[0].name
    try:
        with mock.patch.dict("os.environ", _WITHOUT_COPIES):
            model, _ = tf2onnx.convert.from_graph_def(
                frozen.graph.as_graph_def(add_shapes=True),
                input_names=[takes],
                output_names=[gives],
                tensors_to_rename={takes: INPUT, gives: OUTPUT},
                opset=opset,
            )
    except FAILURES as error:
        raise failed(reason(error)) from None
    # tf2onnx only logs what it has left as it was.
    kinds = {(node.op_type, node.domain) for node in model.graph.node}
    if unknown := sorted(kind for kind, domain in kinds if not onnx.defs.has(kind, domain)):
        raise failed(f"ONNX has no {', '.join(unknown)}")
    used = {domain for _, domain in kinds}
    for row in [row for row in model.opset_import if row.domain not in used]:
        model.opset_import.remove(row)  # the last bytes of the file: a cut would go unnoticed
    onnx.checker.check_model(model, full_check=True)
    return model


def failed(why: str) -> StepFailed:
    """Return the error for a model that cannot be converted."""
    return StepFailed(f"ONNX float32: cannot be converted: {why}")


def save(model: Any, path: Path) -> None:
    """Write a ModelProto."""
    path.write_bytes(model.SerializeToString())
