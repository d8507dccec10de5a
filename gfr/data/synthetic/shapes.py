"""Outlines of a synthetic face as arrays of points.

Points are in head units: half a face's width, from the middle of the eye line, y downwards.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

Point = tuple[float, float]

_T = np.linspace(0, 1, 9)[:, None]

_BEZIER = np.concatenate([(1 - _T) ** 2, 2 * _T * (1 - _T), _T**2], axis=1)  # (9, 3)

_ANGLES = np.linspace(0, 2 * np.pi, 17)[:-1]

_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)  # (16, 2)


def outline(*corners: Point) -> Array:
    """Corners -> (N, 2)."""
    return np.array(corners, dtype=np.float64)


def mirrored(*right: Point) -> Array:
    """The right half of an outline, top to bottom -> the whole symmetric outline."""
    half = outline(*right)
    return np.concatenate([half, half[::-1] * [-1, 1]])


def curve(start: Point, bend: Point, end: Point) -> Array:
    """A path of nine points from start to end, pulled towards the bend."""
    return _BEZIER @ outline(start, bend, end)


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> Array:
    """An outline of sixteen points."""
    return _CIRCLE * [radius_x, radius_y] + [x, y]


def rounded(corners: Array) -> Array:
    """Chaikin's corner cutting, three times, on a closed outline: (N, 2) -> (8 N, 2)."""
    return _rounding(len(corners)) @ corners


@cache
def _rounding(num_corners: int) -> Array:
    """The cutting as one matrix, (8 N, N): drawing a face rounds some thirty outlines."""
    weights = np.eye(num_corners)
    for _ in range(3):
        following = np.roll(weights, -1, axis=0)
        cut = np.stack([0.75 * weights + 0.25 * following, 0.25 * weights + 0.75 * following], 1)
        weights = cut.reshape(-1, num_corners)
    return weights
