"""The selected model on images of the user's.

In: a run, image files. Out: p_male for each. Through the same decode, layers and head as the run
itself. Never trains, never guesses where a file cannot be read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfr import fused, images, results
from gfr.errors import BadInput
from gfr.evaluate import THRESHOLD

BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """`p_male` 0..1; `note` is what must stand beside it, e.g. that weights are random."""

    path: str
    p_male: float
    answer: str
    trial: str
    note: str


def predict(run_dir: Path, trial_id: str | None, paths: Sequence[Path]) -> list[Prediction]:
    """Classify images with the selected trial of a run, or with the one named."""
    run = results.read_run(run_dir)
    result = run.result_of(trial_id)
    for path in paths:  # before the model is built: a typing error should not cost ten seconds
        if not path.is_file():
            raise BadInput(f"{path}: no such image")
    note = "; ".join(filter(None, [result.features.weights.note, run.note]))
    classify = fused.classifier(fused.load(str(run_dir), result))
    p_male: list[float] = []
    for start in range(0, len(paths), BATCH):
        p_male += classify([_decode(path) for path in paths[start : start + BATCH]])[:, 0].tolist()
    return [
        Prediction(str(path), p, "male" if p > THRESHOLD else "female", result.trial.title, note)
        for path, p in zip(paths, p_male, strict=True)
    ]


def _decode(path: Path) -> np.ndarray:
    try:
        return images.decode(path).pixels
    except images.Undecodable as error:
        raise BadInput(f"{path}: {error}") from None
