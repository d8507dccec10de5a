"""Python and the page decode a file to the same pixels."""

import base64

import numpy as np
import pytest
import web_export
from PIL import Image
from web_browser import encoded

from gfr.data import images
from gfr.storage.paths import ROOT

pytestmark = pytest.mark.slow

DECODE = """async (content) => {
    const {decode} = await import('/photos.js');
    const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
    const {picture} = await decode(new Blob([bytes]));
    return {height: picture.height, width: picture.width, pixels: Array.from(picture.data)};
}"""


@pytest.fixture(scope="module")
def decode_on_page(chrome):
    """A function that decodes a file's content in Chromium: uint8 (H, W, 4)."""
    page = chrome.new_page()

    def answer(route):
        name = route.request.url.rpartition("/")[2]
        if name:
            route.fulfill(path=ROOT / "web" / "src" / name)
        else:
            route.fulfill(body="", content_type="text/html")

    page.route("http://127.0.0.1/**", answer)
    page.goto("http://127.0.0.1/")

    def decode(content):
        found = page.evaluate(DECODE, base64.b64encode(content).decode())
        pixels = np.array(found["pixels"], np.uint8)
        return pixels.reshape(found["height"], found["width"], 4)

    yield decode
    page.close()


def transparent(mode="RGBA"):
    """A drawn face of 60 x 80 px whose opacity goes from 0 to 255 from left to right."""
    picture = web_export.face(4).resize((60, 80)).convert("RGBA")
    opacity = np.tile(np.linspace(0, 255, 60), (80, 1)).astype(np.uint8)
    picture.putalpha(Image.fromarray(opacity))
    return picture.convert(mode)


def ramp():
    """16-bit grey, 0 to 65,535."""
    return Image.fromarray(np.linspace(0, 65535, 4800).reshape(80, 60).astype(np.uint16))


def palette(frame=1, bits=8):
    """A palette image whose colour 0 is transparent when it is saved so."""
    return web_export.face(frame).resize((60, 80)).quantize(2**bits)


ANIMATED = {"save_all": True, "append_images": [palette(2)], "loop": 0}

FILES = {
    "RGB": encoded(transparent("RGB")),
    "L": encoded(transparent("L")),
    "RGBA, opaque": encoded(transparent("RGB").convert("RGBA")),
    "JPEG": encoded(transparent("RGB"), "JPEG", quality=95),
    "L, JPEG": encoded(transparent("L"), "JPEG", quality=95),
    "1": encoded(transparent("1")),
    "1, transparent": encoded(transparent("1"), transparency=0),
    "L, a transparent level": encoded(transparent("L"), transparency=112),
    "LA": encoded(transparent("LA")),
    "P": encoded(palette()),
    "P, a transparent colour": encoded(palette(), transparency=0),
    "P, opacity of each colour": encoded(palette(), transparency=bytes(range(0, 256, 4)) * 4),
    "P, 4 bits": encoded(palette(bits=4), bits=4, transparency=3),
    "RGB, a transparent colour": encoded(transparent("RGB"), transparency=(112, 118, 121)),
    "RGBA": encoded(transparent()),
    "I;16": encoded(ramp()),
    "I;16, a transparent level": encoded(ramp(), transparency=65535),
    "CMYK": encoded(transparent("CMYK"), "JPEG", quality=95),
    "GIF": encoded(palette(), "GIF"),
    "GIF, a transparent colour": encoded(palette(), "GIF", transparency=0),
    "GIF, animated": encoded(palette(), "GIF", **ANIMATED),
    "GIF, animated, transparent": encoded(palette(), "GIF", transparency=0, disposal=2, **ANIMATED),
    "PNG, animated": encoded(
        transparent(), save_all=True, append_images=[transparent().rotate(180)]
    ),
    "WebP": encoded(transparent("RGB"), "WEBP", lossless=True),
    "WebP, transparent": encoded(transparent(), "WEBP", lossless=True, exact=True),
    "WebP, animated, transparent": encoded(
        transparent(), "WEBP", lossless=True, save_all=True, append_images=[transparent().rotate(9)]
    ),
    "BMP": encoded(transparent("RGB"), "BMP"),
}

EXACT = ("RGB", "L", "RGBA, opaque", "JPEG", "L, JPEG")


@pytest.mark.parametrize("name", FILES)
def test_python_and_the_page_decode_the_same_pixels(decode_on_page, tmp_path, name):
    """Opaque 8-bit RGB and grey bit for bit; every other mode within 2 grey levels, on white."""
    path = tmp_path / "file"
    path.write_bytes(FILES[name])
    ours = images.decode(path).pixels.astype(int)
    theirs = decode_on_page(FILES[name]).astype(int)
    assert (theirs[..., 3] == 255).all()
    assert ours.shape == theirs[..., :3].shape
    assert np.abs(ours - theirs[..., :3]).max() <= (0 if name in EXACT else 2)
