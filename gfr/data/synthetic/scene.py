"""The picture of a synthetic face: pose, light, background and camera.

None of this depends on the sex of the face. The canvas is a PIL picture of twice the final size.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from gfr.data.synthetic.shapes import Array, rounded
from gfr.data.synthetic.traits import Colour, Face

WIDTH_PX, HEIGHT_PX = 178, 218  # as CelebA's aligned crops

SUPERSAMPLING = 2

_CANVAS_PX = (WIDTH_PX * SUPERSAMPLING, HEIGHT_PX * SUPERSAMPLING)

_FIELD_STEP_PX = 4  # shading is soft, so a coarse field is enough and costs a sixteenth

_FIELD_SHAPE = (_CANVAS_PX[1] // _FIELD_STEP_PX, _CANVAS_PX[0] // _FIELD_STEP_PX)

# Walls are a little warm, as hair and skin are, so that long hair does not shift the mean colour.
_WALL = (0.04, 0.0, -0.05)


@dataclass(frozen=True)
class Scene:
    """One face, its pose and its light, and the picture they are drawn on."""

    picture: Image.Image
    face: Face
    rng: np.random.Generator
    yaw: float  # how the head is turned, radians
    pitch: float
    roll: float
    unit_px: float  # where it is, canvas pixels
    x_px: float
    y_px: float
    light: list[float]  # unit vector towards the lamp: x right, y down, z to the camera
    ambient: float

    def place(self, outline: Array, lift: float = 0.0) -> Array:
        """Head units (N, 2) -> canvas pixels (N, 2); `lift` is how far a part stands forward."""
        depth = lift * np.sqrt(np.maximum(0.0, 1.0 - 0.6 * outline[:, 0] ** 2))
        x, y = outline[:, 0] + self.yaw * depth, outline[:, 1] + self.pitch * depth
        cos, sin = np.cos(self.roll) * self.unit_px, np.sin(self.roll) * self.unit_px
        return np.stack([x * cos - y * sin + self.x_px, x * sin + y * cos + self.y_px], axis=1)

    def grid(self) -> tuple[Array, Array]:
        """Head units x and y of each pixel of a shading field, float32 (109, 89) each."""
        rows, columns = (np.indices(_FIELD_SHAPE, np.float32) + 0.5) * _FIELD_STEP_PX
        x, y = (columns - self.x_px) / self.unit_px, (rows - self.y_px) / self.unit_px
        cos, sin = float(np.cos(self.roll)), float(np.sin(self.roll))
        return x * cos + y * sin, y * cos - x * sin

    def mask(self, outlines: Iterable[Array], lift: float = 0.0) -> Image.Image:
        """Closed outlines -> an 'L' mask of their union."""
        mask = Image.new("L", _CANVAS_PX)
        for outline in outlines:
            corners_px = self.place(rounded(outline), lift).ravel().tolist()
            ImageDraw.Draw(mask).polygon(corners_px, fill=255)
        return mask

    def fill(self, outline: Array, colour: Colour, lift: float = 0.0) -> None:
        """Fill one closed outline, corners rounded."""
        corners_px = self.place(rounded(outline), lift).ravel().tolist()
        ImageDraw.Draw(self.picture).polygon(corners_px, fill=rgb(colour))

    def stroke(self, path: Array, colour: Colour, width: float, lift: float = 0.0) -> None:
        """Draw an open path."""
        path_px = self.place(path, lift).ravel().tolist()
        width_px = max(1, round(width * self.unit_px))
        ImageDraw.Draw(self.picture).line(path_px, fill=rgb(colour), width=width_px, joint="curve")


def rgb(colour: Colour) -> tuple[int, ...]:
    """0..1 -> 0..255, clipped."""
    return tuple((np.clip(colour, 0, 1) * 255).astype(int).tolist())


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first."""
    return (1 - share) * first + share * second


def soft(field: Array) -> Image.Image:
    """0..1, (109, 89) or (109, 89, 3) -> a picture of the canvas's size."""
    coarse = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    # Soft up to the final size is enough: the camera averages the canvas's pixels two by two.
    smooth = coarse.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BILINEAR)
    return smooth.resize(_CANVAS_PX, Image.Resampling.NEAREST)


def step(distance: Array, softness: float) -> Array:
    """0 at distances below zero, 1 above, with a soft edge."""
    return np.clip(0.5 + distance / (2 * softness), 0, 1)


def arrange(face: Face, rng: np.random.Generator) -> Scene:
    """Pose the face before a background, in some light."""
    lamp = np.array([rng.normal(0, 0.5), rng.normal(-0.35, 0.3), 1.0])
    return Scene(
        yaw=float(np.clip(rng.normal(0, 0.11), -0.24, 0.24)),
        pitch=float(np.clip(rng.normal(0, 0.05), -0.11, 0.11)),
        roll=float(np.clip(rng.normal(0, 0.07), -0.2, 0.2)),
        unit_px=SUPERSAMPLING * float(np.clip(rng.normal(46, 2), 41, 51)),
        x_px=SUPERSAMPLING * (WIDTH_PX / 2 + rng.normal(0, 3)),
        y_px=SUPERSAMPLING * (105 + rng.normal(0, 3)),
        picture=_background(rng),
        face=face,
        light=(lamp / np.linalg.norm(lamp)).tolist(),
        ambient=rng.uniform(0.4, 0.7),
        rng=rng,
    )


def _background(rng: np.random.Generator) -> Image.Image:
    """Plain, gradient, blobs or texture."""
    kind, base = rng.integers(4), rng.uniform(0.38, 0.75) + rng.normal(_WALL, 0.06)
    rows, columns = np.mgrid[0 : _FIELD_SHAPE[0], 0 : _FIELD_SHAPE[1]].astype(np.float32) / 100
    field = np.tile(base.astype(np.float32), (*_FIELD_SHAPE, 1))
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
        grain = rng.normal(0, rng.uniform(0, 0.05), _FIELD_SHAPE)
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
