"""Draw synthetic faces, which replace CelebA when it is not available.

Writes RGB JPEGs of 178 x 218 pixels and a label file in CelebA's layout, in which men and women
overlap in every attribute and proportion. Each face depends only on the seed and its number. Does
not read a photograph and does not use the network.
"""

import io
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from gfr.data.synthetic import drawing, traits
from gfr.storage import atomic

LABEL_NOISE_SHARE = 0.02  # of the `Male` labels are flipped; the drawn face keeps its sex

LABELS_NAME = "list_attr_celeba.txt"

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
    directory: Path,
    num_images: int,
    seed: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Draw faces 1..`num_images`; the label file comes last and marks a complete set."""
    label_file = directory / LABELS_NAME
    label_file.unlink(missing_ok=True)
    (directory / "images").mkdir(parents=True, exist_ok=True)
    starts = range(1, num_images + 1, _CHUNK_IMAGES)
    chunks = [range(start, min(start + _CHUNK_IMAGES, num_images + 1)) for start in starts]
    lines: list[str] = []
    # The parent may hold TensorFlow's threads, which do not survive a plain fork.
    context = multiprocessing.get_context("spawn")
    num_workers = max(1, min(os.cpu_count() or 1, len(chunks)))
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        jobs = [pool.submit(_write_chunk, directory, seed, chunk) for chunk in chunks]
        for job in jobs:
            lines += job.result()
            report(len(lines), num_images)
    names = " ".join(draw(seed, 1)[1])
    atomic.write_text(label_file, "\n".join([str(num_images), names, *lines]) + "\n")


def _write_chunk(directory: Path, seed: int, indices: range) -> list[str]:
    """Write the pictures of `indices` and return their lines of the label file."""
    lines = []
    for index in indices:
        picture, attributes = draw(seed, index)
        attributes["Male"] ^= is_label_flipped(seed, index)
        name = f"{index:06d}.jpg"
        content = io.BytesIO()  # Pillow does not say why writing to a path failed
        picture.save(content, "JPEG", quality=_JPEG_QUALITY)
        (directory / "images" / name).write_bytes(content.getvalue())
        lines.append(" ".join([name, *(f"{1 if has else -1:2d}" for has in attributes.values())]))
    return lines
