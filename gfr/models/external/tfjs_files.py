"""Read the files of a TensorFlow.js graph model, and check them first.

Importing this module imports tensorflowjs, which takes seconds.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gfr import environment
from gfr.errors import InputError, reason

environment.import_tensorflowjs()  # must come before the next import, hence E402
from tensorflowjs import read_weights  # noqa: E402

# What reading a manifest raises whose fields are missing or of other types.
_INVALID = (KeyError, TypeError, ValueError, AttributeError, NotImplementedError, OverflowError)

_AGAIN = "Get the model's files again"


def read(path: Path) -> dict[str, Any]:
    """Read the JSON file of a graph model; InputError if it is something else."""
    try:
        model = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError(
            f"{path}: not JSON, and so not a TensorFlow.js model. Name a model's .json file"
        ) from None
    fields = set(model) if isinstance(model, dict) else set()
    bare = "modelTopology" not in fields and fields & {"weightsManifest", "paths"}
    if isinstance(model, list) or bare:
        raise InputError(
            f"{path}: only a manifest of weights; its network is JavaScript code, which gfr does "
            "not run. Classify the images with that package and give `predictions`"
        )
    topology = model["modelTopology"] if "modelTopology" in fields else None
    if not isinstance(topology, dict):
        raise InputError(
            f"{path}: not a TensorFlow.js model: it has no modelTopology. Name a model's .json file"
        )
    if model.get("format") == "layers-model" or {"model_config", "class_name"} & set(topology):
        raise InputError(
            f"{path}: a layers model, and gfr reads graph models. Convert it: "
            "tensorflowjs_converter --input_format=tfjs_layers_model "
            "--output_format=tfjs_graph_model"
        )
    return model


def signature(path: Path, model: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what the file says of its `inputs` and `outputs`: names of tensors, and their shapes.

    The names are without ":0".
    """
    metadata = model.get("userDefinedMetadata")
    try:
        described = model.get("signature") or (metadata or {}).get("signature") or {}
        return {
            side: {
                row.get("name", key).removesuffix(":0"): row.get("tensorShape")
                for key, row in (described.get(side) or {}).items()
            }
            for side in ("inputs", "outputs")
        }
    except (AttributeError, TypeError) as error:
        raise InputError(f"{path}: its signature is invalid ({reason(error)}). {_AGAIN}") from None


def weights(path: Path, model: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Read the weights by name; quantised ones as the numbers that they stand for."""
    try:
        manifest = model["weightsManifest"]
        for group in manifest:
            _check(path, group)
            for weight in group["weights"]:
                _use_floats(weight.get("quantization") or {})
        groups = read_weights.read_weights(manifest, str(path.parent))
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
    except InputError:
        raise
    except _INVALID as error:
        raise InputError(
            f"{path}: its weightsManifest is invalid ({reason(error)}). {_AGAIN}"
        ) from None
    return {row["name"]: row["data"] for group in groups for row in group}


def _check(path: Path, group: Mapping[str, Any]) -> None:
    """Raise InputError unless the files of a group are there and long enough."""
    num_bytes = 0
    for name in group["paths"]:
        inside = PurePosixPath(name)
        if inside.is_absolute() or ".." in inside.parts:
            raise InputError(
                f"{path}: names a file of weights outside its directory ({name}). Put the file "
                "beside it and correct the name"
            )
        if not (path.parent / name).is_file():
            raise InputError(
                f"{path.parent / name}: no such file, and {path.name} needs it. {_AGAIN}"
            )
        num_bytes += (path.parent / name).stat().st_size
    expected = sum(map(_num_bytes, group["weights"]))
    if num_bytes < expected:
        files = ", ".join(group["paths"])
        raise InputError(
            f"{path}: its weights are cut short: {num_bytes:,} bytes in {files} instead of "
            f"{expected:,}. {_AGAIN}"
        )


def _use_floats(quantization: dict[str, Any]) -> None:
    """Make whole numbers floats, as JavaScript's JSON writes 1.0 as 1.

    Otherwise tensorflowjs 4.22 multiplies in uint8 or uint16 under NumPy 2, which overflows.
    """
    for key in ("scale", "min"):
        if key in quantization:
            quantization[key] = float(quantization[key])


def _num_bytes(weight: Mapping[str, Any]) -> int:
    """Return the size of a weight in its file; 0 for strings, whose lengths are in the file."""
    if any(size < 0 for size in weight["shape"]):
        raise ValueError(f"{weight['name']} has a negative size")
    if weight["dtype"] == "string":
        return 0
    stored = (weight.get("quantization") or weight)["dtype"]
    return np.dtype(stored).itemsize * math.prod(weight["shape"])
