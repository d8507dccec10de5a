"""ONNX Runtime as an engine: .onnx files, on the CPU. An extra (docs/dependencies.md)."""

from functools import partial
from pathlib import Path

from gfr.config.schema import Precision
from gfr.engines.base import Classify, Engine, by_size, check_signature
from gfr.measurement.software import INSTALL, missing, version
from gfr.models.external import onnx


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    session = onnx.Session(model, num_threads)
    pixels = session.inputs[0]
    check_signature(model, onnx.dtype(pixels), pixels.shape, len(session.outputs))
    return partial(by_size, session.run, is_single=pixels.shape[0] == 1)


ENGINE = Engine(
    name="onnxruntime",
    title="ONNX Runtime",
    install=INSTALL,
    unavailable=partial(missing, "onnxruntime"),
    version=partial(version, "onnxruntime"),
    open=_open,
)
