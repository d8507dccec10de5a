"""Load .onnx files into ONNX Runtime, on the CPU. An extra (docs/dependencies.md)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gfr.errors import InputError, StepFailed, reason
from gfr.measurement import allowance
from gfr.models.external import base, files

_ONLY_FATAL = 4  # level of its log; errors are raised as well

_NUMPY = {"float": "float32", "double": "float64"}  # other types have the same names

_PARAMETERS = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "UINT8", "INT4", "UINT4")


class Session:
    """A model in ONNX Runtime.

    `inputs` and `outputs`: as ONNX Runtime describes them, with `name`, `type` and `shape`.
    """

    def __init__(self, model: Path, num_threads: int, content: bytes | None = None) -> None:
        """Load a file, or `content` with the constants that lie beside the file."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
        # A spinning thread would slow down whatever else is timed in the same process.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = _ONLY_FATAL
        if content is not None:
            key = "session.model_external_initializers_file_folder_path"
            options.add_session_config_entry(key, str(model.parent))
        self.model, self._failures = model, _failures()
        try:
            self._session = onnxruntime.InferenceSession(
                content or str(model), options, providers=["CPUExecutionProvider"]
            )
        except self._failures as error:
            raise InputError(
                f"{model}: ONNX Runtime cannot load it ({_why(error)}). Export it again"
            ) from None
        self.inputs, self.outputs = self._session.get_inputs(), self._session.get_outputs()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the first output of the network for its first input."""
        try:
            return self._session.run([self.outputs[0].name], {self.inputs[0].name: batch})[0]
        except self._failures as error:
            raise StepFailed(f"{self.model}: ONNX Runtime cannot run it: {_why(error)}") from None


def dtype(end: Any) -> str:
    """Return NumPy's name of the type of an input or output."""
    name = end.type.removeprefix("tensor(").removesuffix(")")
    return _NUMPY.get(name, name)


def load(path: Path, input: str = "", output: str = "") -> base.Network:
    """Load a network, cut at a tensor if one is named; InputError if it does not fit."""
    model, is_whole = read(path, input, output)
    content = None if is_whole else model.SerializeToString()
    session = Session(path, allowance.num_threads(), content)
    takes, gives = session.inputs[0], session.outputs[0]
    base.check_dtypes(path, dtype(takes), dtype(gives))
    return base.Network(
        session.run,
        base.sides(takes.shape),
        base.sides(gives.shape),
        _num_parameters(model.graph),
        dtype(takes),
        dtype(gives),
    )


def read(path: Path, input: str = "", output: str = "") -> tuple[Any, bool]:
    """Return a ModelProto with one output, without external data, and whether nothing was cut."""
    model = files.read_onnx(path)
    ends = [value.name for value in model.graph.output]
    given = {tensor.name for tensor in model.graph.initializer}
    starts = [value.name for value in model.graph.input if value.name not in given]
    computed = [name for node in model.graph.node for name in node.output if name]
    output = base.node(path, "output", output, ends, {*ends, *computed})
    is_whole = [output] == ends
    if not is_whole:
        starts = _cut(model, output, starts)
    base.only_input(path, input, starts, output)
    return model, is_whole


def _cut(model: Any, output: str, starts: list[str]) -> list[str]:
    """Make a tensor the only output, and remove what it does not need; return the inputs left."""
    import onnx

    graph = model.graph
    needed, kept = {output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(_inputs(node))
            kept.append(node)
    described = {each.name: each for each in (*graph.output, *graph.value_info)}
    end = onnx.ValueInfoProto(name=output)
    end.CopyFrom(described.get(output, end))
    left = [value for value in graph.input if value.name in needed]
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, rows in (
        ("node", kept[::-1]),
        ("output", [end]),
        ("input", left),
        ("initializer", constants),
    ):
        graph.ClearField(field)
        getattr(graph, field).extend(rows)
    return [name for name in starts if name in needed]


def _inputs(node: Any) -> Iterator[str]:
    """Yield what a node takes, also what graphs within it take from outside."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (name for inner in graph.node for name in _inputs(inner))
            yield from (value.name for value in graph.output)


def _num_parameters(graph: Any) -> int:
    import onnx

    types = [getattr(onnx.TensorProto, name) for name in _PARAMETERS]
    rows = [row for row in files.onnx_constants(graph) if row.dims and row.data_type in types]
    return sum(int(np.prod(row.dims)) for row in rows)


def _why(error: Exception) -> str:
    """Return the reason in ONNX Runtime's message, without its codes and the path."""
    return reason(RuntimeError(str(error).rpartition("failed:")[2].strip()))


def _failures() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        *(state.Fail, state.InvalidArgument, state.NoSuchFile, state.NoModel, state.EngineError),
        *(state.RuntimeException, state.InvalidProtobuf, state.InvalidGraph, state.NotImplemented),
        *(state.EPFail, RuntimeError),
    )
