"""Decode every image once and find damaged, duplicate and unusual ones."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from gfr.data import images
from gfr.data.celeba import MAX_DROPPED_FRACTION
from gfr.data.dataset import NATIVE_SIZE, Faces
from gfr.errors import InputError
from gfr.progress import Report
from gfr.types import Count, Positive

_CHUNK = 1024  # images inspected at once, to bound memory


@dataclass(frozen=True, kw_only=True)
class Flaws:
    """How the chosen images differ from CelebA's aligned ones; counts are of images."""

    dropped: dict[str, str]  # name -> reason
    converted: dict[str, Positive]  # mode of the file, e.g. L or CMYK -> images now RGB
    num_other_size: Count
    num_turned: Count = 0  # rotated or mirrored by EXIF; not counted in runs before 2026-11-26


def inspect(faces: Faces, report: Report) -> tuple[Faces, Flaws]:
    """Decode every image once -> those that can be decoded, and what is unusual.

    Raises InputError if more than 1% cannot be decoded.
    """
    rows: list[dict[str, object]] = []
    paths = faces.paths()
    with ThreadPoolExecutor(images.NUM_DECODE_THREADS) as pool:
        for start in range(0, len(paths), _CHUNK):
            rows += pool.map(_inspect, paths[start : start + _CHUNK])
            report(len(rows), len(paths))
    columns = ("problem", "mode", "pixels_sha256", "is_other_size", "is_turned")
    table = pd.DataFrame(rows, index=list(faces.names), columns=columns)
    dropped = {str(name): str(why) for name, why in table["problem"].dropna().items()}
    if len(dropped) > MAX_DROPPED_FRACTION * len(table):
        name, why = next(iter(dropped.items()))
        raise InputError(
            f"{faces.image_dir}: {len(dropped):,} of {len(table):,} chosen images are "
            f"missing or undecodable, the first is {name} ({why}); at most 1% may be. Restore "
            "them, or remove their lines from the label file"
        )
    good = table[table["problem"].isna()]
    modes = good["mode"][good["mode"] != "RGB"].value_counts().sort_index()
    flaws = Flaws(
        dropped=dropped,
        converted={str(mode): int(count) for mode, count in modes.items()},
        num_other_size=int(good["is_other_size"].sum()),
        num_turned=int(good["is_turned"].sum()),
    )
    return replace(faces, table=good[["pixels_sha256"]].join(faces.table)), flaws


def _inspect(path: Path) -> dict[str, object]:
    try:
        decoded = images.decode(path)
    except images.Undecodable as error:
        return {"problem": str(error)}
    return {
        "mode": decoded.mode,
        "pixels_sha256": images.sha256(decoded.pixels),
        "is_other_size": decoded.pixels.shape[:2] != NATIVE_SIZE,
        "is_turned": decoded.is_turned,
    }
