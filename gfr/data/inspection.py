"""Decode every image once and find damaged, duplicate and unusual ones."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gfr.data import images
from gfr.data.dataset import NATIVE_SIZE, Faces
from gfr.errors import BadInput

MAX_DROPPED_FRACTION = 0.01

_CHUNK = 1024  # images under inspection at once: bounds memory


@dataclass(frozen=True)
class Inspection:
    """The chosen images that can be decoded, and what was seen on the way."""

    faces: Faces
    dropped: dict[str, str]
    converted: dict[str, int]
    num_other_size: int
    num_turned: int


def inspect(faces: Faces, report: Callable[[int, int], None]) -> Inspection:
    """Decode every image once; BadInput if more than 1 % cannot be."""
    seen: list[_Seen] = []
    with ThreadPoolExecutor(images.NUM_DECODE_THREADS) as pool:
        paths = faces.paths()
        for start in range(0, len(paths), _CHUNK):
            seen += pool.map(_see, paths[start : start + _CHUNK])
            report(len(seen), len(paths))
    named = dict(zip(faces.names, seen, strict=True))
    dropped = {name: image.reason for name, image in named.items() if image.reason}
    _refuse_too_many_dropped(faces, dropped)
    good = {name: image for name, image in named.items() if not image.reason}
    modes = Counter(image.mode for image in good.values() if image.mode != "RGB")
    return Inspection(
        faces=replace(
            faces.rows(np.array([name in good for name in faces.names])),
            pixels_sha256=tuple(image.sha256 for image in good.values()),
        ),
        dropped=dropped,
        converted=dict(sorted(modes.items())),
        num_other_size=sum(image.size != NATIVE_SIZE for image in good.values()),
        num_turned=sum(image.is_turned for image in good.values()),
    )


@dataclass(frozen=True)
class _Seen:
    """One inspected image; `reason` is empty where it could be decoded."""

    reason: str
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    sha256: str = ""
    is_turned: bool = False


def _see(path: Path) -> _Seen:
    try:
        decoded = images.decode(path)
    except images.Undecodable as error:
        return _Seen(str(error))
    height, width, _ = decoded.pixels.shape
    sha256 = images.sha256(decoded.pixels)
    return _Seen("", decoded.mode, (height, width), sha256, decoded.is_turned)


def _refuse_too_many_dropped(faces: Faces, dropped: dict[str, str]) -> None:
    if len(dropped) > MAX_DROPPED_FRACTION * len(faces.names):
        name, why = next(iter(dropped.items()))
        raise BadInput(
            f"{faces.image_dir}: {len(dropped):,} of {len(faces.names):,} chosen images are "
            f"missing or undecodable, the first {name} ({why}); at most 1 % may be. Restore "
            "them, or take their lines out of the label file"
        )
