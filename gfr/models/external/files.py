"""The files of a network from elsewhere: their kind, their digest and their size.

Does not import any runtime.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gfr.config.loader import absence
from gfr.config.model_files import SUFFIXES
from gfr.errors import InputError, reason
from gfr.measurement import software
from gfr.storage import hashing

TENSORFLOW = "TensorFlow"

MODEL_JSON, SAVED_MODEL_PB = "model.json", "saved_model.pb"


@dataclass(frozen=True)
class Kind:
    """A file format of networks from elsewhere, and the runtime that computes them.

    `packages`: of the runtime, without TensorFlow's. `engines`: those for which the network and a
    head are converted to one model; None: all.
    """

    name: str
    title: str
    runtime: str = TENSORFLOW
    packages: tuple[str, ...] = ()
    engines: tuple[str, ...] | None = None


_TFJS = Kind("tfjs", SUFFIXES[".json"], packages=("tensorflowjs",))
_SAVED_MODEL = Kind("saved-model", "SavedModel")

_BY_SUFFIX = {
    ".json": _TFJS,
    ".keras": Kind("keras", SUFFIXES[".keras"]),
    ".tflite": Kind("litert", SUFFIXES[".tflite"], "LiteRT", ("ai-edge-litert",), ()),
    ".onnx": Kind(
        *("onnx", SUFFIXES[".onnx"], "ONNX Runtime", ("onnxruntime", "onnx")),
        engines=("onnxruntime", "openvino"),
    ),
    ".xml": Kind("openvino", SUFFIXES[".xml"], "OpenVINO", ("openvino",), ()),
}

_BY_FILE = {MODEL_JSON: _TFJS, SAVED_MODEL_PB: _SAVED_MODEL}  # in a directory


def kind(path: Path) -> Kind:
    """Return the kind of a file or directory; InputError if it is missing or of an unknown kind."""
    if path.is_dir():
        found = next((row for name, row in _BY_FILE.items() if (path / name).is_file()), None)
    elif path.is_file():
        found = _BY_SUFFIX.get(path.suffix.lower())
    else:
        raise InputError(absence(path))
    if found is None:
        known = ", ".join(f"{suffix} ({row.title})" for suffix, row in _BY_SUFFIX.items())
        raise InputError(
            f"{path}: not a known kind of network; known: {known}, and directories with "
            f"{' or '.join(_BY_FILE)}"
        )
    return found


def files(path: Path) -> tuple[Path, ...]:
    """Return every file that belongs to a network, sorted; InputError if one is missing."""
    name = kind(path).name
    if name == "saved-model":
        folders = ("variables", "assets", "assets.extra")
        parts = (each for folder in folders for each in (path / folder).rglob("*"))
        return (path / SAVED_MODEL_PB, *sorted(each for each in parts if each.is_file()))
    first = path / MODEL_JSON if path.is_dir() else path
    names = sorted({*_others(name, first)})
    for other in names:
        inside = PurePosixPath(other)
        if inside.is_absolute() or ".." in inside.parts:
            raise InputError(f"{path}: names a file outside its directory ({other}). Put it there")
        if not (first.parent / other).is_file():
            raise InputError(f"{first.parent / other}: no such file; it belongs to {path}")
    return (first, *(first.parent / other for other in names))


def sha256(path: Path) -> str:
    """Return the digest of all files of a network; of a single file its SHA-256."""
    found = files(path)
    if len(found) == 1:
        return hashing.file_sha256(*found)
    folder = found[0].parent
    return hashing.lines_sha256(
        f"{hashing.file_sha256(each)}  {each.relative_to(folder).as_posix()}" for each in found
    )


def num_bytes(path: Path) -> int:
    """Return the size of all files of a network."""
    return sum(each.stat().st_size for each in files(path))


def two_steps(path: Path, engine: str) -> str:
    """Return why a network and its head are not one model for an engine; "" if they can be."""
    found = kind(path)
    if found.engines is None or engine in found.engines:
        return ""
    if found.engines:
        return (
            f"{path.name} is an {found.title} model, which is converted together with a head only "
            "to ONNX and OpenVINO"
        )
    return (
        f"{path.name} is computed by {found.runtime}, so that network and head run in two steps "
        "(`gfr predict` runs both); only networks of TensorFlow and ONNX are converted together "
        "with a head"
    )


def require_runtime(path: Path) -> None:
    """Raise InputError if a package of the runtime of a network is not installed."""
    for package in kind(path).packages:
        if why := software.missing(package):
            raise InputError(f"{path}: {why}")


def _others(name: str, path: Path) -> Iterator[str]:
    """Yield the other files of a network relative to its own, in any order."""
    if name == "tfjs":
        yield from _shards(path)
    if name == "openvino":
        yield path.with_suffix(".bin").name
    if name == "onnx":
        yield from _external_data(path)


def _shards(path: Path) -> Iterator[str]:
    """Yield the weight files of a TensorFlow.js model; its loader tells what is wrong with it."""
    try:
        groups = json.loads(path.read_text("utf-8"))["weightsManifest"]
        yield from (str(name) for group in groups for name in group["paths"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return


def _external_data(path: Path) -> Iterator[str]:
    """Yield the files in which an ONNX model keeps large constants."""
    require_runtime(path)
    for tensor in onnx_constants(read_onnx(path).graph):
        yield from (entry.value for entry in tensor.external_data if entry.key == "location")


def read_onnx(path: Path) -> Any:
    """Return an ONNX ModelProto without external data; InputError if it is damaged."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
        if model.graph.node:
            return model
        why = "no nodes"
    except (DecodeError, OSError) as error:
        why = reason(error)
    raise InputError(f"{path}: a truncated or damaged ONNX model ({why}). Export it again")


def onnx_constants(graph: Any) -> Iterator[Any]:
    """Yield every constant of an ONNX graph as TensorProto, also those of graphs within it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for inner in (attribute.g, *attribute.graphs):
                yield from onnx_constants(inner)
