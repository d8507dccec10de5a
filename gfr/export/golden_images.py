"""Golden images of an export: a runtime classifies them to check itself against Keras.

They are synthetic faces and a photograph in the public domain; images of CelebA may not be
redistributed.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gfr.data import images
from gfr.data.synthetic import generate
from gfr.storage import atomic
from gfr.storage.run_directory import ExportDirectory

SCHEMA = 1

_SEED = 1963  # not used by any benchmark: no model was trained on these faces

_NUM_FACES = 4

_PHOTOGRAPH = Path(__file__).parent / "golden" / "astronaut.png"

_PHOTOGRAPH_SOURCE = (
    "Eileen Collins, astronaut; photograph by NASA, public domain, as in scikit-image's "
    "`astronaut`; cropped and aligned like CelebA"
)


@dataclass(frozen=True)
class Golden:
    """Pixels uint8 (218, 178, 3), 0..255."""

    file: str
    source: str
    pixels: np.ndarray


def collect() -> tuple[Golden, ...]:
    """Return synthetic faces, then the photograph."""
    faces = [
        Golden(
            f"golden/face-{index}.png",
            f"synthetic face {index} of seed {_SEED}",
            np.asarray(generate.draw(_SEED, index)[0]),
        )
        for index in range(1, _NUM_FACES + 1)
    ]
    photograph = Golden(
        f"golden/{_PHOTOGRAPH.name}", _PHOTOGRAPH_SOURCE, images.decode(_PHOTOGRAPH).pixels
    )
    return (*faces, photograph)


def write(directory: Path, samples: Sequence[Golden], p_male: np.ndarray) -> None:
    """Write the images and golden.json; p_male (N,) of Keras in float32."""
    rows = []
    for sample, p in zip(samples, p_male.tolist(), strict=True):
        picture = Image.fromarray(sample.pixels)
        atomic.write(directory / sample.file, functools.partial(picture.save, format="PNG"))
        rows.append({"file": sample.file, "source": sample.source, "p_male": p})
    atomic.write_json(ExportDirectory(directory).golden, {"schema": SCHEMA, "images": rows})
