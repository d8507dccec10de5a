"""Files whose pixels are not plain RGB: transparency lies on white, as on the page."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from gfr.data import images

HALF = Image.fromarray(np.array([[[200, 0, 100, 0], [200, 0, 100, 128]]], np.uint8))


def on_white(red, green, blue):
    """The two pixels of HALF: the first is white, the second has 128/255 of its colour."""
    return [
        [255, 255, 255],
        [round(255 + (level - 255) * 128 / 255) for level in (red, green, blue)],
    ]


def with_colours(*indices):
    """A row of a palette of red, green and blue."""
    picture = Image.new("P", (len(indices), 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata(indices)
    return picture


RED, GREEN, WHITE = [255, 0, 0], [0, 255, 0], [255, 255, 255]

TRANSPARENT = {
    "RGBA": (HALF, "PNG", {}, on_white(200, 0, 100)),
    "LA": (HALF.convert("LA"), "PNG", {}, on_white(71, 71, 71)),
    "WebP": (HALF, "WEBP", {"lossless": True, "exact": True}, on_white(200, 0, 100)),
    "TIFF": (HALF, "TIFF", {}, on_white(200, 0, 100)),
    "P": (with_colours(0, 1), "PNG", {"transparency": 0}, [WHITE, GREEN]),
    "P, opacities": (with_colours(0, 1), "PNG", {"transparency": b"\0\xff"}, [WHITE, GREEN]),
    "GIF": (with_colours(0, 1), "GIF", {"transparency": 1}, [RED, WHITE]),
    "RGB, one colour": (
        with_colours(0, 1).convert("RGB"), "PNG", {"transparency": (255, 0, 0)}, [WHITE, GREEN]
    ),
    "L, one level": (HALF.convert("L"), "PNG", {"transparency": 71}, [WHITE, WHITE]),
    "1, black": (Image.new("1", (2, 1)), "PNG", {"transparency": 0}, [WHITE, WHITE]),
    "I;16": (
        Image.fromarray(np.array([[258, 259]], np.uint16)), "PNG", {"transparency": 258},
        [WHITE, [1, 1, 1]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSPARENT)
def test_what_is_transparent_lies_on_white(tmp_path, name):
    """The hidden colour is not seen, and half of it lightens the pixel."""
    picture, format, options, expected = TRANSPARENT[name]
    picture.save(tmp_path / "file", format, **options)
    found = images.decode(tmp_path / "file").pixels[0].astype(int)
    assert np.abs(found - expected).max() <= 1, found.tolist()


def test_opaque_pixels_are_kept_bit_for_bit(tmp_path):
    """RGB, grey, and RGBA that is opaque everywhere."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for picture in (Image.fromarray(pixels), Image.fromarray(pixels).convert("RGBA")):
        picture.save(tmp_path / "file", "PNG")
        assert np.array_equal(pixels, images.decode(tmp_path / "file").pixels)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "file", "PNG")
    assert np.array_equal(pixels[..., [0, 0, 0]], images.decode(tmp_path / "file").pixels)


@pytest.mark.parametrize(("bits", "level"), [(1, 1), (2, 2), (4, 10)])
def test_a_transparent_level_of_few_bits(tmp_path, bits, level):
    """A grey PNG of 1, 2 or 4 bits names it on its own scale."""
    (tmp_path / "file").write_bytes(png(bits, 0, bytes([level << 8 - bits]), (level,), 2))
    assert [[255, 255, 255], [0, 0, 0]] == images.decode(tmp_path / "file").pixels[0].tolist()


def test_a_transparent_colour_of_16_bits(tmp_path):
    """It is compared with the pixels although only their upper bytes are kept."""
    row = struct.pack(">6H", 0x8001, 0x8001, 0x8001, 0x8001, 0x7001, 0x1001)
    (tmp_path / "file").write_bytes(png(16, 2, row, (0x8001, 0x8001, 0x8001), 2))
    expected = [[255, 255, 255], [0x80, 0x70, 0x10]]
    assert expected == images.decode(tmp_path / "file").pixels[0].tolist()


def png(bits, colour_type, row, transparent, width):
    """A PNG of one row with a transparent colour."""
    header = struct.pack(">IIBBBBB", width, 1, bits, colour_type, 0, 0, 0)
    key = struct.pack(f">{len(transparent)}H", *transparent)
    chunks = (
        (b"IHDR", header),
        (b"tRNS", key),
        (b"IDAT", zlib.compress(b"\0" + row)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def test_a_gif_whose_first_frame_is_smaller(tmp_path):
    """What the frame leaves out is white, not the first colour of the palette."""
    picture = with_colours(0, 1)
    picture.save(tmp_path / "file", "GIF")
    content = bytearray((tmp_path / "file").read_bytes())
    content[6:8] = (3).to_bytes(2, "little")  # the width of the whole
    (tmp_path / "file").write_bytes(content)
    assert [RED, GREEN, WHITE] == images.decode(tmp_path / "file").pixels[0].tolist()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_grey_of_32_bits_is_rejected(tmp_path, dtype):
    """Such a TIFF does not say which value is white; values beyond 255 would wrap or be cut."""
    Image.fromarray(np.array([[0, 70_000]], dtype)).save(tmp_path / "file", "TIFF")
    with pytest.raises(images.Undecodable, match="32-bit greyscale is not supported"):
        images.decode(tmp_path / "file")
