"""TensorFlow as an engine: Keras models, and TensorFlow.js graph models read back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gfr import environment
from gfr.config.schema import Precision
from gfr.engines.base import Classify, Engine, Predictions
from gfr.errors import InputError, reason
from gfr.measurement import allowance
from gfr.measurement.software import version

if TYPE_CHECKING:
    import keras

    from gfr.models.fused_model import Graph


def classifier(model: keras.Model) -> Classify:
    """Compile a fused Keras model into one inference graph that classifies images."""
    from gfr.models import fused_model

    return partial(_classify, fused_model.compiled(model))


def _classify(graph: Graph, pixels: Sequence[np.ndarray]) -> Predictions:
    from gfr.models import fused_model

    return Predictions(fused_model.run_batch(graph, pixels)[:, 0])


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    environment.import_tensorflow()
    use_threads(num_threads)
    if model.is_dir():
        from gfr.models.external import tfjs_graph

        return partial(_classify, tfjs_graph.load(model))
    import keras

    from gfr.models import backbone  # noqa: F401 (registers the layers that it may hold)

    try:
        return classifier(keras.saving.load_model(model, compile=False, safe_mode=True))
    except (
        TypeError,
        ValueError,
        OSError,
    ) as error:  # such as a network from elsewhere that is gone
        raise InputError(
            f"{model}: Keras cannot load it ({reason(error)}). Export it again"
        ) from None


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
