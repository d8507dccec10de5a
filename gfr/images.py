"""JPEG -> uint8 at native size: the one decode of the whole project.

In: image files. Out: uint8 (H, W, 3), RGB, 0..255, and what had to be converted on the way. Never
resizes, never scales, never imports TensorFlow. Pillow's decode (libjpeg-turbo, accurate integer
DCT) equals `tf.io.decode_jpeg(..., dct_method="INTEGER_ACCURATE")` and a browser's bit for bit
(tests/test_images.py); TensorFlow's default, a fast DCT, differs from all of them.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

NUM_DECODE_THREADS = 2  # Pillow decodes outside the GIL; two keep ahead of any backbone here
MAX_PIXELS = 50_000_000  # a larger image is a mistake or an attack, no aligned face

_SIXTEEN_BIT = {"I;16", "I;16B", "I;16L", "I"}


@dataclass(frozen=True)
class Decoded:
    """Pixels uint8 (H, W, 3), 0..255, and the mode the file had, e.g. `RGB`, `L`, `CMYK`."""

    pixels: np.ndarray
    mode: str


class Undecodable(ValueError):
    """The file is missing or is no image; `str(error)` says which."""


def decode(path: Path) -> Decoded:
    """Read one image as RGB; raises Undecodable with a reason."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Undecodable(f"{width} x {height} px is more than {MAX_PIXELS:,} pixels")
            mode = _mode(image)
            image.load()
            return Decoded(np.ascontiguousarray(_as_rgb(image)), mode)
    except FileNotFoundError:
        raise Undecodable("missing") from None
    except UnidentifiedImageError:
        raise Undecodable("not an image") from None
    except Undecodable:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Undecodable(str(error) or type(error).__name__) from None


def _mode(image: Image.Image) -> str:
    """The file's own mode: Pillow opens 16-bit RGB as RGB and tells only before it loads."""
    raw = [str(tile[3]) for tile in getattr(image, "tile", [])]
    return next((args for args in raw if ";16" in args), image.mode)


def sha256(pixels: np.ndarray) -> str:
    """Digest of size and pixels, uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    digest = hashlib.sha256(f"{height} {width} ".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:
        # Pillow clips 16-bit grey to 255 in convert("RGB"); keep the upper byte instead.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def batches(paths: Sequence[Path], batch_size: int) -> Iterator[list[np.ndarray]]:
    """Decode in order, two batches ahead of the reader: lists of uint8 (H, W, 3)."""
    with ThreadPoolExecutor(NUM_DECODE_THREADS) as pool:
        waiting: list[list[Future[Decoded]]] = []
        for start in range(0, len(paths), batch_size):
            group = paths[start : start + batch_size]
            waiting.append([pool.submit(decode, path) for path in group])
            if len(waiting) > 2:
                yield [future.result().pixels for future in waiting.pop(0)]
        for futures in waiting:
            yield [future.result().pixels for future in futures]
