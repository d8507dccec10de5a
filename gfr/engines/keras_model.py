"""The fused model of a finished trial, from pixels to probability.

Latency measurement, prediction and export use the same model.
"""

import zipfile
from pathlib import Path

import keras

from gfr.config.schema import Precision
from gfr.errors import InputError, reason
from gfr.models import backbone as models_backbone
from gfr.models import fused_model
from gfr.results import records
from gfr.storage.run_directory import RunDirectory


def load(
    run_dir: Path, result: records.TrialResult, precision: Precision = "float32"
) -> keras.Model:
    """Build the model: raw pixels (N, any H, any W, 3), 0..255 -> p_male float32 (N, 1).

    InputError if the backbone's weights have changed since the run, or the head's file is damaged.
    """
    weights = result.features.weights
    weights.check()
    keras.utils.clear_session()
    backbone = models_backbone.build(result.trial.feature_set, Path(weights.path), precision)
    head = _load_head(RunDirectory(run_dir).head(result.trial.id))
    return fused_model.fuse(backbone, result.features.scale, head)


def _load_head(path: Path) -> keras.Model:
    if not path.is_file():  # Keras would load a directory as another kind of checkpoint
        raise InputError(f"{path}: no trained head; run again with the same --run-id")
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: no trained head ({reason(error)}); delete it and run again with the same "
            "--run-id"
        ) from None
