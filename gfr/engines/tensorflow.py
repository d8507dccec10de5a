"""TensorFlow as an engine: Keras models, SavedModels, and TensorFlow.js graph models read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gfr import environment
from gfr.config.schema import Precision
from gfr.engines.base import Classify, Engine, Predictions, by_size
from gfr.engines.formats import OUTPUT
from gfr.measurement import allowance
from gfr.measurement.software import version

if TYPE_CHECKING:
    import keras

    from gfr.engines import inference_graph
    from gfr.models.fused_model import Graph


def classifier(model: keras.Model) -> Classify:
    """Compile a fused Keras model into one inference graph that classifies images."""
    from gfr.models import fused_model

    return partial(_classify, fused_model.compiled(model))


def _classify(graph: Graph, pixels: Sequence[np.ndarray]) -> Predictions:
    from gfr.models import fused_model

    return Predictions(fused_model.run_batch(graph, pixels)[:, 0])


def _run_graph(
    graph: inference_graph.Graph, concrete: Callable, pixels: Sequence[np.ndarray]
) -> Predictions:
    """Run a concrete function of a graph, whose variables `graph` keeps alive."""
    import tensorflow as tf

    return by_size(lambda batch: concrete(tf.constant(batch))[OUTPUT].numpy(), pixels)


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    environment.import_tensorflow()
    use_threads(num_threads)
    if (model / "saved_model.pb").is_file():
        from gfr.engines import inference_graph

        graph = inference_graph.load(model)
        return partial(_run_graph, graph, graph.concrete)
    if model.is_dir():
        from gfr.models.external import tfjs_graph

        return partial(_classify, tfjs_graph.load(model))
    import keras

    return classifier(keras.saving.load_model(model, compile=False, safe_mode=True))


def use_threads(num_threads: int) -> None:
    """Have TensorFlow compute with that many threads in this process, if it has not started yet."""
    import tensorflow as tf

    if num_threads != allowance.num_threads():  # TensorFlow's own choice otherwise
        tf.config.threading.set_intra_op_parallelism_threads(num_threads)
        tf.config.threading.set_inter_op_parallelism_threads(num_threads)


ENGINE = Engine(
    name="tensorflow",
    title="TensorFlow",
    install="",
    unavailable=lambda: "",
    version=partial(version, "tensorflow"),
    open=_open,
)
