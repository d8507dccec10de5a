"""LiteRT (TensorFlow Lite) as an engine: .tflite files, on the CPU. Does not import TensorFlow."""

from functools import partial
from pathlib import Path

from gfr.config.schema import Precision
from gfr.engines.base import Classify, Engine, by_size, check_signature
from gfr.measurement.software import missing, version
from gfr.models.external import litert

PACKAGE = "ai-edge-litert"


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    session = litert.Session(model, num_threads)
    (pixels,) = session.inputs
    shape = [*pixels["shape_signature"]]
    check_signature(model, litert.dtype(pixels), shape, len(session.outputs))
    return partial(by_size, session.run)


ENGINE = Engine(
    name="litert",
    title="LiteRT",
    install="",
    unavailable=partial(missing, PACKAGE),
    version=partial(version, PACKAGE),
    open=_open,
)
