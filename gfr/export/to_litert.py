"""Convert a graph to LiteRT (.tflite) in float32, float16, dynamic int8 or full int8."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.lite.python.convert_phase import ConverterError

from gfr.data import images
from gfr.engines.formats import Format
from gfr.engines.inference_graph import Graph
from gfr.errors import StepFailed, reason

# How the converter names operations for which LiteRT has no kernel.
_UNSUPPORTED = re.compile(r"(?:TF Select|Custom) ops: ([\w, ]+)")


def write(graph: Graph, form: Format, path: Path, calibration: Sequence[Path]) -> None:
    """Write a .tflite file; StepFailed if the model cannot be converted."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.concrete], graph.module)
    if form.precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form.precision == "int8":
        if not calibration:
            raise StepFailed(f"{form.title}: no images to calibrate it on")
        converter.representative_dataset = lambda: _samples(calibration)
    try:
        path.write_bytes(converter.convert())
    except (ConverterError, RuntimeError, ValueError) as error:
        unsupported = _UNSUPPORTED.search(str(error))
        why = f"LiteRT has no {unsupported[1]}" if unsupported else reason(error)
        raise StepFailed(f"{form.title}: cannot be converted: {why}") from None


def _samples(calibration: Sequence[Path]) -> Iterator[list[np.ndarray]]:
    """Yield images, uint8 (1, H, W, 3), all of the first one's size: the calibrator takes one."""
    size = None
    for (pixels,) in images.batches(calibration, 1):
        image = Image.fromarray(pixels)
        size = size or image.size
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        yield [np.asarray(image)[None]]
