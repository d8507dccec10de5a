"""Classify a user's images with the selected model of a run.

Decoding, layers and head are those of the run itself; images are neither cropped nor aligned. Does
not import a runtime before all images have been decoded once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gfr.data import images
from gfr.data.dataset import NATIVE_SIZE
from gfr.data.layouts import SOURCES
from gfr.engines import trial_model
from gfr.engines.base import classify_files
from gfr.errors import InputError
from gfr.evaluation.metrics import THRESHOLD
from gfr.results import records

MAX_STRETCH = 1.2  # of width against height, beside CelebA's: 3:4 has 1.09, a square 1.22

MAX_LARGER = 4  # times CelebA's height: above, a photograph is likelier than a cropped face


@dataclass(frozen=True)
class Prediction:
    """`p_male` 0..1; `note` must be shown beside it, e.g. that weights are random.

    `remark` says that the image does not look like a cropped face; "" if it does. `engine`: what
    computed p_male, e.g. `LiteRT dynamic int8`.
    """

    path: str
    p_male: float
    answer: str
    run_id: str
    benchmark: str
    trial: str
    note: str
    remark: str
    engine: str


def predict(
    run: records.Run, trial_id: str | None, paths: Sequence[Path], engine: str | None = None
) -> list[Prediction]:
    """Classify images with the selected trial of a run, or with the one named.

    `engine`: see `gfr.engines.trial_model.find`.
    """
    result = run.result_of(trial_id)
    model = trial_model.find(run, result, engine)
    for path in paths:
        if path.is_dir():
            raise InputError(f"{path}: is a directory; name the images in it")
        if not path.is_file():
            raise InputError(f"{path}: no such image")
    remarks = [_remark(_decode(path)) for path in paths]
    # Not loaded earlier: a wrong image must not cost the start of a runtime.
    p_male = classify_files(model.load(), paths).tolist()
    title = f"{model.title} ({model.remark})" if model.remark else model.title
    return [
        Prediction(
            path=str(path),
            p_male=p,
            answer="male" if p > THRESHOLD else "female",
            run_id=run.record.run_id,
            benchmark=run.record.benchmark.name,
            trial=result.trial.title,
            note="; ".join(run.notes_of(result)),
            # Own images that it was trained on may have had any proportions.
            remark="" if SOURCES[run.record.data.source].has_own_framing else remark,
            engine=title,
        )
        for path, p, remark in zip(paths, p_male, remarks, strict=True)
    ]


def _remark(pixels: np.ndarray) -> str:
    """Return a sentence if uint8 (H, W, 3) is unlikely to be a face cropped as in CelebA."""
    height, width, _ = pixels.shape
    usual_height, usual_width = NATIVE_SIZE
    stretch = (width / height) / (usual_width / usual_height)
    if not 1 / MAX_STRETCH <= stretch <= MAX_STRETCH:
        odd = "far from the proportions of"
    elif height > MAX_LARGER * usual_height:
        odd = "far larger than"
    else:
        return ""
    return (
        f"{width} wide x {height} high, {odd} CelebA's {usual_width} x {usual_height}: "
        "crop the face as in CelebA, or use the page, which does it (gfr serve)"
    )


def _decode(path: Path) -> np.ndarray:
    try:
        return images.decode(path).pixels
    except images.Undecodable as error:
        raise InputError(f"{path}: {error}") from None
