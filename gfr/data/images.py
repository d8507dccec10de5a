"""Decode image files to uint8 at native size, the only decoder of the project.

Pillow's decode (libjpeg-turbo, accurate integer DCT) equals
`tf.io.decode_jpeg(..., dct_method="INTEGER_ACCURATE")` and a browser's decode bit for bit
(tests/data/test_images.py). TensorFlow's default, a fast DCT, differs from both.

What is transparent lies on white, and only the first frame of an animation is decoded: the page
does the same (tests/export/test_web_decode.py).

Files are not trusted: only photograph formats are tried (Pillow would hand PostScript to an
interpreter), and files that would take more memory or time than a photograph are rejected before
decoding. Does not resize, scale or import TensorFlow.
"""

import hashlib
import io
import stat
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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

_SIXTEEN_BIT = {"I;16", "I;16B", "I;16L"}

_TOO_DEEP = {"I", "F"}  # 32-bit TIFF: the file does not say which value is white


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
            if image.mode in _TOO_DEEP:
                raise Undecodable("32-bit greyscale is not supported. Save it with 8 or 16 bits")
            mode, turn, frame = _mode(image), _turn(image), _first_frame(image)
            _scale_transparent_colour(image)
            image.load()
            rgb = _on_white(image, frame)
            pixels = np.ascontiguousarray(rgb if turn is None else rgb.transpose(turn))
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


class Changed(InputError):
    """An image is not what it was when it was first decoded."""


def known(path: Path) -> np.ndarray:
    """Read an image that was decoded before -> uint8 (H, W, 3); Changed if it cannot be now."""
    try:
        return decode(path).pixels
    except Undecodable as error:
        raise Changed(
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
    return next((mode for mode in _raw_modes(image) if ";16" in mode), image.mode)


def _raw_modes(image: Image.Image) -> list[str]:
    return [str(tile[3]) for tile in getattr(image, "tile", [])]


def _scale_transparent_colour(image: Image.Image) -> None:
    """Scale the colour that a PNG names as transparent to 8 bits; Pillow scales only the pixels."""
    key, raw_modes = image.info.get("transparency"), _raw_modes(image)
    if isinstance(key, tuple) and "RGB;16B" in raw_modes:
        image.info["transparency"] = tuple(level >> 8 for level in key)
    for raw_mode, step in (("L;2", 85), ("L;4", 17)):
        if isinstance(key, int) and raw_mode in raw_modes:
            image.info["transparency"] = key * step


def sha256(pixels: np.ndarray) -> str:
    """Hash the size and the pixels, uint8 (H, W, 3)."""
    height, width, _ = pixels.shape
    return hashlib.sha256(f"{height} {width} ".encode() + pixels.tobytes()).hexdigest()


def _first_frame(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the part of a GIF that its first frame covers, if it is not all; else None."""
    if image.format != "GIF" or not (tile := getattr(image, "tile", [])):
        return None
    left, top, right, bottom = tile[0][1]
    frame = (left, top, right, bottom)
    return None if frame == (0, 0, *image.size) else frame


def _on_white(image: Image.Image, frame: tuple[int, int, int, int] | None) -> Image.Image:
    """Return RGB, with white behind what is transparent or outside of `frame`, as on the page."""
    opaque, alpha = _levels(image)
    if frame is not None:
        shown = Image.new("L", image.size, 0)
        shown.paste(255 if alpha is None else alpha.crop(frame), frame)
        alpha = shown
    if alpha is None:
        return opaque
    return Image.composite(opaque, Image.new("RGB", image.size, "white"), alpha)


def _levels(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split an image into RGB and its opacity, L; None if it is opaque."""
    if image.mode in _SIXTEEN_BIT:
        # Pillow clips 16-bit grey to 255 in convert("RGB"); keep the upper byte instead.
        levels, key = np.asarray(image), image.info.get("transparency")
        rgb = Image.fromarray((levels >> 8).astype(np.uint8)).convert("RGB")
        if key is None:
            return rgb, None
        return rgb, Image.fromarray(np.where(levels == key, 0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB"), None
    rgba = image.convert("RGBA")
    return rgba.convert("RGB"), rgba.getchannel("A")


def batches(paths: Sequence[Path], batch_size: int) -> Iterator[list[np.ndarray]]:
    """Decode known images in order, two batches ahead of the caller: lists of uint8 (H, W, 3)."""
    num_ahead = 2 * batch_size
    waiting: deque[Iterator[np.ndarray]] = deque()
    with ThreadPoolExecutor(NUM_DECODE_THREADS) as pool:
        for start in range(0, len(paths) + num_ahead, batch_size):
            waiting.append(pool.map(known, paths[start : start + batch_size]))
            if start >= num_ahead:
                yield list(waiting.popleft())


def run_by_size(
    run: Callable[[np.ndarray], np.ndarray], pixels: Sequence[np.ndarray]
) -> np.ndarray:
    """Run images uint8 (H, W, 3) of any sizes, grouped by size -> (len(pixels), ...), in order.

    `run` takes uint8 (N, H, W, 3) and returns N rows.
    """
    outputs: dict[int, np.ndarray] = {}
    for shape in dict.fromkeys(image.shape for image in pixels):
        rows = [row for row, image in enumerate(pixels) if image.shape == shape]
        values = run(np.stack([pixels[row] for row in rows]))
        outputs.update(zip(rows, values, strict=True))
    return np.stack([outputs[row] for row in range(len(pixels))])
