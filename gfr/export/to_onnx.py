"""Convert a graph to ONNX (.onnx) in float32. The converter is an extra (docs/dependencies.md)."""

from pathlib import Path
from typing import TYPE_CHECKING

from gfr.engines.base import missing
from gfr.errors import InputError, StepFailed, reason

if TYPE_CHECKING:
    from gfr.export.convert import Graph

_OPSET = 18


def write(graph: "Graph", path: Path) -> None:
    """Write an .onnx file; StepFailed if the model cannot be converted."""
    for package in ("tf2onnx", "onnx"):
        if why := missing(package):
            raise InputError(f"ONNX float32: {why}")
    import onnx
    import tf2onnx

    try:
        model, _ = tf2onnx.convert.from_function(graph.function, (), opset=_OPSET)
    except (RuntimeError, ValueError, KeyError) as error:
        raise StepFailed(f"ONNX float32: cannot be converted: {reason(error)}") from None
    # tf2onnx only logs what it has left as it was.
    kinds = {(node.op_type, node.domain) for node in model.graph.node}
    if unknown := sorted(kind for kind, domain in kinds if not onnx.defs.has(kind, domain)):
        names = ", ".join(unknown)
        raise StepFailed(f"ONNX float32: cannot be converted: ONNX has no operation {names}")
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
