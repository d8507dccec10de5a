"""A user's own Keras model file, looked at before Keras opens it.

In: a row of a benchmark file, the path of a .keras file. Out: nothing, or BadInput. A .keras file
is a zip archive of JSON and HDF5; the JSON names classes, and a class that is code of someone
else's, or reads other files, is refused here by name: Keras' own safe mode has let some of them
through (CVE-2025-1550, CVE-2025-8747, CVE-2025-9906). So only what this module lists gets as far as
Keras. Never imports Keras, never unpacks to disk.
"""

import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gfr.config.loader import absence
from gfr.errors import BadInput, reason

MAX_BYTES = 4_000_000_000  # unpacked; the largest of keras.applications takes 1.4 GB

MAX_CONFIG_BYTES = 50_000_000

MAX_RATIO = 50  # unpacked over packed; trained weights hardly shrink

_MEMBERS = ("config.json", "metadata.json", "model.weights.h5")

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, ValueError, RuntimeError),
)

# What a configuration may name: classes of these, never functions.
_MODULES = (
    *("keras", "keras.layers", "keras.models", "keras.initializers", "keras.regularizers"),
    *("keras.constraints", "keras.dtype_policies"),
    *("keras.src.models.functional", "keras.src.models.sequential"),
    *("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.core", "keras.src.ops.image"),
    *("keras.src.ops.math", "keras.src.ops.linalg"),
)

_CLASSES = (  # of other modules
    ("keras.src.applications.convnext", "LayerScale"),
    ("keras.src.applications.inception_resnet_v2", "CustomScaleLayer"),
)

_VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__slice__", "__ellipsis__")

# Layers of Keras that run code kept elsewhere, or read files.
_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")

_READERS = ("StringLookup", "IntegerLookup", "TextVectorization", "MelSpectrogram")


def check(path: Path) -> None:
    """BadInput if the file is no .keras archive, is damaged, or needs code or files of its own."""
    if lacking := absence(path):
        raise BadInput(lacking)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            damaged = archive.testzip()
            if damaged:
                raise BadInput(f"{path}: {damaged} is damaged; save or copy the model again")
            config = json.loads(archive.read("config.json"))
    except BadInput:
        raise
    except (*_UNREADABLE, RecursionError) as error:
        raise BadInput(
            f"{path}: not a Keras model file ({reason(error)}); write one with model.save"
        ) from None
    for problem in _problems(config):
        raise BadInput(f"{path}: {problem}")


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    for name in names:
        if name not in _MEMBERS or names.count(name) > 1:
            raise BadInput(
                f"{path}: holds {name!r:.80}, which a model of images does not; save it again "
                "without vocabularies and other assets"
            )
    for name in _MEMBERS:
        if name not in names:
            raise BadInput(f"{path}: lacks {name}: not a Keras model file; use model.save")
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > MAX_BYTES or unpacked > MAX_RATIO * packed + MAX_CONFIG_BYTES:
        raise BadInput(
            f"{path}: {packed:,} bytes that unpack to {unpacked:,}: refused as a bomb; at most "
            f"{MAX_BYTES:,}, and {MAX_RATIO} times the file"
        )
    if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
        raise BadInput(f"{path}: config.json is larger than {MAX_CONFIG_BYTES:,} bytes")
    if any(info.compress_type not in _METHODS for info in infos):
        raise BadInput(f"{path}: packed by another method than Keras'; save it again")


def _problems(config: Any) -> Iterator[str]:
    """What is wrong with a model's configuration, one sentence each."""
    if not isinstance(config, dict) or "class_name" not in config:
        yield "config.json describes no model; write the file with model.save"
        return
    waiting: list[Any] = [{key: config[key] for key in config if key != "compile_config"}]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if isinstance(value, dict):
            if value.get("compile_config"):  # Keras would build that too: optimizer, loss, metrics
                yield (
                    "a model within it is compiled; set its `compiled` to False and save again "
                    "(the outermost may be compiled)"
                )
            if "class_name" in value:
                yield from _class_problems(value)
            waiting += value.values()


def _class_problems(described: dict[str, Any]) -> Iterator[str]:
    name, module = described["class_name"], described.get("module")
    registered = described.get("registered_name")
    config = described.get("config")
    named = config.get("name") if isinstance(config, dict) else None
    who = f"{name!s:.60}" + (f" {named!r:.60}" if isinstance(named, str) else "")
    if name in _VALUES and module is None:
        return
    if name in _CODE:
        yield (
            f"layer {who} runs code that the file brings along or names; replace it by layers of "
            "Keras (Rescaling for a scaling) and save again"
        )
    elif name in _READERS:
        yield f"layer {who} is none for images; take it out and save again"
    elif not _is_known(module, name):
        yield (
            f"{who} of {module!s:.60} is no layer of Keras' own: own code is not loaded; replace "
            "it by layers of Keras and save again"
        )
    elif registered not in (None, name):
        yield f"{who} is {registered!r:.60}: own code is not loaded; use layers of Keras' own"
    elif "DTypePolicy" in name and named != "float32":
        yield (
            f"computes in {named!s:.40}; an own model is to be of float32: set the policy and save "
            "it again"
        )


def _is_known(module: object, name: object) -> bool:
    if (module, name) in _CLASSES:
        return True
    return module in _MODULES and isinstance(name, str) and name[:1].isupper()
