"""Draw synthetic faces, which replace CelebA when it is not available.

Writes RGB JPEGs of 178 x 218 pixels and a label file in CelebA's layout, in which men and women
overlap in every attribute and proportion. Each face depends only on the seed and its number. Does
not read a photograph and does not use the network.
"""

import io
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from gfr.data import celeba
from gfr.data.synthetic import drawing, traits
from gfr.progress import Report

LABEL_NOISE_SHARE = 0.02  # of the `Male` labels are flipped; the drawn face keeps its sex

_CHUNK_IMAGES = 50

_JPEG_QUALITY = 92


def draw(seed: int, index: int) -> tuple[Image.Image, dict[str, bool]]:
    """Draw face number `index` of a seed: RGB picture, 178 x 218, and its true attributes."""
    rng = np.random.default_rng([seed, index])
    face = traits.sample(rng)
    return drawing.picture(face, rng), face.attributes()


def is_label_flipped(seed: int, index: int) -> bool:
    """Tell whether the label file gives the other sex for this face."""
    return bool(np.random.default_rng([seed, index, 1]).random() < LABEL_NOISE_SHARE)


def write(
    directory: Path, num_images: int, seed: int, report: Report = lambda done, total: None
) -> None:
    """Draw faces 1..`num_images`; the label file comes last and marks a complete set."""
    (directory / "images").mkdir(parents=True, exist_ok=True)
    attributes: dict[str, dict[str, bool]] = {}
    # The parent may hold TensorFlow's threads, which do not survive a plain fork.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        write_one = partial(_write_one, directory / "images", seed)
        indices = range(1, num_images + 1)
        for name, labels in pool.map(write_one, indices, chunksize=_CHUNK_IMAGES):
            attributes[name] = labels
            report(len(attributes), num_images)
    celeba.write_lists(directory, pd.DataFrame.from_dict(attributes, orient="index"))


def _write_one(folder: Path, seed: int, index: int) -> tuple[str, dict[str, bool]]:
    """Write one picture; returns its name and what the label file says of it."""
    picture, attributes = draw(seed, index)
    attributes["Male"] ^= is_label_flipped(seed, index)
    name = f"{index:06d}.jpg"
    content = io.BytesIO()  # Pillow does not say why writing to a path failed
    picture.save(content, "JPEG", quality=_JPEG_QUALITY)
    (folder / name).write_bytes(content.getvalue())
    return name, attributes
