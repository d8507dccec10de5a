"""Images that are attacks: pixels or a reason, and no more memory than a photo."""

import io
import os
import random
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from test_dataset import chunk

from gfr.data import images

NUM_SPOILT = 60  # of each kind of file
MAX_GROWTH_BYTES = 1_000_000_000
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 30_000, 7_000)


def encoded(kind, **options):
    """A small picture in a format of Pillow's."""
    picture = Image.fromarray(np.random.default_rng(7).integers(0, 256, (40, 56, 3), np.uint8))
    mode = options.pop("mode", "RGB")
    if options.get("save_all"):
        options["append_images"] = [picture.rotate(angle) for angle in range(1, 6)]
    content = io.BytesIO()
    picture.convert(mode).save(content, kind, **options)
    return content.getvalue()


def exif(value, kind=3, count=1, order="<"):
    """EXIF with one tag, Orientation."""
    begin = b"II*\0" if order == "<" else b"MM\0*"
    number = struct.pack(f"{order}{'H' if kind == 3 else 'I'}", value).ljust(4, b"\0")
    tags = struct.pack(f"{order}HHHI", 1, 0x0112, kind, count) + number
    return b"Exif\0\0" + begin + struct.pack(f"{order}I", 8) + tags + bytes(4)


KINDS = {
    "JPEG": encoded("JPEG"),
    "progressive JPEG": encoded("JPEG", progressive=True, exif=exif(6)),
    "CMYK JPEG": encoded("JPEG", mode="CMYK"),
    "PNG": encoded("PNG", exif=exif(3)),
    "palette PNG": encoded("PNG", mode="P", transparency=3),
    "moving PNG": encoded("PNG", save_all=True),
    "GIF": encoded("GIF", save_all=True),
    "WebP": encoded("WEBP", exif=exif(6)),
    "moving WebP": encoded("WEBP", save_all=True, lossless=True),
    "BMP": encoded("BMP"),
    "palette BMP": encoded("BMP", mode="P"),
    "AVIF": encoded("AVIF", exif=exif(8)),
    "TIFF": encoded("TIFF", save_all=True),
    "LZW TIFF": encoded("TIFF", compression="tiff_lzw", exif=exif(6)[6:]),
    "JPEG TIFF": encoded("TIFF", compression="jpeg"),
}


def spoilt(content, dice):
    """One to six edits: flips, cuts, doubled stretches, numbers in the header, another's end."""
    content = bytearray(content)
    for _ in range(dice.randint(1, 6)):
        start = dice.randrange(len(content))
        end = min(len(content), start + dice.randint(1, 64))
        match dice.randrange(7):
            case 0:
                for _ in range(dice.randint(1, 20)):
                    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
            case 1:
                del content[start:]
            case 2:
                del content[start:end]
            case 3:
                content[start:end] = bytes(content[start:end]) * dice.randint(2, 40)
            case 4 | 5:  # sizes, offsets and counts stand in front
                number, width = dice.choice(NUMBERS), dice.choice((1, 2, 4))
                order = dice.choice(("little", "big"))
                place = dice.randrange(min(len(content), 120) or 1)
                low = (number & (1 << 8 * width) - 1).to_bytes(width, order)
                content[place : place + width] = low
            case 6:
                content[start:] = dice.choice(list(KINDS.values()))[start:]
        if not content:
            break
    return mended(bytes(content), dice)


def mended(content, dice):
    """A PNG with right check sums: else nothing of it would be looked at."""
    if not content.startswith(b"\x89PNG") or dice.random() < 0.3:
        return content
    parts, at = [content[:8]], 8
    while at + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        parts.append(
            chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + min(length, 1 << 20)])
        )
        at += 12 + length
    return b"".join(parts)


def pixels_or_reason(path):
    """Whether it was decoded; anything but uint8 (H, W, 3) or Undecodable fails the test."""
    try:
        pixels = images.decode(path).pixels
    except images.Undecodable as error:
        assert str(error) and str(error).isprintable()
        return False
    assert (np.uint8, 3, 3) == (pixels.dtype, pixels.ndim, pixels.shape[2])
    assert 0 < pixels.shape[0] * pixels.shape[1] <= images.MAX_PIXELS
    return True


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_spoilt_file_is_pixels_or_a_reason(tmp_path, kind):
    """900 files in all; some of each kind still show something, some do not."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path, dice, num_decoded = tmp_path / "face.jpg", random.Random(kind), 0
    for _ in range(NUM_SPOILT):
        path.write_bytes(spoilt(KINDS[kind], dice))
        num_decoded += pixels_or_reason(path)
    assert num_decoded < NUM_SPOILT
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth * 1024 < MAX_GROWTH_BYTES


def png(*chunks, size=(8, 8)):
    """A grey PNG with these chunks before its pixels."""
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((size[0] + 1) * size[1]))
    parts = [("IHDR", header), *chunks, ("IDAT", rows), ("IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind.encode(), body) for kind, body in parts)


BOMB = zlib.compress(bytes(300_000_000), 9)  # 0.3 MB


def jpeg_of_scans(num):
    """One picture, its last scan again and again."""
    content = encoded("JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * num + content[-2:]


BOMBS = {
    "iCCP": (png(("iCCP", b"p\0\0" + BOMB)), None),
    "zTXt": (png(("zTXt", b"p\0\0" + BOMB)), None),
    "iTXt": (png(("iTXt", b"p\0\1\0\0\0" + BOMB)), None),
    "pixels that go on": (png(("IDAT", BOMB)), None),
    "30,000 x 30,000": (png(size=(30_000, 30_000))[:2_000], "more than|exceeds limit"),
    "9,000 x 9,000": (png(size=(9_000, 9_000)), "9000 x 9000 px is more than 50,000,000 pixels"),
    "a line of 60 million": (png(size=(60_000_000, 1)), "more than 50,000,000 pixels"),
    "scans": (jpeg_of_scans(5_000), "a JPEG of more than 500 scans"),
    "frames": (encoded("GIF", save_all=True)[:-1] * 2_000, None),
    "a GIF of 65,535": (
        encoded("GIF")[:6] + b"\xff" * 4 + encoded("GIF")[10:],
        "exceeds limit|more",
    ),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n",
        "not an im",
    ),
    "a web page": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "not an image"),
    "a page in a GIF": (b"GIF89a/*<script>*/=1;//" + bytes(40), None),
    "a zip behind a JPEG": (encoded("JPEG") + b"PK\3\4" + bytes(1_000), None),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(tmp_path, name):
    """Little on disk, much in memory or time; and files that are two things at once."""
    content, words = BOMBS[name]
    path = tmp_path / "face.jpg"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if words:
        with pytest.raises(images.Undecodable, match=words):
            images.decode(path)
    else:
        pixels_or_reason(path)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth * 1024 < 200_000_000


def test_what_is_not_a_file_is_not_waited_for(tmp_path):
    """A pipe that nobody writes, a folder, a device, a link to itself, a file that is too long."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with (tmp_path / "long").open("wb") as file:
        file.truncate(images.MAX_BYTES + 1)  # sparse
    for name in ("pipe", ".", "/dev/zero", "loop", "long", "a" * 300, "nul\0"):
        with pytest.raises(images.Undecodable):
            images.decode(tmp_path / name)


TURNED = {1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud}
TURNED |= {5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, -1)}
TURNED |= {7: lambda p: np.rot90(p, 2).transpose(1, 0, 2), 8: np.rot90}


@pytest.mark.parametrize("value", TURNED)
def test_a_photograph_stands_upright(tmp_path, value):
    """The eight orientations of EXIF, as a viewer shows them; what says nothing keeps its bytes."""
    path = tmp_path / "face.png"
    path.write_bytes(encoded("PNG"))
    stored = images.decode(path)
    path.write_bytes(encoded("PNG", exif=exif(value, order=">")))
    found = images.decode(path)
    assert np.array_equal(TURNED[value](stored.pixels), found.pixels)
    assert (False, value != 1) == (stored.is_turned, found.is_turned)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("is_turned", "content"),
    [
        (True, exif(6, order="<")),
        (True, exif(6)[:-4] + b"\x08\0\0\0"),  # whose next directory is itself
        (False, exif(0)),
        (False, exif(9)),
        (False, b"Exif\0\0"),
        (False, exif(6)[:-10]),
        (False, exif(6)[:10] + b"\xff\xff\xff\xff" + exif(6)[14:]),  # beyond the end
        (False, exif(6)[:14] + b"\xff\xff" + bytes(65_000)),  # 65,535 entries
        (False, b"\xff" * 40),
    ],
)
def test_damaged_exif_neither_turns_nor_drops_an_image(tmp_path, is_turned, content):
    """Cut, beyond its end, out of range, a directory that follows itself."""
    path = tmp_path / "face.png"
    path.write_bytes(encoded("PNG", exif=content))
    assert is_turned == images.decode(path).is_turned
