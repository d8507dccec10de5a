"""Fixtures: a small folder in CelebA's layout, made of noise that needs no network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ATTRIBUTES = ("Eyeglasses", "Male", "Smiling")


def write_labels(path: Path, rows: dict[str, tuple[int, ...]]) -> None:
    """CelebA's official attribute list."""
    lines = [f"{name} {' '.join(map(str, values))}" for name, values in rows.items()]
    path.write_text("\n".join([str(len(rows)), " ".join(ATTRIBUTES), *lines]) + "\n")


def write_image(path: Path, seed: int, mode: str = "RGB") -> None:
    """A noisy image whose brightness follows `seed % 2`, 178 wide x 218 high."""
    noise = np.random.default_rng(seed).integers(0, 120, (218, 178, 3), dtype=np.uint8)
    image = Image.fromarray(noise + np.uint8(100 * (seed % 2))).convert(mode)
    image.save(path, "JPEG", quality=90)


@pytest.fixture
def celeba(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a data directory of `num` images; every odd image is male."""

    def make(num: int = 40, folder: str = "images") -> Path:
        root = tmp_path / "celeba"
        (root / folder).mkdir(parents=True)
        rows = {}
        for i in range(1, num + 1):
            name = f"{i:06}.jpg"
            write_image(root / folder / name, i)
            rows[name] = (1 if i % 3 == 0 else -1, 1 if i % 2 else -1, -1)
        write_labels(root / "list_attr_celeba.txt", rows)
        return root

    return make
