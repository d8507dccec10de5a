"""LiteRT (TensorFlow Lite) as an engine: .tflite files, on the CPU. Does not import TensorFlow.

Its interpreter comes from the package ai-edge-litert: TensorFlow's own warns that it will be
removed.
"""

import mmap
import struct
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

# Raised by the reader of flatbuffers for offsets and texts that are not in the file.
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
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{model}: LiteRT cannot load it ({reason(error)}). Export it again"
        ) from None
    return partial(by_size, _Network(model, interpreter))


def _check_whole(model: Path) -> None:
    """Raise InputError unless every part of the file is where its tables say.

    LiteRT does not check and crashes on a truncated file.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        with model.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if content[4:8] != _MAGIC:
            raise ValueError("no LiteRT model")
        schema.ModelT.InitFromPackedBuf(content)
    except _DAMAGED:
        raise InputError(f"{model}: a truncated or damaged LiteRT model. Export it again") from None


ENGINE = Engine(
    name="litert",
    title="LiteRT",
    install="",
    unavailable=partial(missing, PACKAGE),
    version=partial(version, PACKAGE),
    open=_open,
)
