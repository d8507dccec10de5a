"""Check a user's own Keras model file before Keras opens it.

A .keras file is a zip archive of JSON and HDF5. The JSON names classes, and a class may be code of
the file's author or read other files. Keras' own safe mode has let some of them through
(CVE-2025-1550, CVE-2025-8747, CVE-2025-9906), so only the classes listed here are accepted. Does
not import Keras and unpacks nothing to disk.
"""

import importlib.util
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gfr.config.loader import absence
from gfr.config.schema import Benchmark, FeatureSet
from gfr.errors import InputError, reason

MAX_BYTES = 4_000_000_000  # unpacked; the largest of keras.applications takes 1.4 GB

MAX_CONFIG_BYTES = 50_000_000

MAX_RATIO = 50  # unpacked over packed; trained weights hardly shrink

_MEMBERS = ("config.json", "metadata.json", "model.weights.h5")

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, ValueError, RuntimeError, RecursionError),
)

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

# Layers of Keras that run code from elsewhere, or read files.
_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")

_READERS = ("StringLookup", "IntegerLookup", "TextVectorization", "MelSpectrogram")


def check(path: Path) -> None:
    """Raise InputError if the file is not a .keras archive, is damaged, or needs code or files."""
    if lacking := absence(path):
        raise InputError(lacking)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            if damaged := archive.testzip():
                raise InputError(f"{path}: {damaged} is damaged; save or copy the model again")
            config = json.loads(archive.read("config.json"))
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: not a Keras model file ({reason(error)}); write one with model.save"
        ) from None
    if problem := next(_problems(config), ""):
        raise InputError(f"{path}: {problem}")


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    for name in names:
        if name not in _MEMBERS or names.count(name) > 1:
            raise InputError(
                f"{path}: holds {name!r:.80}, which a model of images does not; save it again "
                "without vocabularies and other assets"
            )
    for name in _MEMBERS:
        if name not in names:
            raise InputError(f"{path}: lacks {name}: not a Keras model file; use model.save")
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > MAX_BYTES or unpacked > MAX_RATIO * packed + MAX_CONFIG_BYTES:
        raise InputError(
            f"{path}: {packed:,} bytes that unpack to {unpacked:,}: refused as a bomb; at most "
            f"{MAX_BYTES:,}, and {MAX_RATIO} times the file"
        )
    if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
        raise InputError(f"{path}: config.json is larger than {MAX_CONFIG_BYTES:,} bytes")
    if any(info.compress_type not in _METHODS for info in infos):
        raise InputError(f"{path}: packed by another method than Keras'; save it again")


def _problems(config: Any) -> Iterator[str]:
    """Yield the problems of a model's configuration, one sentence each."""
    if not isinstance(config, dict) or "class_name" not in config:
        yield "config.json describes no model; write the file with model.save"
        return
    waiting: list[Any] = [{key: config[key] for key in config if key != "compile_config"}]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if isinstance(value, dict):
            if value.get("compile_config"):  # Keras would build its optimizer, loss and metrics
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
        yield f"layer {who} is not for images; take it out and save again"
    elif not _is_known(module, name):
        yield (
            f"{who} of {module!s:.60} is not a layer of Keras: own code is not loaded; replace "
            "it by layers of Keras and save again"
        )
    elif registered not in (None, name):
        yield f"{who} is {registered!r:.60}: own code is not loaded; use layers of Keras"
    elif "DTypePolicy" in name and named != "float32":
        yield (
            f"computes in {named!s:.40}, but an own model must use float32; set the policy and "
            "save it again"
        )


def _is_known(module: object, name: object) -> bool:
    if (module, name) in _CLASSES:
        return True
    return module in _MODULES and isinstance(name, str) and name[:1].isupper()


MAX_DIFFERENCE = 1e-3  # relative, between one image's features alone and in a batch

_PIXELS_SHAPE = (3, 218, 178, 3)

# Removed when the converter freezes variables and inlines functions.
_REMOVED_IN_EXPORT = {"ReadVariableOp", "StatefulPartitionedCall", "PartitionedCall"}


def refuse_unfit(benchmark: Benchmark) -> None:
    """Raise InputError if an own model is not a backbone or does not fit the benchmark."""
    rows = [row for row in benchmark.feature_sets if row.backbone.file]
    if not rows:
        return
    for path in dict.fromkeys(Path(row.backbone.file) for row in rows):
        check(path)
    import keras

    from gfr.models import backbone

    backbone.make_deterministic()
    for row in rows:
        keras.utils.clear_session()
        _check_shapes(row, backbone.own(Path(row.backbone.file)))
        _try(row, is_exported=bool(benchmark.export.precisions))
    keras.utils.clear_session()


def _check_shapes(row: FeatureSet, network: Any) -> None:
    path = row.backbone.file
    inputs, outputs = _tensors(network, "inputs"), _tensors(network, "outputs")
    if not inputs:
        raise InputError(
            f"{path}: its input is of no known shape; begin it with keras.Input((None, None, 3))"
        )
    if len(inputs) > 1 or len(outputs) > 1:
        raise InputError(
            f"{path}: {len(inputs)} inputs and {len(outputs)} outputs; a backbone has one of each"
        )
    shape, dtype = tuple(inputs[0].shape), inputs[0].dtype
    if len(shape) != 4 or shape[0] is not None or shape[3] != 3 or dtype != "float32":
        raise InputError(
            f"{path}: takes {dtype} {shape}; a backbone takes float32 (None, height, width, 3)"
        )
    output, dtype = tuple(outputs[0].shape), outputs[0].dtype
    if len(output) not in (2, 4) or output[0] is not None or not output[-1] or dtype != "float32":
        raise InputError(
            f"{path}: gives {dtype} {output}; a backbone gives float32 (None, features) or a "
            "feature map (None, height, width, features)"
        )
    _check_size(row, shape[1:3])


def _tensors(network: Any, name: str) -> list[Any]:
    try:
        return list(getattr(network, name) or [])
    except (AttributeError, ValueError):  # a Sequential that was never built
        return []


def _check_size(row: FeatureSet, fixed: tuple[int | None, int | None]) -> None:
    words = " x ".join("any" if side is None else str(side) for side in fixed)
    if any(side not in (None, asked) for side, asked in zip(fixed, row.size, strict=True)):
        raise InputError(
            f"{row.backbone.file}: takes images of {words} (height x width) alone, size = "
            f"{list(row.size)} is asked for; change size, or name other backbones in that iteration"
        )
    if row.input == "any" and fixed != (None, None):
        raise InputError(
            f'{row.backbone.file}: takes images of {words} alone, not any; set input = "fixed"'
        )


def _try(row: FeatureSet, is_exported: bool) -> None:
    """Run it on three images: features must be finite and depend on their own image only."""
    from gfr.models import backbone, fused_model

    path = Path(row.backbone.file)
    pixels = list(np.random.default_rng(0).integers(0, 256, _PIXELS_SHAPE, dtype=np.uint8))
    try:
        graph = fused_model.compiled(backbone.build(row, path))
        together = fused_model.run_batch(graph, pixels)
        again = fused_model.run_batch(graph, pixels)
        alone = fused_model.run_batch(graph, pixels[:1])
    except InputError:
        raise
    except Exception as error:  # TensorFlow raises many kinds for a user's model
        height, width = row.size
        raise InputError(
            f"{path}: cannot be run on images of {height} x {width} ({reason(error)}); choose "
            "another size, or fix the model"
        ) from None
    if not np.isfinite(together).all():
        raise InputError(
            f"{path}: its features are not finite; is `scaling` the one it was made for?"
        )
    scale = np.linalg.norm(together[0]) or 1.0
    if max(np.linalg.norm(x - together[0]) for x in (again[0], alone[0])) > MAX_DIFFERENCE * scale:
        raise InputError(
            f"{path}: an image's features change from call to call or with the rest of its batch; "
            "take out what mixes images (an operation over axis 0) or draws at random"
        )
    if is_exported and (unknown := _unknown_to_javascript(graph)):
        raise InputError(
            f"{path}: TensorFlow.js has no {', '.join(unknown)}; replace what needs it, or set "
            "precisions = [] in [export]"
        )


def _unknown_to_javascript(graph: Any) -> list[str]:
    """Return the operations of a graph that TensorFlow.js' own lists lack."""
    definition = graph.graph.as_graph_def()
    nodes = [*definition.node, *(row for f in definition.library.function for row in f.node_def)]
    package = importlib.util.find_spec("tensorflowjs")
    places = package.submodule_search_locations if package else None
    files = [file for place in places or [] for file in (Path(place) / "op_list").glob("*.json")]
    known = {row["tfOpName"] for file in files for row in json.loads(file.read_text("utf-8"))}
    return sorted({node.op for node in nodes} - known - _REMOVED_IN_EXPORT)
