"""JPEG -> uint8 at native size: the one decode of the whole project.

In: image files. Out: uint8 (H, W, 3), RGB, 0..255, upright, and what had to be converted on the
way. Never resizes, never scales, never imports TensorFlow. Pillow's decode (libjpeg-turbo, accurate
integer DCT) equals `tf.io.decode_jpeg(..., dct_method="INTEGER_ACCURATE")` and a browser's bit for
bit (tests/test_images.py); TensorFlow's default, a fast DCT, differs from all of them.

A file may be anything, an attack too: only formats that photographs come in are tried (Pillow would
hand PostScript to an interpreter), and what would take more memory or time than a photograph is
refused before it is decoded.
"""

import hashlib
import io
import stat
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gfr import text

NUM_DECODE_THREADS = 2  # Pillow decodes outside the GIL; two keep ahead of any backbone here

MAX_PIXELS = 50_000_000  # a larger image is a mistake or an attack, no aligned face

MAX_BYTES = 100_000_000  # the page takes no more either

MAX_SCANS = 500  # of a progressive JPEG, each over all its pixels; cameras write ten

# What browsers show, and TIFF.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")

# What Pillow raises for files that are spoilt (tests/test_hostile_images.py), beside OSError.
_SPOILT = (
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)

# Formats whose EXIF browsers obey; Pillow turns TIFF itself. WebP's is ignored (docs/LOG.md).
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
    """Pixels uint8 (H, W, 3), 0..255, upright, and the mode the file had, e.g. `RGB`, `L`, `CMYK`.

    `is_turned`: the file holds them turned or mirrored, and its EXIF says so.
    """

    pixels: np.ndarray
    mode: str
    is_turned: bool


class Undecodable(ValueError):
    """The file is missing or is no image; `str(error)` says which, in one line."""


def decode(path: Path) -> Decoded:
    """Read one image as RGB, upright; raises Undecodable with a reason."""
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
    except FileNotFoundError:
        raise Undecodable("missing") from None
    except UnidentifiedImageError:
        raise Undecodable("not an image") from None
    except Undecodable:
        raise
    except OSError as error:
        raise Undecodable(text.line(error.strerror or str(error) or "unreadable")) from None
    except _SPOILT as error:
        raise Undecodable(text.line(str(error)) or type(error).__name__) from None


def _read(path: Path) -> bytes:
    """The file; Undecodable if it cannot be a photograph (a pipe would never end)."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise Undecodable("no file but something else")
    if found.st_size > MAX_BYTES:
        raise Undecodable(f"{found.st_size:,} bytes are more than {MAX_BYTES:,}")
    content = path.read_bytes()
    if content.startswith(_JPEG_BEGIN) and content.count(_JPEG_SCAN) > MAX_SCANS:
        raise Undecodable(f"a JPEG of more than {MAX_SCANS} scans")
    return content


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes the image upright, as browsers would; None if it is."""
    exif = image.info.get("exif") if image.format in _TURNED_BY_EXIF else None
    return _TURNS.get(of(exif)) if exif else None


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


UPRIGHT = 1

_TAG, _SHORT = 0x0112, 3

_MARK = b"Exif\0\0"

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}

_ENTRY_BYTES = 12


def of(exif: bytes) -> int:
    """1..8; 1, upright, where the bytes are no EXIF or do not say it as the standard has it."""
    tiff = exif.removeprefix(_MARK)
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (num_entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for i in range(num_entries):
            place = start + 2 + i * _ENTRY_BYTES
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, place)
            if (tag, kind, count) == (_TAG, _SHORT, 1):
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # it points beyond its end
        pass
    return UPRIGHT
