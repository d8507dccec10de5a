"""Convert a graph to OpenVINO (.xml and .bin) in float32. An extra (docs/dependencies.md)."""

import re
import tempfile
from pathlib import Path

from gfr.engines import openvino as engine
from gfr.engines.base import missing
from gfr.engines.formats import INPUT, OUTPUT
from gfr.engines.inference_graph import Graph
from gfr.errors import InputError, StepFailed

# How its reader names operations that it does not know.
_UNSUPPORTED = re.compile(r"No conversion rule found for operations: ([\w, ]+)")


def write(graph: Graph, path: Path) -> None:
    """Write an .xml file and its .bin; StepFailed if the model cannot be converted."""
    if why := missing("openvino"):
        raise InputError(f"OpenVINO float32: {why}")
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder) / "frozen.pb"
        frozen.write_bytes(graph.frozen().SerializeToString())
        try:
            # Not openvino.convert_model, which reports its use to Google Analytics.
            network = openvino.Core().read_model(frozen)
        except RuntimeError as error:
            unsupported = _UNSUPPORTED.search(str(error))
            why = f"OpenVINO has no {unsupported[1]}" if unsupported else engine.why(error)
            raise StepFailed(f"OpenVINO float32: cannot be converted: {why}") from None
        (pixels,), (p_male,) = network.inputs, network.outputs
        pixels.get_tensor().set_names({INPUT})
        p_male.get_tensor().set_names({OUTPUT})
        openvino.save_model(network, path, compress_to_fp16=False)
