"""LiteRT (TensorFlow Lite) as an engine: .tflite files, on the CPU. Does not import TensorFlow.

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

from gfr.config.schema import Precision
from gfr.engines.base import Classify, Engine, by_size, check_signature, missing
from gfr.errors import InputError, StepFailed, reason
from gfr.measurement.software import version

PACKAGE = "ai-edge-litert"

_MAGIC = b"TFL3"  # of the flatbuffer, at byte 4

_TABLES = (1, 2, 4)  # fields of its root: operator codes, subgraphs, buffers

# Raised by the reader of flatbuffers for offsets that are not in the file.
_DAMAGED = (struct.error, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, OSError)


class _Network:
    """An interpreter and the size of images that it has memory for."""

    def __init__(self, model: Path, interpreter: Any) -> None:
        self.model, self.interpreter = model, interpreter
        (pixels,), outputs = interpreter.get_input_details(), interpreter.get_output_details()
        shape = [*pixels["shape_signature"]]
        check_signature(model, np.dtype(pixels["dtype"]).name, shape, len(outputs))
        self.input, self.output = pixels["index"], outputs[0]["index"]
        self.shape: tuple[int, ...] = ()

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Run uint8 (N, H, W, 3) -> float32 (N, 1)."""
        try:
            if batch.shape != self.shape:
                self.interpreter.resize_tensor_input(self.input, batch.shape, strict=True)
                self.interpreter.allocate_tensors()
                self.shape = batch.shape
            self.interpreter.set_tensor(self.input, batch)
            self.interpreter.invoke()
            return self.interpreter.get_tensor(self.output)
        except (RuntimeError, ValueError) as error:
            self.shape = ()
            raise StepFailed(f"{self.model}: LiteRT cannot run it: {reason(error)}") from None


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    from ai_edge_litert.interpreter import Interpreter

    _check_whole(model)
    try:
        interpreter = Interpreter(model_path=str(model), num_threads=num_threads)
        with _silent():
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{model}: LiteRT cannot load it ({reason(error)}). Export it again"
        ) from None
    return partial(by_size, _Network(model, interpreter))


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
        raise InputError(f"{model}: a truncated or damaged LiteRT model. Export it again") from None


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


ENGINE = Engine(
    name="litert",
    title="LiteRT",
    install="",
    unavailable=partial(missing, PACKAGE),
    version=partial(version, PACKAGE),
    open=_open,
)
