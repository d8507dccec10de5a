"""OpenVINO as an engine: .xml files with their .bin, on the CPU.

An extra (docs/dependencies.md).
"""

from functools import partial
from pathlib import Path

from gfr.config.schema import Precision
from gfr.engines.base import Classify, Engine, by_size, check_signature
from gfr.measurement.software import INSTALL, missing, version
from gfr.models.external import openvino


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    session = openvino.Session(model, openvino.read(model), num_threads, precision)
    pixels = session.inputs[0]
    shape = list(pixels.partial_shape)
    check_signature(model, openvino.dtype(pixels), shape, len(session.outputs))
    return partial(by_size, session.run, is_single=shape[0] == 1)


def computes_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 without converting to float32."""
    import openvino as runtime

    return "BF16" in runtime.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


ENGINE = Engine(
    name="openvino",
    title="OpenVINO",
    install=INSTALL,
    unavailable=partial(missing, "openvino"),
    version=partial(version, "openvino"),
    open=_open,
    precisions=("float32", "bfloat16"),
)
