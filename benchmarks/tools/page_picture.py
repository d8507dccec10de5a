"""Take the picture of the page that the documents show.

    .venv/bin/python -m benchmarks.tools.page_picture MODEL_DIR

MODEL_DIR is what `gfr export` wrote. Writes docs/images/page.png. The faces are drawn, never
photographed. Needs Chromium.
"""

import sys
from pathlib import Path

from PIL import Image, ImageOps

from benchmarks import harness
from gfr.data.synthetic import generate
from gfr.storage.paths import ROOT

sys.path.append(str(ROOT / "tests"))  # the browser and the host of the page's tests

OUT = ROOT / "docs" / "images" / "page.png"
WIDTH_PX = 900
MARGIN_PX = 24
SEED = 3
# face, angle in degrees, x, y
WALL = ((1, 3, 90, 200), (12, -4, 520, 190), (14, 2, 980, 210))
PORTRAIT = 7


def main(model: Path) -> None:
    """Serve the page, open it, add two files, take the picture."""
    from playwright.sync_api import sync_playwright
    from web_browser import Visit, encoded, launch
    from web_host import serve

    with serve(model) as host, sync_playwright() as playwright:
        page = launch(playwright).new_page(
            viewport={"width": WIDTH_PX, "height": WIDTH_PX}, device_scale_factor=1.25
        )
        visit = Visit(page, host.url + "?backend=wasm").ready()
        portrait = generate.draw(SEED, PORTRAIT)[0]
        visit.give(
            ("wall.jpg", encoded(wall(), "JPEG", quality=92)), ("portrait.png", encoded(portrait))
        )
        page.wait_for_timeout(600)  # the marks slide into place
        results = page.locator("#results").bounding_box()
        height_px = results["y"] + results["height"] + MARGIN_PX
        clip = {"x": 0, "y": 0, "width": WIDTH_PX, "height": height_px}
        page.screenshot(path=OUT, clip=clip, full_page=True)


def wall() -> Image.Image:
    """Three framed portraits, none quite straight."""
    picture = Image.new("RGB", (1500, 1000), (121, 138, 134))
    for index, angle, x, y in WALL:
        face = generate.draw(SEED, index)[0].resize((445, 545), Image.Resampling.LANCZOS)
        framed = ImageOps.expand(face, 14, (250, 248, 243)).convert("RGBA")
        turned = framed.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        picture.paste(turned, (x, y), turned)
    return picture


if __name__ == "__main__":
    harness.execute(main)
