"""Thumbnails of a few test images for summary.html, which stays on this machine.

A CelebA face goes into that file and nowhere else.
"""

import base64
import io
from collections.abc import Iterable

from PIL import Image

from gfr.data import images
from gfr.data.dataset import Faces

SIZE_PX = (89, 109)  # width, height: half of CelebA's
_QUALITY = 80


def of(faces: Faces, names: Iterable[str]) -> dict[str, str]:
    """Return `data:image/jpeg;base64,...` of each image by name, in the order of the names.

    Leaves out an image that is missing or differs from the one that was measured.
    """
    place = {name: row for row, name in enumerate(faces.names)}
    paths = faces.paths()
    uris: dict[str, str] = {}
    for name in dict.fromkeys(names):
        row = place[name]
        try:
            pixels = images.decode(paths[row]).pixels
        except images.Undecodable:
            continue
        if images.sha256(pixels) == faces.pixels_sha256[row]:
            uris[name] = _uri(Image.fromarray(pixels))
    return uris


def _uri(picture: Image.Image) -> str:
    picture.thumbnail(SIZE_PX, Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
