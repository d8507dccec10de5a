"""Backbone weights: which file is used, and why.

Random weights are Keras' own initialisation, drawn once per seed and kept as a file like any other;
`calibrate` computes the factor that gives their features unit spread. Every fallback is recorded.
"""

import contextlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from gfr.config import scaling
from gfr.config.keras_applications import APPLICATIONS, OWN_PREPROCESSING
from gfr.config.schema import Backbone
from gfr.errors import InputError, reason
from gfr.models import custom_model
from gfr.models.external import files
from gfr.storage import atomic, hashing
from gfr.storage.paths import at_root

KEYWORDS = ("auto", "imagenet", "random")

NUM_CALIBRATION_IMAGES = 256

Source = Literal["imagenet", "directory", "random", "own"]

_HOST = "https://storage.googleapis.com"  # where keras.applications downloads from

_PROBE_TIMEOUT_S = 3

_HDF5_OVERHEAD = 1.2  # file size over that of the bare float32 parameters, at most


@dataclass(frozen=True)
class Weights:
    """`path` holds the backbone without top; `note` must be shown beside every result."""

    backbone: str
    source: Source
    path: str
    sha256: str
    note: str
    why: str  # this choice was made

    def check(self) -> None:
        """InputError if a file is missing or has changed since it was chosen."""
        path = Path(self.path)
        if not path.exists() or _sha256(self.source, path) != self.sha256:
            raise InputError(f"{path}: the weights of {self.backbone} are gone or have changed")

    def num_bytes_beside_keras(self) -> int:
        """Return the size of the files to which a Keras file of the fused model refers."""
        path = Path(self.path)
        is_beside = self.source == "own" and files.kind(path).name != "keras"
        return files.num_bytes(path) if is_beside else 0

    def two_steps(self, engine: str) -> str:
        """Return why the backbone and a head are not one model for an engine; "" if they can be."""
        return files.two_steps(Path(self.path), engine) if self.source == "own" else ""


def resolve(
    backbone: Backbone, request: str, seed: int, cache: Path, allow_download: bool
) -> Weights:
    """Choose the weights of one backbone; `request` is auto, imagenet, random or a directory.

    auto and a directory try in turn: the directory, Keras' cache, a download, random weights.
    InputError if `imagenet` is unavailable or a directory does not exist. A user's own model file
    contains its weights.
    """
    request = requested(backbone, request)
    source, path, why = locate(backbone, request)
    if source == "imagenet" and not path:
        failure = _download(backbone.name) if allow_download else "download not allowed"
        path = None if failure else in_keras_cache(backbone.name)
        why = "downloaded by Keras" if path else f"{why}; {failure}"
        if not path and request == "imagenet":
            raise InputError(f"ImageNet weights of {backbone.name} are unavailable: {why}")
        source = source if path else "random"
    return _weights(backbone, source, path or draw(backbone.name, seed, cache), why)


def requested(backbone: Backbone, request: str) -> str:
    """Return the request for one backbone: its own if the benchmark has one, else `request`."""
    return at_root(backbone.weights or request, KEYWORDS)


def locate(backbone: Backbone, request: str) -> tuple[Source, Path | None, str]:
    """Find the weights of one backbone on this machine; return source, file and why.

    Without a file, `random` weights are to be drawn and `imagenet` weights are missing. InputError
    if a file is cut short.
    """
    if backbone.file:
        return "own", Path(backbone.file), "whatever --weights says"
    if request == "random":
        return "random", None, "as requested"
    missing = "not in Keras' cache"
    if request not in KEYWORDS:
        if path := in_directory(backbone.name, Path(request)):
            return "directory", path, f"found in {request}"
        missing = f"{APPLICATIONS[backbone.name].weights_file} is not in {request}; {missing}"
    if path := in_keras_cache(backbone.name):
        return "imagenet", path, "in Keras' cache"
    return "imagenet", None, missing


def in_directory(name: str, directory: Path) -> Path | None:
    """Return the file with Keras' name, or None; InputError if the directory does not exist."""
    check_directory(directory)
    return _complete(name, directory / APPLICATIONS[name].weights_file)


def check_directory(directory: Path) -> None:
    """InputError if a directory of weights does not exist."""
    if not directory.is_dir():
        raise InputError(
            f"weights {str(directory)!r}: no such directory; name one, or {', '.join(KEYWORDS)}"
        )


def in_keras_cache(name: str) -> Path | None:
    """Return the file that Keras downloaded earlier, or None."""
    # As in Keras, which has no public function that returns this directory.
    home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")  # noqa: PTH111 (no HOME)
    return _complete(name, Path(home) / "models" / APPLICATIONS[name].weights_file)


def _complete(name: str, path: Path) -> Path | None:
    """Return the file if it exists; InputError if HDF5 finds it cut short."""
    if not path.is_file():
        return None
    try:
        h5py.File(path, "r").close()
    except OSError as error:
        if error.errno:  # of the file system; HDF5's own errors have none
            raise InputError(f"{path}: cannot be read ({os.strerror(error.errno)})") from None
        raise InputError(
            f"{path}: not a complete HDF5 file ({reason(error)}). Is it a download of {name} cut "
            "short? Delete it and download or copy it again"
        ) from None
    return path


def draw(name: str, seed: int, cache: Path) -> Path:
    """Return a file with Keras' initialisation for `seed`, written once to `cache`/weights."""
    import keras  # not at the top: resolving weights must not import TensorFlow

    from gfr.models.backbone import ANY_SIZE, application

    # "float32": files without that word may have been drawn with the user's settings of Keras.
    drawn = f"{name}-seed{seed}-keras{keras.__version__}-float32.weights.h5"
    path = cache / "weights" / drawn
    if not path.exists():
        keras.utils.clear_session()  # otherwise layer names depend on earlier models
        keras.utils.set_random_seed(seed)
        shape = ANY_SIZE if APPLICATIONS[name].any_size else (224, 224, 3)
        network = application(name, shape, None)
        atomic.require_room(path, int(_HDF5_OVERHEAD * 4 * network.count_params()))
        atomic.save(path, network.save_weights)
    return path


def calibrate(features: np.ndarray) -> float:
    """Return the factor that gives features float32 (n, D) of training images unit spread.

    Spread is the root of the mean variance per dimension. With Keras' random initialisation,
    features are about 1e-3 (VGG16) or 1e-22 (MobileNet), on which a head learns nothing in 50
    epochs. The factor is 1 if the features underflow float32.
    """
    spread = float(np.sqrt(features.astype(np.float64).var(axis=0).mean()))
    return 1.0 / spread if spread >= np.finfo(np.float32).tiny else 1.0


def _weights(backbone: Backbone, source: Source, path: Path, why: str) -> Weights:
    sha256 = _sha256(source, path)
    note = {"random": "random weights (not comparable)"}.get(source, "")
    if source == "own":
        note = f"own model file, SHA-256 {sha256[:12]}{_double_scaling(backbone, path)}"
    return Weights(backbone.label, source, str(path), sha256, note, why)


def _sha256(source: Source, path: Path) -> str:
    """Return the digest of all files of a network from elsewhere, or of the file of weights."""
    return files.sha256(path) if source == "own" else hashing.file_sha256(path)


def _double_scaling(backbone: Backbone, path: Path) -> str:
    """Return a clause if the benchmark scales pixels that a user's own model scales too, or ""."""
    is_scaled = backbone.scaling != OWN_PREPROCESSING
    if not is_scaled or files.kind(path).name != "keras":
        return ""
    if not (layer := custom_model.own_scaling(path)):
        return ""
    scaled = scaling.title(backbone.scaling)
    return f'; pixels scaled twice: by scaling = "{scaled}" and by its own {layer}'


def _download(name: str) -> str:
    """Let Keras download its file; return the reason of a failure, or ""."""
    try:
        with contextlib.suppress(urllib.error.HTTPError):  # even an error shows a reachable host
            urllib.request.urlopen(_HOST, timeout=_PROBE_TIMEOUT_S).close()
    except OSError as error:
        return f"download failed at once ({error})"
    import keras

    try:
        getattr(keras.applications, name)(include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception for every failed download
        return f"download failed ({error})"
    return ""
