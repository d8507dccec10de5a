"""Pose, light, background and camera of a synthetic picture.

None of this depends on the sex of the face.
"""

import numpy as np
from PIL import Image, ImageFilter

from gfr.data.synthetic.canvas import (
    FIELD_SHAPE,
    HEIGHT_PX,
    SUPERSAMPLING,
    WIDTH_PX,
    Pose,
    Scene,
    soft,
)
from gfr.data.synthetic.traits import Face

# Walls are a little warm, as hair and skin are, so that long hair does not shift the mean colour.
_WALL = (0.04, 0.0, -0.05)


def arrange(face: Face, rng: np.random.Generator) -> Scene:
    """Pose the face before a background, in some light."""
    lamp = np.array([rng.normal(0, 0.5), rng.normal(-0.35, 0.3), 1.0])
    lamp /= np.linalg.norm(lamp)
    pose = Pose(
        yaw=float(np.clip(rng.normal(0, 0.11), -0.24, 0.24)),
        pitch=float(np.clip(rng.normal(0, 0.05), -0.11, 0.11)),
        roll=float(np.clip(rng.normal(0, 0.07), -0.2, 0.2)),
        unit_px=SUPERSAMPLING * float(np.clip(rng.normal(46, 2), 41, 51)),
        x_px=SUPERSAMPLING * (WIDTH_PX / 2 + float(rng.normal(0, 3))),
        y_px=SUPERSAMPLING * (105 + float(rng.normal(0, 3))),
    )
    return Scene(
        picture=_background(rng),
        face=face,
        pose=pose,
        light=(float(lamp[0]), float(lamp[1]), float(lamp[2])),
        ambient=float(rng.uniform(0.4, 0.7)),
        rng=rng,
    )


def _background(rng: np.random.Generator) -> Image.Image:
    """Plain, gradient, blobs or texture."""
    kind, base = rng.integers(4), rng.uniform(0.38, 0.75) + rng.normal(_WALL, 0.06)
    rows, columns = np.mgrid[0 : FIELD_SHAPE[0], 0 : FIELD_SHAPE[1]].astype(np.float32) / 100
    field = np.tile(base.astype(np.float32), (*FIELD_SHAPE, 1))
    if kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        slope = (rows - 0.5) * np.sin(angle) + (columns - 0.45) * np.cos(angle)
        field += slope[..., None] * (rng.normal(0, 0.32) + rng.normal(0, 0.1, 3))
    elif kind == 2:
        for _ in range(7):
            x, y, radius = rng.uniform(0, 0.9), rng.uniform(0, 1.1), rng.uniform(0.06, 0.25)
            blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / radius**2)
            field += blob[..., None] * (rng.normal(0, 0.12) + rng.normal(0, 0.06, 3))
    elif kind == 3:
        wave = np.sin((columns * rng.normal() + rows * rng.normal()) * rng.uniform(15, 60))
        grain = rng.normal(0, rng.uniform(0, 0.05), FIELD_SHAPE)
        field += (wave * rng.uniform(0, 0.06) + grain)[..., None]
    return soft(field)


def photograph(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lens, white balance, metering and sensor noise; the canvas -> the finished picture.

    The camera meters each picture to a mean and a contrast that anybody may get, so that brightness
    tells nothing about the sex.
    """
    small = canvas.reduce(SUPERSAMPLING)
    if rng.random() < 0.6:
        small = small.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.0))))
    pixels = np.asarray(small, dtype=np.float32) / 255
    warmth, across = rng.normal(0, 0.05), np.linspace(-1, 1, WIDTH_PX, dtype=np.float32)
    lamp = 1 + np.float32(rng.normal(0, 0.08)) * across
    pixels *= lamp[:, None] * np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
    exposure = np.clip(rng.normal(0.47, 0.03) / pixels.mean(), 0.7, 1.5)
    contrast = np.clip(rng.normal(0.225, 0.02) / (pixels.std() * exposure), 0.6, 1.8)
    mean = pixels.mean() * exposure
    pixels *= np.float32(exposure * contrast)
    pixels += np.float32(mean * (1 - contrast))
    noise = rng.standard_normal((HEIGHT_PX, WIDTH_PX, 1), dtype=np.float32)
    pixels += noise * np.float32(rng.uniform(0.003, 0.016))
    # A shoulder in place of clipping keeps the modelling of pale skin in bright light.
    over = np.maximum(pixels - 0.72, 0)
    pixels -= over - 0.26 * np.tanh(over / 0.26)
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
