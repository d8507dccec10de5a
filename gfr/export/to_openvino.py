"""Convert a graph to OpenVINO (.xml and .bin) in float32. An extra (docs/dependencies.md)."""

import re
import tempfile
from pathlib import Path
from typing import Any

from gfr.engines.formats import INPUT, OUTPUT
from gfr.errors import InputError, StepFailed
from gfr.export.inference_graph import Graph
from gfr.measurement.software import missing
from gfr.models.external import openvino as external

# How its reader names operations that it does not know.
_UNSUPPORTED = re.compile(r"No conversion rule found for operations: ([\w, ]+)")


def write(graph: Graph, path: Path) -> None:
    """Write an .xml file and its .bin; StepFailed if the model cannot be converted."""
    _write(graph.frozen(), "frozen.pb", path)


def write_onnx(model: Any, path: Path) -> None:
    """Do the same for an ONNX ModelProto."""
    _write(model, "model.onnx", path)


def _write(model: Any, name: str, path: Path) -> None:
    """Write a model that OpenVINO reads from a file of that name."""
    if why := missing("openvino"):
        raise InputError(f"OpenVINO float32: {why}")
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / name
        source.write_bytes(model.SerializeToString())
        try:
            # Not openvino.convert_model, which reports its use to Google Analytics.
            network = openvino.Core().read_model(source)
        except RuntimeError as error:
            unsupported = _UNSUPPORTED.search(str(error))
            why = f"OpenVINO has no {unsupported[1]}" if unsupported else external.why(error)
            raise StepFailed(f"OpenVINO float32: cannot be converted: {why}") from None
        (pixels,), (p_male,) = network.inputs, network.outputs
        pixels.get_tensor().set_names({INPUT})
        p_male.get_tensor().set_names({OUTPUT})
        openvino.save_model(network, path, compress_to_fp16=False)
