"""The canvas of a synthetic face: coordinates, the turned head, outlines and soft shading.

Outlines are in head units: half a face's width, from the middle of the eye line, y downwards. The
canvas is a PIL picture of twice the final size.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gfr.data.synthetic.traits import Colour, Face

WIDTH_PX, HEIGHT_PX = 178, 218  # as CelebA's aligned crops

SUPERSAMPLING = 2

CANVAS_PX = (WIDTH_PX * SUPERSAMPLING, HEIGHT_PX * SUPERSAMPLING)

_FIELD_STEP_PX = 4  # shading is soft, so a coarse field is enough and costs a sixteenth

FIELD_SHAPE = (CANVAS_PX[1] // _FIELD_STEP_PX, CANVAS_PX[0] // _FIELD_STEP_PX)

Array = NDArray[np.floating]

Point = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """How the head is turned (radians) and where it is (canvas pixels)."""

    yaw: float
    pitch: float
    roll: float
    unit_px: float
    x_px: float
    y_px: float

    def place(self, outline: Array, lift: float = 0.0) -> Array:
        """Head units (N, 2) -> canvas pixels (N, 2); `lift` is how far a part stands forward."""
        depth = lift * np.sqrt(np.maximum(0.0, 1.0 - 0.6 * outline[:, 0] ** 2))
        x, y = outline[:, 0] + self.yaw * depth, outline[:, 1] + self.pitch * depth
        cos, sin = np.cos(self.roll) * self.unit_px, np.sin(self.roll) * self.unit_px
        return np.stack([x * cos - y * sin + self.x_px, x * sin + y * cos + self.y_px], axis=1)

    def grid(self) -> tuple[Array, Array]:
        """Head units x and y of each pixel of a shading field, float32 (109, 89) each."""
        height, width = FIELD_SHAPE
        rows = (np.arange(height, dtype=np.float32)[:, None] + 0.5) * _FIELD_STEP_PX
        columns = (np.arange(width, dtype=np.float32)[None, :] + 0.5) * _FIELD_STEP_PX
        x, y = (columns - self.x_px) / self.unit_px, (rows - self.y_px) / self.unit_px
        cos, sin = float(np.cos(self.roll)), float(np.sin(self.roll))
        return x * cos + y * sin, y * cos - x * sin


@dataclass(frozen=True)
class Scene:
    """One face, its pose and its light, and the picture they are drawn on."""

    picture: Image.Image
    face: Face
    pose: Pose
    light: Colour  # unit vector towards the lamp: x right, y down, z to the camera
    ambient: float
    rng: np.random.Generator

    def mask(self, outlines: Iterable[Array], lift: float = 0.0) -> Image.Image:
        """Closed outlines -> an 'L' mask of their union."""
        mask = Image.new("L", CANVAS_PX)
        pen = ImageDraw.Draw(mask)
        for outline in outlines:
            pen.polygon(self.pose.place(rounded(outline), lift).ravel().tolist(), fill=255)
        return mask

    def fill(self, outline: Array, colour: Colour, lift: float = 0.0) -> None:
        """Fill one closed outline, corners rounded."""
        corners_px = self.pose.place(rounded(outline), lift).ravel().tolist()
        ImageDraw.Draw(self.picture).polygon(corners_px, fill=rgb(colour))

    def stroke(self, path: Array, colour: Colour, width: float, lift: float = 0.0) -> None:
        """Draw an open path."""
        path_px = self.pose.place(path, lift).ravel().tolist()
        width_px = max(1, round(width * self.pose.unit_px))
        ImageDraw.Draw(self.picture).line(path_px, fill=rgb(colour), width=width_px, joint="curve")


def rgb(colour: Colour) -> tuple[int, int, int]:
    """0..1 -> 0..255, clipped."""
    red, green, blue = (int(255 * min(1.0, max(0.0, part))) for part in colour)
    return red, green, blue


def tones(colour: Colour, factors: Array) -> list[tuple[int, ...]]:
    """One colour in many lights, as 0..255."""
    lit = np.clip(factors[:, None] * colour, 0, 1) * 255
    return [tuple(row) for row in lit.astype(int).tolist()]


def times(colour: Colour, *factors: float) -> Colour:
    """A colour times one factor, or times one factor for each channel."""
    red, green, blue = factors if len(factors) == 3 else factors * 3
    return colour[0] * red, colour[1] * green, colour[2] * blue


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(first, second, strict=True))
    return red, green, blue


def outline(*corners: Point) -> Array:
    """Corners -> (N, 2)."""
    return np.array(corners, dtype=np.float64)


def mirrored(*right: Point) -> Array:
    """The right half of an outline, top to bottom -> the whole symmetric outline."""
    half = outline(*right)
    return np.concatenate([half, half[::-1] * [-1, 1]])


def rounded(corners: Array) -> Array:
    """Chaikin's corner cutting, three times, on a closed outline: (N, 2) -> (8 N, 2)."""
    return _rounding(len(corners)) @ corners


@cache
def _rounding(num_corners: int) -> Array:
    """The cutting as one matrix, (8 N, N): drawing a face rounds some thirty outlines."""
    weights = np.eye(num_corners)
    for _ in range(3):
        following = np.concatenate([weights[1:], weights[:1]])
        cut = np.stack([0.75 * weights + 0.25 * following, 0.25 * weights + 0.75 * following], 1)
        weights = cut.reshape(-1, num_corners)
    return weights


_T = np.linspace(0, 1, 9)[:, None]

_BEZIER = np.concatenate([(1 - _T) ** 2, 2 * _T * (1 - _T), _T**2], axis=1)  # (9, 3)

_ANGLES = np.linspace(0, 2 * np.pi, 17)[:-1]

_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)  # (16, 2)


def curve(start: Point, bend: Point, end: Point) -> Array:
    """A path of nine points from start to end, pulled towards the bend."""
    return _BEZIER @ outline(start, bend, end)


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Array:
    """An outline of sixteen points."""
    return _CIRCLE * [radius_x, radius_y] + [x, y]


def soft(field: Array) -> Image.Image:
    """0..1, (109, 89) or (109, 89, 3) -> a picture of the canvas's size."""
    coarse = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    # Soft up to the final size is enough: the camera averages the canvas's pixels two by two.
    smooth = coarse.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BILINEAR)
    return smooth.resize(CANVAS_PX, Image.Resampling.NEAREST)


def step(distance: Array, softness: float) -> Array:
    """0 at distances below zero, 1 above, with a soft edge."""
    return np.clip(0.5 + distance / (2 * softness), 0, 1)
