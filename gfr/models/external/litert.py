"""Load .tflite files into LiteRT, on the CPU. Does not import TensorFlow.

Its interpreter comes from the package ai-edge-litert: TensorFlow's own warns that it will be
removed.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gfr.errors import InputError, StepFailed, reason
from gfr.measurement import allowance
from gfr.models.external import base

_MAGIC = b"TFL3"  # of the flatbuffer, at byte 4

_TABLES = (1, 2, 4)  # fields of its root: operator codes, subgraphs, buffers

# Raised by the reader of flatbuffers for offsets that are not in the file.
_DAMAGED = (struct.error, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, OSError)

_FLOAT_TYPES = ("FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64")

_QUANTISED_TYPES = ("INT8", "UINT8", "INT4")  # of weights

_JOINS = ";"  # between the names of operations that the converter has fused


class Session:
    """A model in LiteRT, with memory for one size of images at a time.

    `inputs` and `outputs`: as LiteRT describes them.
    """

    def __init__(self, model: Path, num_threads: int, content: bytes | None = None) -> None:
        """Load a file, or `content` in its stead."""
        from ai_edge_litert.interpreter import Interpreter

        _check_whole(model)
        source = {"model_path": str(model)} if content is None else {"model_content": content}
        try:
            self._interpreter = Interpreter(num_threads=num_threads, **source)
            with _silent():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise InputError(
                f"{model}: LiteRT cannot load it ({reason(error)}). Export it again"
            ) from None
        self.model = model
        self.inputs: list[dict[str, Any]] = self._interpreter.get_input_details()
        self.outputs: list[dict[str, Any]] = self._interpreter.get_output_details()
        self._shape: tuple[int, ...] = ()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the first output of the network for its first input."""
        interpreter, index = self._interpreter, self.inputs[0]["index"]
        try:
            if batch.shape != self._shape:
                interpreter.resize_tensor_input(index, batch.shape, strict=True)
                interpreter.allocate_tensors()
                self._shape = batch.shape
            interpreter.set_tensor(index, batch)
            interpreter.invoke()
            return interpreter.get_tensor(self.outputs[0]["index"])
        except (RuntimeError, ValueError) as error:
            self._shape = ()
            raise StepFailed(f"{self.model}: LiteRT cannot run it: {reason(error)}") from None


def dtype(end: dict[str, Any]) -> str:
    """Return NumPy's name of the type of an input or output."""
    return np.dtype(end["dtype"]).name


def load(path: Path, input: str = "", output: str = "") -> base.Network:
    """Load a network, cut at a tensor if one is named; InputError if it does not fit.

    Quantised inputs and outputs are converted from and to float32 here.
    """
    _check_whole(path)
    model = _unpacked(path)
    content = _cut(path, model, input, output)
    session = Session(path, allowance.num_threads(), content)
    takes, gives = session.inputs[0], session.outputs[0]
    names = ["float32" if _is_quantised(end) else dtype(end) for end in (takes, gives)]
    base.check_dtypes(path, names[0], names[1])
    is_converted = _is_quantised(takes) or _is_quantised(gives)
    run = partial(_converted, session) if is_converted else session.run
    input_shape, output_shape = (
        base.sides(end["shape_signature"].tolist()) for end in (takes, gives)
    )
    return base.Network(run, input_shape, output_shape, _num_parameters(model), names[0])


def _converted(session: Session, batch: np.ndarray) -> np.ndarray:
    """Run a network whose input or output is quantised: value = scale * (level - zero point)."""
    takes, gives = session.inputs[0], session.outputs[0]
    if _is_quantised(takes):
        scale, zero = takes["quantization"]
        limits = np.iinfo(takes["dtype"])
        levels = np.clip(np.round(batch / scale) + zero, limits.min, limits.max)
        batch = levels.astype(takes["dtype"])
    values = session.run(batch)
    if _is_quantised(gives):
        scale, zero = gives["quantization"]
        values = (np.float32(scale) * (values.astype(np.float32) - zero)).astype(np.float32)
    return values


def _is_quantised(end: dict[str, Any]) -> bool:
    """Whether integers stand for real numbers; uint8 pixels have no scale."""
    return dtype(end) in ("int8", "uint8", "int16") and end["quantization"][0] != 0


def _unpacked(path: Path) -> Any:
    """Return the whole file as objects of ai-edge-litert, whose arrays are views of its bytes."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        return schema.ModelT.InitFromPackedBuf(path.read_bytes())
    except _DAMAGED:
        raise InputError(_damage(path)) from None


def _cut(path: Path, model: Any, input: str, output: str) -> bytes | None:
    """Make a tensor the only output; None if it is that already."""
    import flatbuffers

    graph = model.subgraphs[0]
    names = [(tensor.name or b"").decode("utf-8", "replace") for tensor in graph.tensors]
    starts, ends = ([names[each] for each in side] for side in (graph.inputs, graph.outputs))
    computed = [each for row in graph.operators for each in row.outputs if each >= 0]
    known = {part: each for each in computed for part in (*names[each].split(_JOINS), names[each])}
    known.update({names[each]: each for each in graph.outputs})
    output = base.node(path, "output", output, ends, known)
    if output == ends[0] and len(ends) == 1:
        base.only_input(path, input, starts, output)
        return None
    needed, kept = {known[output]}, []
    for row in reversed(graph.operators):
        if not len(row.outputs) or needed.intersection(row.outputs):
            needed.update(row.inputs)
            kept.append(row)
    graph.operators, graph.outputs = kept[::-1], [known[output]]
    graph.inputs = [each for each in graph.inputs if each in needed]
    base.only_input(path, input, [names[each] for each in graph.inputs], output)
    model.signatureDefs = []  # they name the outputs that the file had
    builder = flatbuffers.Builder(path.stat().st_size)
    builder.Finish(model.Pack(builder), _MAGIC)
    return bytes(builder.Output())


def _num_parameters(model: Any) -> int:
    from ai_edge_litert.schema_py_generated import TensorType

    floats, integers = (
        {getattr(TensorType, name) for name in names} for names in (_FLOAT_TYPES, _QUANTISED_TYPES)
    )
    needed = {each for row in model.subgraphs[0].operators for each in row.inputs}
    total = 0
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        data, scales = model.buffers[tensor.buffer].data, tensor.quantization
        is_constant = data is not None and len(data) and number in needed
        is_quantised = tensor.type in integers and scales is not None and scales.scale is not None
        if is_constant and len(tensor.shape) and (tensor.type in floats or is_quantised):
            total += int(np.prod(tensor.shape))
    return total


@contextmanager
def _silent() -> Iterator[None]:
    """Discard what LiteRT writes to standard error: that it computes with XNNPACK."""
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _check_whole(model: Path) -> None:
    """Raise InputError if a file is not a LiteRT model or its end is missing: LiteRT would crash.

    Its writers put the operator codes at the end of the file. ai-edge-litert's own reader of the
    format takes 0.3 s to import.
    """
    from flatbuffers.table import Table

    try:
        with model.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if content[4:8] != _MAGIC:
            raise ValueError("another format")
        root = Table(content, *struct.unpack_from("<I", content))
        tables = [row for field in _TABLES for row in _rows(root, field)]
        if not tables or max(map(_end, tables)) > len(content):
            raise ValueError("no tables, or not all of them")
    except _DAMAGED:
        raise InputError(_damage(model)) from None


def _damage(model: Path) -> str:
    return f"{model}: a truncated or damaged LiteRT model. Export it again"


def _rows(table: Any, field: int) -> Iterator[Any]:
    """Yield the tables of a field that is a list of tables; ValueError if it is empty."""
    from flatbuffers.table import Table

    offset = table.Offset(4 + 2 * field)
    if not offset or not table.VectorLen(offset):
        raise ValueError("an empty list")
    for number in range(table.VectorLen(offset)):
        yield Table(table.Bytes, table.Indirect(table.Vector(offset) + 4 * number))


def _end(table: Any) -> int:
    """Return where a table ends in the file."""
    (to_layout,) = struct.unpack_from("<i", table.Bytes, table.Pos)
    _, num_bytes = struct.unpack_from("<HH", table.Bytes, table.Pos - to_layout)
    return table.Pos + num_bytes
