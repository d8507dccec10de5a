"""OpenVINO as an engine: .xml files with their .bin, on the CPU.

An extra (docs/dependencies.md).
"""

from functools import partial
from pathlib import Path

import numpy as np

from gfr.config.schema import Precision
from gfr.engines.base import INSTALL, Classify, Engine, by_size, check_signature, missing
from gfr.errors import InputError, StepFailed, reason
from gfr.measurement.software import version

# Without a hint OpenVINO computes in bfloat16 on processors that are faster in it.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


def why(error: RuntimeError) -> str:
    """Return the reason in OpenVINO's message, without the places in its source code."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    reasons = [line for line in lines if not line.startswith(("Exception from", "Check "))]
    return reason(RuntimeError(*reasons[-1:]))


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    import openvino

    if not model.with_suffix(".bin").is_file():
        raise InputError(f"{model.with_suffix('.bin')}: no such file; it belongs to {model}")
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": num_threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # it would pin the threads of the whole process
    }
    try:
        network = openvino.Core().read_model(model)
        compiled = openvino.Core().compile_model(network, "CPU", settings)
    except RuntimeError as error:
        raise InputError(
            f"{model}: OpenVINO cannot load it ({why(error)}). Export it again"
        ) from None
    pixels, *_ = compiled.inputs
    shape = list(pixels.partial_shape)
    check_signature(model, str(pixels.element_type.to_dtype()), shape, len(compiled.outputs))
    request = compiled.create_infer_request()

    def run(batch: np.ndarray) -> np.ndarray:
        try:
            return request.infer([batch])[0].copy()
        except RuntimeError as error:
            raise StepFailed(f"{model}: OpenVINO cannot run it: {why(error)}") from None

    return partial(by_size, run)


def computes_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 without converting to float32."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


ENGINE = Engine(
    name="openvino",
    title="OpenVINO",
    install=INSTALL,
    unavailable=partial(missing, "openvino"),
    version=partial(version, "openvino"),
    open=_open,
    precisions=("float32", "bfloat16"),
)
