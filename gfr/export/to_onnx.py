"""Convert a graph to ONNX (.onnx) in float32. The converter is an extra (docs/dependencies.md)."""

from pathlib import Path
from unittest import mock

from gfr.engines.base import missing
from gfr.engines.inference_graph import Graph
from gfr.errors import InputError, StepFailed, reason

_OPSET = 18

# Otherwise tf2onnx keeps a copy of the model for each of its dozens of passes.
_WITHOUT_COPIES = {"TF2ONNX_CATCH_ERRORS": "false"}

# What its passes raise for graphs that they do not expect.
_FAILURES = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)


def write(graph: Graph, path: Path) -> None:
    """Write an .onnx file; StepFailed if the model cannot be converted."""
    for package in ("tf2onnx", "onnx"):
        if why := missing(package):
            raise InputError(f"ONNX float32: {why}")
    import onnx
    import tf2onnx

    try:
        with mock.patch.dict("os.environ", _WITHOUT_COPIES):
            model, _ = tf2onnx.convert.from_function(graph.function, (), opset=_OPSET)
    except _FAILURES as error:
        raise StepFailed(f"ONNX float32: cannot be converted: {reason(error)}") from None
    # tf2onnx only logs what it has left as it was.
    kinds = {(node.op_type, node.domain) for node in model.graph.node}
    if unknown := sorted(kind for kind, domain in kinds if not onnx.defs.has(kind, domain)):
        raise StepFailed(f"ONNX float32: cannot be converted: ONNX has no {', '.join(unknown)}")
    used = {domain for _, domain in kinds}
    for row in [row for row in model.opset_import if row.domain not in used]:
        model.opset_import.remove(row)  # the last bytes of the file: a cut would go unnoticed
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
