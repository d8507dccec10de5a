"""Decode every image once and find damaged, duplicate and unusual ones."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gfr.data import images
from gfr.data.dataset import NATIVE_SIZE, Faces
from gfr.errors import InputError

MAX_DROPPED_FRACTION = 0.01

_CHUNK = 1024  # images inspected at once, to bound memory


@dataclass(frozen=True)
class Inspection:
    """The chosen images that can be decoded, and counts of the others and the unusual ones."""

    faces: Faces
    dropped: dict[str, str]
    converted: dict[str, int]
    num_other_size: int
    num_turned: int


def inspect(faces: Faces, report: Callable[[int, int], None]) -> Inspection:
    """Decode every image once; InputError if more than 1 % cannot be decoded."""
    inspected: list[_Inspected] = []
    paths = faces.paths()
    with ThreadPoolExecutor(images.NUM_DECODE_THREADS) as pool:
        for start in range(0, len(paths), _CHUNK):
            inspected += pool.map(_inspect, paths[start : start + _CHUNK])
            report(len(inspected), len(paths))
    dropped = {
        name: image.problem
        for name, image in zip(faces.names, inspected, strict=True)
        if image.problem
    }
    _refuse_too_many_dropped(faces, dropped)
    good = [image for image in inspected if not image.problem]
    modes = Counter(image.mode for image in good if image.mode != "RGB")
    kept = faces.rows(np.array([not image.problem for image in inspected]))
    return Inspection(
        faces=replace(kept, pixels_sha256=tuple(image.sha256 for image in good)),
        dropped=dropped,
        converted=dict(sorted(modes.items())),
        num_other_size=sum(image.size != NATIVE_SIZE for image in good),
        num_turned=sum(image.is_turned for image in good),
    )


def _refuse_too_many_dropped(faces: Faces, dropped: dict[str, str]) -> None:
    if len(dropped) > MAX_DROPPED_FRACTION * len(faces.names):
        name, why = next(iter(dropped.items()))
        raise InputError(
            f"{faces.image_dir}: {len(dropped):,} of {len(faces.names):,} chosen images are "
            f"missing or undecodable, the first is {name} ({why}); at most 1 % may be. Restore "
            "them, or remove their lines from the label file"
        )


@dataclass(frozen=True)
class _Inspected:
    """One inspected image; `problem` is empty if it could be decoded."""

    problem: str
    mode: str = ""
    size: tuple[int, ...] = ()  # height, width
    sha256: str = ""
    is_turned: bool = False


def _inspect(path: Path) -> _Inspected:
    try:
        decoded = images.decode(path)
    except images.Undecodable as error:
        return _Inspected(str(error))
    sha256 = images.sha256(decoded.pixels)
    return _Inspected("", decoded.mode, decoded.pixels.shape[:2], sha256, decoded.is_turned)
