"""Model files from elsewhere that a benchmark file may name. Reads none of them."""

import os
import tomllib
from itertools import pairwise
from pathlib import Path

from gfr.storage.paths import ROOT

# A path with another suffix is the directory of a SavedModel.
SUFFIXES = {
    ".keras": "Keras",
    ".json": "TensorFlow.js graph model",
    ".tflite": "LiteRT",
    ".onnx": "ONNX",
    ".xml": "OpenVINO",
}

_KNOWN = ", ".join(f"{suffix} ({title})" for suffix, title in SUFFIXES.items())

_HDF5 = (".h5", ".hdf5")


def suffix_problem(file: str, folder: Path) -> str:
    """Return a sentence if the name of a file is not that of a model; else an empty string.

    `folder`: what the path is relative to.
    """
    suffix = Path(file).suffix.lower()
    if suffix in ("", *SUFFIXES) or os.path.isdir(folder / file):  # noqa: PTH112 (never raises)
        return ""
    if suffix in _HDF5:
        return (
            f"file {file!r:.80}: not a .keras file; load it where you trust it and save it again "
            'with model.save("….keras")'
        )
    return (
        f"file {file!r:.80}: not a directory, and none of {_KNOWN}; convert the model to one of "
        "these, or name the directory of a SavedModel"
    )


def fetch_command(path: Path) -> str:
    """Return the command that fetches the package of a missing file; empty if none does.

    A package NAME of benchmarks/models.toml is in a folder models/NAME.
    """
    catalog = ROOT / "benchmarks" / "models.toml"
    if not catalog.is_file():
        return ""
    packages = tomllib.loads(catalog.read_text("utf-8")).get("models", {})
    names = [name for parent, name in pairwise(path.parts) if parent == "models"]
    name = next((name for name in reversed(names) if name in packages), "")
    return name and f"gfr models fetch {name}"
