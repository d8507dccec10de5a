"""The fused model of a finished trial: pixels to probability in one.

In: a run directory and a TrialResult. Out: the Keras model, and the function that classifies with
it. Timing, prediction and export use this one. Never trains, never measures.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from gfr.config.schema import Precision
from gfr.errors import BadInput, reason
from gfr.models import backbone as models_backbone
from gfr.models import fused_model
from gfr.results import records
from gfr.storage.run_directory import RunDirectory

Classify = Callable[[list[np.ndarray]], np.ndarray]


def load(
    run_dir: Path, result: records.TrialResult, precision: Precision = "float32"
) -> keras.Model:
    """Raw pixels (N, any H, any W, 3), 0..255 -> p_male float32 (N, 1).

    BadInput if the backbone's weights have changed since the run, or the head's file is damaged.
    """
    result.features.weights.check()
    keras.utils.clear_session()
    backbone = models_backbone.build(
        result.trial.feature_set, Path(result.features.weights.path), precision
    )
    head = _load_head(RunDirectory(run_dir).head(result.trial.id))
    return fused_model.fuse(backbone, result.features.scale, head)


def classifier(model: keras.Model) -> Classify:
    """The model as a function: uint8 (H, W, 3) images, sizes may differ -> float32 (n, 1)."""
    graph = fused_model.compiled(model)
    return lambda pixels: fused_model.run_batch(graph, pixels)


def _load_head(path: Path) -> keras.Model:
    if not path.is_file():  # Keras would take a directory for a checkpoint of another kind
        raise BadInput(f"{path}: no trained head; run again with the same --run-id")
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(
            f"{path}: no trained head ({reason(error)}); delete it and run again with the same "
            "--run-id"
        ) from None
