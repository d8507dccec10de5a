"""Small pictures of a few test images, for the page that stays on this machine.

In: Faces and names. Out: JPEG data URIs by name; no entry where the image is gone or is not the one
that was measured. Never fails for an image, never writes a file: what shows a CelebA face goes into
the local summary.html and nowhere else.
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
    """`data:image/jpeg;base64,...` of each image that is at hand, in the order of the names."""
    place = {name: row for row, name in enumerate(faces.names)}
    paths, found = faces.paths(), {}
    for name in dict.fromkeys(names):
        row = place[name]
        try:
            pixels = images.decode(paths[row]).pixels
        except images.Undecodable:
            continue
        if images.sha256(pixels) == faces.pixels_sha256[row]:
            found[name] = _uri(Image.fromarray(pixels))
    return found


def _uri(picture: Image.Image) -> str:
    picture.thumbnail(SIZE_PX, Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
