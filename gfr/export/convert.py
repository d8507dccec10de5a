"""Convert the fused model of an export to the file formats of gfr/engines/formats.py.

Call it in a process of its own: the converters keep the memory that they have used. TensorFlow.js,
whose precision the export chooses, is gfr/export/tfjs.py. Importing this module does not import
TensorFlow.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gfr import environment
from gfr.engines import formats
from gfr.engines.formats import Format
from gfr.errors import InputError, StepFailed

if TYPE_CHECKING:
    from gfr.export.inference_graph import Graph

MAX_CALIBRATION_IMAGES = 256


def convert(source: Path, form: Format, folder: Path, calibration: Sequence[Path] = ()) -> None:
    """Write the files of a format into `folder`.

    Args:
        source: a SavedModel or a Keras file, as gfr/export/saved_model.py writes them
        form: any but TensorFlow.js; for a Keras file, ONNX or OpenVINO
        folder: an existing directory
        calibration: training images, at most `MAX_CALIBRATION_IMAGES`; used by full int8 only

    Raises:
        InputError: the converter is not installed.
        StepFailed: the model cannot be converted; the message says why.
    """
    if source.is_file():
        _join(source, form, folder / form.file)
    else:
        _write(_load(source), form, folder, calibration)


def convert_all(
    saved_model: Path, folders: Mapping[str, Path], calibration: Sequence[Path] = ()
) -> dict[str, str]:
    """Convert to several formats, loading the SavedModel once.

    Args:
        saved_model: see `convert`; not a Keras file
        folders: by the names of the formats
        calibration: see `convert`

    Returns:
        Why a format could not be converted, by its name; without those that were.
    """
    graph, failures = _load(saved_model), {}
    for name, folder in folders.items():
        try:
            _write(graph, formats.get(name), folder, calibration)
        except (InputError, StepFailed) as error:
            failures[name] = str(error)
    return failures


def _load(saved_model: Path) -> "Graph":
    environment.import_tensorflow()
    from gfr.export import inference_graph

    return inference_graph.load(saved_model)


def _write(graph: "Graph", form: Format, folder: Path, calibration: Sequence[Path]) -> None:
    from gfr.export import to_litert, to_onnx, to_openvino

    if form.engine == "litert":
        to_litert.write(graph, form, folder / form.file, calibration)
    elif form.engine == "onnxruntime":
        to_onnx.write(graph, folder / form.file)
    else:
        to_openvino.write(graph, folder / form.file)


def _join(keras_file: Path, form: Format, path: Path) -> None:
    environment.import_tensorflow()
    from gfr.export import fused_onnx, to_onnx, to_openvino

    model = fused_onnx.load(keras_file)
    if form.engine == "onnxruntime":
        to_onnx.save(model, path)
    else:
        to_openvino.write_onnx(model, path)
