"""Load .xml files with their .bin into OpenVINO, on the CPU. An extra (docs/dependencies.md)."""

from pathlib import Path
from typing import Any

import numpy as np

from gfr.config.schema import Precision
from gfr.errors import InputError, StepFailed, reason
from gfr.measurement import allowance
from gfr.models.external import base

# Without a hint OpenVINO computes in bfloat16 on processors that are faster in it.
_HINTS = {"float32": "f32", "bfloat16": "bf16"}

_PARAMETERS = ("f32", "f16", "bf16", "f64", "i8", "u8", "i4", "u4", "nf4")  # types of constants


def why(error: RuntimeError) -> str:
    """Return the reason in OpenVINO's message, without the places in its source code."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    reasons = [line for line in lines if not line.startswith(("Exception from", "Check "))]
    return reason(RuntimeError(*reasons[-1:]))


def read(model: Path) -> Any:
    """Read a model; InputError if it is damaged or its .bin is missing."""
    import openvino

    if not model.with_suffix(".bin").is_file():
        raise InputError(f"{model.with_suffix('.bin')}: no such file; it belongs to {model}")
    try:
        return openvino.Core().read_model(model)
    except RuntimeError as error:
        raise _refusal(model, error) from None


def _refusal(model: Path, error: RuntimeError) -> InputError:
    return InputError(f"{model}: OpenVINO cannot load it ({why(error)}). Export it again")


class Session:
    """A model in OpenVINO; `inputs` and `outputs` as OpenVINO describes them."""

    def __init__(self, model: Path, network: Any, num_threads: int, precision: Precision) -> None:
        """Compile `network`, which `read` returned for the path `model`."""
        import openvino

        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": num_threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # it would pin the threads of the whole process
        }
        try:
            compiled = openvino.Core().compile_model(network, "CPU", settings)
        except RuntimeError as error:
            raise _refusal(model, error) from None
        self.model, self.inputs, self.outputs = model, compiled.inputs, compiled.outputs
        self._request = compiled.create_infer_request()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the first output of the network for its first input."""
        try:
            return self._request.infer([batch])[0].copy()
        except RuntimeError as error:
            raise StepFailed(f"{self.model}: OpenVINO cannot run it: {why(error)}") from None


def dtype(end: Any) -> str:
    """Return NumPy's name of the type of an input or output."""
    return str(end.element_type.to_dtype())


def load(path: Path, input: str = "", output: str = "") -> base.Network:
    """Load a network, cut at a tensor if one is named; InputError if it does not fit."""
    import openvino

    network = read(path)
    ends = {_names(end)[0]: end for end in network.outputs}
    ordered = network.get_ordered_ops()
    tensors = {name: end for row in ordered for end in row.outputs() for name in _names(end)}
    tensors.update({name: end for end in network.outputs for name in _names(end)})
    output = base.node(path, "output", output, [*ends], tensors)
    if len(ends) > 1 or output not in ends:
        source = tensors[output].get_node()
        is_result = source.get_type_name() == "Result"
        end = source.input_value(0) if is_result else tensors[output]
        needed = _needed(end.get_node())
        starts = [row for row in network.get_parameters() if row.get_friendly_name() in needed]
        network = openvino.Model([end], starts)
    base.only_input(path, input, [_names(each)[0] for each in network.inputs], output)
    session = Session(path, network, allowance.num_threads(), "float32")
    takes, gives = session.inputs[0], session.outputs[0]
    base.check_dtypes(path, dtype(takes), dtype(gives))
    input_shape, output_shape = (_shape(end) for end in (takes, gives))
    return base.Network(
        session.run, input_shape, output_shape, _num_parameters(network), dtype(takes)
    )


def _names(end: Any) -> list[str]:
    """Return the names of an output of an operation, the clearest first."""
    operation = end.get_node().get_friendly_name()
    return [*sorted(end.get_names()), operation, f"{operation}:{end.get_index()}"]


def _needed(operation: Any) -> set[str]:
    """Return the names of an operation and of all that it depends on."""
    needed, waiting = {operation.get_friendly_name()}, [operation]
    while waiting:
        before = [end.get_node() for end in waiting.pop().input_values()]
        waiting += [row for row in before if row.get_friendly_name() not in needed]
        needed.update(row.get_friendly_name() for row in before)
    return needed


def _shape(end: Any) -> base.Shape:
    partial = end.get_partial_shape()
    if partial.rank.is_dynamic:
        return ()
    return tuple(side.get_length() if side.is_static else None for side in partial)


def _num_parameters(network: Any) -> int:
    rows = [row for row in network.get_ordered_ops() if row.get_type_name() == "Constant"]
    types = [row.get_element_type().get_type_name() for row in rows]
    shapes = [row.get_output_shape(0) for row in rows]
    pairs = zip(types, shapes, strict=True)
    return sum(int(np.prod(shape)) for name, shape in pairs if name in _PARAMETERS and len(shape))
