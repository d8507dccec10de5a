"""Check a user's own Keras model file before Keras opens it.

A .keras file is a zip archive of JSON and HDF5. The JSON names classes, and a class may be code of
the file's author or read other files. Keras' own safe mode has let some of them through
(CVE-2025-1550, CVE-2025-8747, CVE-2025-9906), so only the classes listed here are accepted. Does
not import Keras and unpacks nothing to disk.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gfr.config.loader import absence
from gfr.errors import InputError, reason

MAX_BYTES = 4_000_000_000  # unpacked; the largest of keras.applications takes 1.4 GB

MAX_CONFIG_BYTES = 50_000_000

MAX_RATIO = 50  # unpacked over packed; trained weights hardly shrink

_MEMBERS = ("config.json", "metadata.json", "model.weights.h5")

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# The modules whose classes a configuration may name; functions are never accepted.
_MODULES = (  # tuples: what is looked up may be unhashable
    "keras",
    *(f"keras.{name}" for name in ("layers", "models", "initializers", "regularizers")),
    *(f"keras.{name}" for name in ("constraints", "dtype_policies")),
    *(f"keras.src.models.{name}" for name in ("functional", "sequential")),
    *(f"keras.src.ops.{name}" for name in ("numpy", "nn", "core", "image", "math", "linalg")),
)

_CLASSES = (  # of other modules
    ("keras.src.applications.convnext", "LayerScale"),
    ("keras.src.applications.inception_resnet_v2", "CustomScaleLayer"),
)

_VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__slice__", "__ellipsis__")

# Layers and operations that scale pixels, and those that may come before them.
_SCALES = ("Rescaling", "Normalization", *("Add", "Subtract", "Multiply", "Divide", "TrueDivide"))
_BEFORE_SCALING = (
    *("InputLayer", "Identity", "Cast", "GetItem", "Stack", "Flip", "Permute", "Transpose"),
    *("Resizing", "CenterCrop", "Cropping2D", "ZeroPadding2D", "RandomCrop", "RandomFlip"),
    *("RandomRotation", "RandomTranslation", "RandomZoom"),
)

# Layers of Keras that run code from elsewhere, or read files.
_REFUSED = (
    *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "TextVectorization", "MelSpectrogram"),
)


def check(path: Path) -> None:
    """Raise InputError if the file is not a .keras archive, is damaged, or needs code or files."""
    if lacking := absence(path):
        raise InputError(lacking)
    try:
        with zipfile.ZipFile(path) as archive:
            problem = _archive_problem(archive)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        problem = f"not a Keras model file ({reason(error)}); write one with model.save"
    if problem:
        raise InputError(f"{path}: {problem}")


def own_scaling(path: Path) -> str:
    """Return the class that scales the pixels first in a checked model, e.g. Rescaling, or ""."""
    with zipfile.ZipFile(path) as archive:
        names = _layers(json.loads(archive.read("config.json")))
        first = next((name for name in names if name not in _BEFORE_SCALING), "")
    return first if first in _SCALES else ""


def _layers(described: dict[str, Any]) -> Iterator[str]:
    """Yield the classes of a model's layers in their order, with those of models within it."""
    layers = (described.get("config") or {}).get("layers")
    if layers is None:
        yield described["class_name"]
    for layer in layers or ():
        yield from _layers(layer)


def _archive_problem(archive: zipfile.ZipFile) -> str:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if sorted(names) != sorted(_MEMBERS):
        return (
            f"holds {', '.join(names)!r:.200}, but a model of images holds {', '.join(_MEMBERS)}; "
            "save it again with model.save, without vocabularies and other assets"
        )
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > min(MAX_BYTES, MAX_RATIO * packed + MAX_CONFIG_BYTES):
        return f"{packed:,} bytes that unpack to {unpacked:,}: refused as a bomb"
    if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
        return f"config.json is larger than {MAX_CONFIG_BYTES:,} bytes"
    if any(info.compress_type not in _METHODS for info in infos):
        return "packed by another method than Keras'; save it again"
    if damaged := archive.testzip():
        return f"{damaged} is damaged; save or copy the model again"
    return _config_problem(json.loads(archive.read("config.json")))


def _config_problem(config: Any) -> str:
    if not isinstance(config, dict) or "class_name" not in config:
        return "config.json describes no model; write the file with model.save"
    waiting: list[Any] = [{key: config[key] for key in config if key != "compile_config"}]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if isinstance(value, dict):
            if value.get("compile_config"):  # Keras would build its optimizer, loss and metrics
                return "a model within it is compiled; set its `compiled` to False and save again"
            if "class_name" in value and (problem := _class_problem(value)):
                return problem
            waiting += value.values()
    return ""


def _class_problem(described: dict[str, Any]) -> str:
    name, module, config = (described.get(key) for key in ("class_name", "module", "config"))
    registered = described.get("registered_name")
    named = config.get("name") if isinstance(config, dict) else None
    if name in _VALUES and module is None:
        return ""
    if "quantiz" in f"{module} {name}".lower():
        return "is quantized; gfr takes float32 models: save it without model.quantize"
    is_of_keras = module in _MODULES and str(name)[:1].isupper()
    is_known = isinstance(name, str) and (is_of_keras or (module, name) in _CLASSES)
    if not is_known or registered not in (None, name) or name in _REFUSED:
        return (
            f"{registered or name!s:.60} {named!r:.60} of {module!s:.60} is not accepted: gfr "
            "loads layers of Keras only, and none that run code or read files; replace it (a "
            "scaling by Rescaling) and save again"
        )
    if "DTypePolicy" in str(name) and named != "float32":
        return f"computes in {named!s:.40}; set the dtype policy to float32 and save it again"
    return ""
