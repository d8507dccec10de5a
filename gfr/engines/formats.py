"""The file formats of an exported model. A new format is one entry in `FORMATS`.

Every exported graph takes `pixels`, uint8 (N, H, W, 3), 0..255, of any N, H and W, and returns
`p_male`, float32 (N,) or (N, 1): resizing and scaling are inside. Only a network from elsewhere may
limit N to 1. Does not import any runtime.
"""

from dataclasses import dataclass
from pathlib import Path

from gfr.errors import InputError, did_you_mean

INPUT, OUTPUT = "pixels", "p_male"


@dataclass(frozen=True)
class Format:
    """One format, run by the engine of that name.

    `precision`: of the file, as people read it; "" where the export chooses it. `file`: what the
    engine loads, relative to the export's directory; `beside`: files that must lie next to it.
    """

    name: str
    title: str
    engine: str
    precision: str
    file: str
    beside: tuple[str, ...] = ()

    def num_bytes(self, folder: Path) -> int:
        """Return the size of the model in an export's directory, all of its files."""
        paths = [folder / name for name in (self.file, *self.beside)]
        files = [each for path in paths for each in (path.iterdir() if path.is_dir() else [path])]
        return sum(path.stat().st_size for path in files)


FORMATS = {
    row.name: row
    for row in (
        Format("tfjs", "TensorFlow.js", "tfjs", "", "tfjs"),
        Format("litert", "LiteRT float32", "litert", "float32", "model.tflite"),
        Format("litert-float16", "LiteRT float16", "litert", "float16", "model.tflite"),
        Format("litert-dynamic", "LiteRT dynamic int8", "litert", "dynamic int8", "model.tflite"),
        Format("litert-int8", "LiteRT int8", "litert", "int8", "model.tflite"),
        Format("onnx", "ONNX float32", "onnxruntime", "float32", "model.onnx"),
        Format("openvino", "OpenVINO float32", "openvino", "float32", "model.xml", ("model.bin",)),
    )
}


def get(name: str) -> Format:
    """Return the format of that name; InputError lists the known ones."""
    if name not in FORMATS:
        hint = did_you_mean(name, FORMATS)
        raise InputError(f"format {name!r}: unknown; {hint}known: {', '.join(FORMATS)}")
    return FORMATS[name]
