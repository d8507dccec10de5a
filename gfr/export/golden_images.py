"""Golden images of an export: a runtime classifies them to check itself against Keras.

They are synthetic faces and a photograph in the public domain; images of CelebA may not be
redistributed.
"""

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from gfr.data import images
from gfr.data.synthetic import generate
from gfr.engines.base import Classify
from gfr.storage import atomic
from gfr.storage.run_directory import ExportDirectory

SCHEMA = 1

FOLDER = "golden"

_SEED = 1963  # not used by any benchmark: no model was trained on these faces

_NUM_FACES = 4

_PHOTOGRAPH = Path(__file__).parent / "golden" / "astronaut.png"

_PHOTOGRAPH_SOURCE = (
    "Eileen Collins, astronaut; photograph by NASA, public domain, as in scikit-image's "
    "`astronaut`; cropped and aligned like CelebA"
)


def write(directory: Path, classify: Classify) -> None:
    """Write the images, 178 x 218 px, and golden.json with their p_male of Keras in float32."""
    samples = []
    for index in range(1, _NUM_FACES + 1):
        face, _ = generate.draw(_SEED, index)
        samples.append((f"face-{index}.png", f"synthetic face {index} of seed {_SEED}", face))
    photograph = Image.fromarray(images.decode(_PHOTOGRAPH).pixels)
    samples.append((_PHOTOGRAPH.name, _PHOTOGRAPH_SOURCE, photograph))
    p_male = classify([np.asarray(picture) for *_, picture in samples]).p_male.tolist()
    rows = []
    for (name, source, picture), p in zip(samples, p_male, strict=True):
        file = f"{FOLDER}/{name}"
        atomic.write(directory / file, partial(picture.save, format="PNG"))
        rows.append({"file": file, "source": source, "p_male": p})
    atomic.write_json(ExportDirectory(directory).golden, {"schema": SCHEMA, "images": rows})


def copy(source: Path, target: Path) -> None:
    """Copy the images and golden.json from one directory of a model to another."""
    shutil.copytree(source / FOLDER, target / FOLDER)
    shutil.copyfile(ExportDirectory(source).golden, ExportDirectory(target).golden)


def paths(directory: Path) -> list[Path]:
    """Return the images in the order of golden.json."""
    rows = json.loads(ExportDirectory(directory).golden.read_bytes())["images"]
    return [directory / row["file"] for row in rows]


def add(directory: Path, p_male: Sequence[float]) -> None:
    """Make these the probabilities in golden.json; Keras' own stay as `keras_p_male`."""
    path = ExportDirectory(directory).golden
    golden = json.loads(path.read_bytes())
    for row, p in zip(golden["images"], p_male, strict=True):
        row |= {"p_male": p, "keras_p_male": row["p_male"]}
    atomic.write_json(path, golden)
