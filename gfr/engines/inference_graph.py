"""A SavedModel of an export as a graph from uint8 to probability, which TensorFlow runs and
converters read.

The cast from uint8 is added here and is not part of the SavedModel, which TensorFlow.js reads too.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from gfr.engines.formats import INPUT, OUTPUT
from gfr.results.export_records import SIGNATURE


@dataclass(frozen=True)
class Graph:
    """`pixels` uint8 (N, H, W, 3) -> `p_male` float32 (N, 1), for any N, H and W.

    `function`: a tf.function with variables, which `module` keeps alive.
    """

    function: Any
    module: tf.Module

    @property
    def concrete(self) -> Any:
        """The function with its one signature."""
        return self.function.get_concrete_function()

    def frozen(self) -> tf.compat.v1.GraphDef:
        """Return it with constants for variables."""
        constant = convert_to_constants.convert_variables_to_constants_v2(self.concrete)
        return constant.graph.as_graph_def()


def load(saved_model: Path) -> Graph:
    """Load a SavedModel and have it take uint8."""
    module = tf.saved_model.load(str(saved_model))
    serve = module.signatures[SIGNATURE]
    signature = [tf.TensorSpec([None, None, None, 3], tf.uint8, name=INPUT)]

    @tf.function(input_signature=signature, autograph=False)
    def classify(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {OUTPUT: serve(**{INPUT: tf.cast(pixels, tf.float32)})[OUTPUT]}

    return Graph(classify, module)
