"""Convert the SavedModel of an export to one of the file formats of gfr/engines/formats.py.

Call it in a process of its own: the converters keep the memory that they have used. TensorFlow.js,
whose precision the export chooses, is gfr/export/tfjs.py. Does not import TensorFlow at the top.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gfr import environment
from gfr.engines.formats import INPUT, OUTPUT, Format
from gfr.results.export_records import SIGNATURE

if TYPE_CHECKING:
    import tensorflow as tf

MAX_CALIBRATION_IMAGES = 256


@dataclass(frozen=True)
class Graph:
    """The graph to convert: `pixels` uint8 (N, H, W, 3) -> `p_male` float32 (N, 1).

    `function`: a tf.function with variables, which `module` keeps alive.
    """

    function: Any
    module: "tf.Module"

    @property
    def concrete(self) -> Any:
        """The function with its one signature."""
        return self.function.get_concrete_function()

    def frozen(self) -> "tf.compat.v1.GraphDef":
        """Return it with constants for variables."""
        from tensorflow.python.framework import convert_to_constants

        constant = convert_to_constants.convert_variables_to_constants_v2(self.concrete)
        return constant.graph.as_graph_def()


def convert(
    saved_model: Path, form: Format, folder: Path, calibration: Sequence[Path] = ()
) -> None:
    """Write the files of a format into `folder`.

    Args:
        saved_model: as gfr/export/saved_model.py writes it
        form: any but TensorFlow.js
        folder: an existing directory
        calibration: training images, at most `MAX_CALIBRATION_IMAGES`; used by full int8 only

    Raises:
        InputError: the converter is not installed.
        StepFailed: the model cannot be converted; the message says why.
    """
    from gfr.export import to_litert, to_onnx, to_openvino

    graph = _load(saved_model)
    if form.engine == "litert":
        to_litert.write(graph, form, folder / form.file, calibration)
    elif form.engine == "onnxruntime":
        to_onnx.write(graph, folder / form.file)
    else:
        to_openvino.write(graph, folder / form.file)


def _load(saved_model: Path) -> Graph:
    """Load a SavedModel and have it take uint8."""
    environment.import_tensorflow()
    import tensorflow as tf

    module = tf.saved_model.load(str(saved_model))
    serve = module.signatures[SIGNATURE]
    signature = [tf.TensorSpec([None, None, None, 3], tf.uint8, name=INPUT)]

    @tf.function(input_signature=signature, autograph=False)
    def classify(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        p_male = serve(**{INPUT: tf.cast(pixels, tf.float32)})[OUTPUT]
        return {OUTPUT: tf.identity(p_male, name=OUTPUT)}

    return Graph(classify, module)
