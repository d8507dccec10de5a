"""Decode image files to uint8 at native size, the only decoder of the project.

Pillow's decode (libjpeg-turbo, accurate integer DCT) equals
`tf.io.decode_jpeg(..., dct_method="INTEGER_ACCURATE")` and a browser's decode bit for bit
(tests/data/test_images.py). TensorFlow's default, a fast DCT, differs from both.

Files are not trusted: only photograph formats are tried (Pillow would hand PostScript to an
interpreter), and files that would take more memory or time than a photograph are rejected before
decoding. Does not resize, scale or import TensorFlow.
"""

import hashlib
import io
import stat
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from gfr import text
from gfr.errors import InputError

NUM_DECODE_THREADS = 2  # Pillow decodes outside the GIL; two keep ahead of any backbone here

MAX_PIXELS = 50_000_000  # a larger image is a mistake or an attack, not an aligned face

MAX_BYTES = 100_000_000  # the web page has the same limit

MAX_SCANS = 500  # of a progressive JPEG, each over all its pixels; cameras write ten

# The formats that browsers show, and TIFF.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")

# Raised by Pillow for damaged files, besides OSError (tests/data/test_hostile_images.py).
_DAMAGED = (
    SyntaxError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError,
    AssertionError, EOFError, MemoryError, RuntimeError, struct.error,
    Image.DecompressionBombError,
)  # fmt: skip

# Formats whose EXIF orientation browsers apply; Pillow turns TIFF itself, and browsers ignore
# WebP's (docs/LOG.md).
_TURNED_BY_EXIF = ("JPEG", "MPO", "PNG", "AVIF")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_JPEG_BEGIN, _JPEG_SCAN = b"\xff\xd8", b"\xff\xda"

_SIXTEEN_BIT = {"I;16", "I;16B", "I;16L", "I"}


@dataclass(frozen=True)
class Decoded:
    """One decoded image.

    `pixels` is uint8 (H, W, 3), 0..255, upright. `mode` is the mode of the file, e.g. `RGB`, `L` or
    `CMYK`. `is_turned` tells that the file stores the pixels rotated or mirrored, by its EXIF.
    """

    pixels: np.ndarray
    mode: str
    is_turned: bool


class Undecodable(ValueError):
    """The file is missing or is not an image; `str(error)` is the reason in one line."""


def decode(path: Path) -> Decoded:
    """Read one image as upright RGB; raises Undecodable with the reason."""
    try:
        content = _read(path)
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Undecodable(f"{width} x {height} px is more than {MAX_PIXELS:,} pixels")
            mode, turn = _mode(image), _turn(image)
            image.load()
            upright = image if turn is None else image.transpose(turn)
            pixels = np.ascontiguousarray(_as_rgb(upright))
            return Decoded(pixels, mode, turn is not None)
    except Undecodable:
        raise
    except FileNotFoundError:
        raise Undecodable("missing") from None
    except UnidentifiedImageError:
        raise Undecodable("not an image") from None
    except (OSError, *_DAMAGED) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise Undecodable(text.line(why) or type(error).__name__) from None


def known(path: Path) -> np.ndarray:
    """Read an image that was decoded before -> uint8 (H, W, 3); InputError if it has changed."""
    try:
        return decode(path).pixels
    except Undecodable as error:
        raise InputError(
            f"{path}: {error}, but it could be decoded before. Put the images back where they "
            "were, or start a new run"
        ) from None


def _read(path: Path) -> bytes:
    """Read the file; raises Undecodable if it cannot be a photograph (a pipe would never end)."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Undecodable("not a regular file")
    if status.st_size > MAX_BYTES:
        raise Undecodable(f"{status.st_size:,} bytes are more than {MAX_BYTES:,}")
    content = path.read_bytes()
    if content.startswith(_JPEG_BEGIN) and content.count(_JPEG_SCAN) > MAX_SCANS:
        raise Undecodable(f"a JPEG of more than {MAX_SCANS} scans")
    return content


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return the transposition that makes the image upright, or None if there is nothing to do."""
    if image.format not in _TURNED_BY_EXIF or not (content := image.info.get("exif")):
        return None
    exif = Image.Exif()  # Image.getexif would also read XMP, which browsers ignore
    try:
        exif.load(content)
        return _TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    except (*_DAMAGED, OSError):  # damaged EXIF does not spoil the image
        return None


def _mode(image: Image.Image) -> str:
    """Return the mode of the file; Pillow opens 16-bit RGB as RGB and tells only before loading."""
    raw = [str(tile[3]) for tile in getattr(image, "tile", [])]
    return next((args for args in raw if ";16" in args), image.mode)


def sha256(pixels: np.ndarray) -> str:
    """Hash the size and the pixels, uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    return hashlib.sha256(f"{height} {width} ".encode() + pixels.tobytes()).hexdigest()


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:
        # Pillow clips 16-bit grey to 255 in convert("RGB"); keep the upper byte instead.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def batches(paths: Sequence[Path], batch_size: int) -> Iterator[list[np.ndarray]]:
    """Decode known images in order, two batches ahead of the caller: lists of uint8 (H, W, 3)."""
    num_ahead = 2 * batch_size
    waiting: deque[Iterator[np.ndarray]] = deque()
    with ThreadPoolExecutor(NUM_DECODE_THREADS) as pool:
        for start in range(0, len(paths) + num_ahead, batch_size):
            waiting.append(pool.map(known, paths[start : start + batch_size]))
            if start >= num_ahead:
                yield list(waiting.popleft())
