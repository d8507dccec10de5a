"""Files that are no tidy photos: the page says what is wrong, or gives the right result."""

import io
import json
import statistics

import numpy as np
import pytest
import web_export
from PIL import Image
from web_browser import encoded, pasted

from gfr.data import images
from gfr.storage.paths import ROOT

pytestmark = pytest.mark.slow

CELEBA = ROOT.parent / "shared" / "data" / "celeba5000" / "images"
NUM_CELEBA = 50
GOOD = ("good.png", encoded(web_export.face(1)))


def cut_jpeg() -> bytes:
    """The first half of a JPEG that carries a whole thumbnail."""
    whole = encoded(web_export.face(2), "JPEG", exif=b"Exif\0\0 \xff\xd8 \xff\xd9")
    return whole[: len(whole) // 2]


BAD = {
    "text.jpg": (lambda: b"no picture", "not a picture"),
    "empty.jpg": (lambda: b"", "empty"),
    "cut.jpg": (cut_jpeg, "cut short"),
    "cut.png": (lambda: encoded(web_export.face(2))[:5000], "damaged"),
    "huge.png": (lambda: encoded(Image.new("L", (10_000, 6_000))), "pixels are too many"),
    "photo.heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(100), "HEIC"),
    "scan.tiff": (lambda: encoded(web_export.face(2), "TIFF"), "TIFF"),
}


def test_bad_files_are_named_and_spoil_no_other(visit):
    """A plain sentence for each, an answer for the good one, dropped together."""
    page = visit().give(*[(name, make()) for name, (make, _) in BAD.items()], GOOD)
    for name, (_, words) in BAD.items():
        assert words in page.text(f"[data-file='{name}'] .problem"), name
    assert 1 == len(page.p_male()) == len(page.p_male("good.png"))


def test_an_empty_picture_of_many_pixels(visit):
    """Under the limit of 50 million pixels a picture is scaled down and classified."""
    page = visit().give(("large.png", encoded(Image.new("L", (8_000, 6_000), 99))))
    assert "whole" == page.faces()[0]["kind"]


def test_photos_that_exif_turns(visit, web_model, tmp_path):
    """The page has them as upright as gfr itself; browsers do not look at WebP's EXIF."""
    contents, expected = {}, {}
    for format, value, is_turned in (("JPEG", 6, True), ("PNG", 5, True), ("WEBP", 3, False)):
        exif = Image.Exif()
        exif[0x0112] = value
        picture = web_export.face(3)
        lying = picture.transpose(Image.Transpose.TRANSPOSE) if is_turned else picture
        contents[format] = encoded(lying, format, quality=95, exif=exif)
        (tmp_path / format).write_bytes(contents[format])
        decoded = images.decode(tmp_path / format)
        assert is_turned == decoded.is_turned, format
        pixels = Image.fromarray(decoded.pixels)
        (expected[format],) = web_export.keras_p_male(web_model, [pixels])
    page = visit().give(*contents.items())
    assert pytest.approx(expected, abs=1e-4) == {name: page.p_male(name)[0] for name in contents}


def test_odd_pictures(visit, web_model):
    """Grey, palette, CMYK, opacity: the probability of the picture as RGB."""
    pictures = {mode: web_export.face(4).convert(mode) for mode in ("L", "P", "CMYK", "RGBA")}
    contents = {
        mode: encoded(picture, "JPEG", quality=95) if mode == "CMYK" else encoded(picture)
        for mode, picture in pictures.items()
    }
    page = visit().give(*contents.items())
    for mode, content in contents.items():
        expected = web_export.keras_p_male(web_model, [Image.open(io.BytesIO(content))])
        tolerance = 0.05 if mode == "CMYK" else 1e-4  # decoders differ in what CMYK looks like
        assert pytest.approx(expected, abs=tolerance) == page.p_male(mode), mode


def test_animations(visit, web_model):
    """The first frame is classified, and it says so."""
    frames = [web_export.face(index).quantize(64) for index in (5, 6)]
    contents = [
        (format, encoded(frames[0], format, save_all=True, append_images=frames[1:], **how))
        for format, how in (("GIF", {"loop": 0}), ("WEBP", {"loop": 0, "lossless": True}))
    ]
    page = visit().give(*contents)
    expected = web_export.keras_p_male(web_model, [frames[0]])
    for name, _ in contents:
        assert pytest.approx(expected, abs=1e-4) == page.p_male(name)
        assert "first frame" in page.text(f"[data-file='{name}'] .detail >> nth=0")


def test_too_many_files(visit):
    """Twelve of thirteen are taken, and the page says so."""
    page = visit().give(*[(f"{i}.png", GOOD[1]) for i in range(13)])
    assert 12 == len(page.p_male())
    assert "first 12" in page.text("#notices")


def test_the_detector_finds_the_eyes_of_celeba(visit):
    """50 aligned faces at scales from 0.5 to 3 in larger pictures: eyes 4 px off on average."""
    if not CELEBA.is_dir():
        # Images of CelebA may not be committed: the figures of a run on them are in docs/web.md.
        # Its licence forbids committing them, so only a checkout beside them can compare.
        pytest.skip(f"needs CelebA images in {CELEBA.relative_to(ROOT.parent)}")
    rng = np.random.default_rng(6)
    points = web_export.alignment()["points"]
    errors_px = []
    page = visit()
    paths = sorted(CELEBA.iterdir())
    for i in rng.choice(len(paths), NUM_CELEBA, replace=False):
        scale = float(rng.uniform(0.5, 3))
        x, y = int(rng.integers(20, 1280 - 178 * scale)), int(rng.integers(20, 960 - 218 * scale))
        photo = pasted([Image.open(paths[i])], (1280, 960), [(x, y, scale)])
        name = f"{i}.jpg"
        for face in page.give((name, encoded(photo, "JPEG", quality=92))).faces(name)[:1]:
            assert "faces" == face["kind"], name
            found = json.loads(face["points"])
            for eye in ("right_eye", "left_eye"):
                expected = np.array([x, y]) + scale * np.array(points[eye])
                errors_px.append(float(np.hypot(*(np.array(found[eye]) - expected))))
    assert 2 * NUM_CELEBA == len(errors_px)
    mean_px = statistics.mean(errors_px)
    print(f"mean eye error {mean_px:.2f} px over {NUM_CELEBA} images")
    assert mean_px <= 4
