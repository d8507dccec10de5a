"""Check a user's own Keras model file before Keras opens it.

A .keras file is a zip archive of JSON and HDF5. The JSON names classes, and a class may be code of
the file's author or read other files. Keras' own safe mode has let some of them through
(CVE-2025-1550, CVE-2025-8747, CVE-2025-9906), so only the classes listed here are accepted. Does
not import Keras and unpacks nothing to disk.
"""

import itertools
import json
import zipfile
import zlib
from collections.abc import Iterator
from importlib import metadata
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

MAX_DIFFERENCE = 1e-3  # relative, between one image's features alone and in a batch

_PIXELS_SHAPE = (3, 218, 178, 3)

# Removed when the converter freezes variables and inlines functions.
_REMOVED_IN_EXPORT = {"ReadVariableOp", "StatefulPartitionedCall", "PartitionedCall"}


def refuse_unfit(benchmark: Benchmark) -> None:
    """Raise InputError if a custom model is not a backbone or does not fit the benchmark."""
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
        network = backbone.own(Path(row.backbone.file))
        problems = itertools.chain(
            _shape_problems(row, network),
            _output_problems(row, is_exported=bool(benchmark.export.precisions)),
        )
        if problem := next(problems, ""):
            raise InputError(f"{row.backbone.file}: {problem}")
    keras.utils.clear_session()


def check(path: Path) -> None:
    """Raise InputError if the file is not a .keras archive, is damaged, or needs code or files."""
    if lacking := absence(path):
        raise InputError(lacking)
    try:
        with zipfile.ZipFile(path) as archive:
            problem = next(_archive_problems(archive), "")
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        problem = f"not a Keras model file ({reason(error)}); write one with model.save"
    if problem:
        raise InputError(f"{path}: {problem}")


# The functions below yield problems one by one, and only the first is used: code after a problem
# may be unable to run.


def _archive_problems(archive: zipfile.ZipFile) -> Iterator[str]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    for name in names:
        if name not in _MEMBERS or names.count(name) > 1:
            yield (
                f"holds {name!r:.80}, which a model of images does not; save it again without "
                "vocabularies and other assets"
            )
    for name in _MEMBERS:
        if name not in names:
            yield f"lacks {name}: not a Keras model file; use model.save"
    unpacked = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if unpacked > min(MAX_BYTES, MAX_RATIO * packed + MAX_CONFIG_BYTES):
        yield (
            f"{packed:,} bytes that unpack to {unpacked:,}: refused as a bomb; at most "
            f"{MAX_BYTES:,}, and {MAX_RATIO} times the file"
        )
    if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
        yield f"config.json is larger than {MAX_CONFIG_BYTES:,} bytes"
    if any(info.compress_type not in _METHODS for info in infos):
        yield "packed by another method than Keras'; save it again"
    if damaged := archive.testzip():
        yield f"{damaged} is damaged; save or copy the model again"
    yield from _config_problems(json.loads(archive.read("config.json")))


def _config_problems(config: Any) -> Iterator[str]:
    if not isinstance(config, dict) or "class_name" not in config:
        yield "config.json describes no model; write the file with model.save"
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
    is_known = module in _MODULES and isinstance(name, str) and name[:1].isupper()
    if name in _VALUES and module is None:
        return
    if name in _CODE:
        yield (
            f"layer {who} runs code that the file brings along or names; replace it by layers of "
            "Keras (Rescaling for a scaling) and save again"
        )
    elif name in _READERS:
        yield f"layer {who} is not for images; take it out and save again"
    elif not is_known and (module, name) not in _CLASSES:
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


def _shape_problems(row: FeatureSet, network: Any) -> Iterator[str]:
    inputs: list[Any] = getattr(network, "inputs", [])  # []: a Sequential that was never built
    if not inputs:
        yield "its input has no known shape; start it with keras.Input((None, None, 3))"
    if len(inputs) > 1 or len(network.outputs) > 1:
        yield f"{len(inputs)} inputs and {len(network.outputs)} outputs; a backbone has one of each"
    shape, dtype = tuple(inputs[0].shape), inputs[0].dtype
    if len(shape) != 4 or shape[0] is not None or shape[3] != 3 or dtype != "float32":
        yield f"takes {dtype} {shape}; a backbone takes float32 (None, height, width, 3)"
    output, dtype = tuple(network.outputs[0].shape), network.outputs[0].dtype
    if len(output) not in (2, 4) or output[0] is not None or not output[-1] or dtype != "float32":
        yield (
            f"gives {dtype} {output}; a backbone gives float32 (None, features) or a feature map "
            "(None, height, width, features)"
        )
    sides = shape[1:3]
    words = " x ".join("any" if side is None else str(side) for side in sides)
    if any(side not in (None, asked) for side, asked in zip(sides, row.size, strict=True)):
        yield (
            f"takes images of {words} (height x width) only, but size = {list(row.size)}. "
            "Change size, or name other backbones in that iteration"
        )
    if row.input == "any" and sides != (None, None):
        yield f'takes images of {words} only; set input = "fixed"'


def _output_problems(row: FeatureSet, is_exported: bool) -> Iterator[str]:
    """Run it on three images: features must be finite and depend on their own image only."""
    from gfr.models import backbone, fused_model

    pixels = list(np.random.default_rng(0).integers(0, 256, _PIXELS_SHAPE, dtype=np.uint8))
    try:
        graph = fused_model.compiled(backbone.build(row, Path(row.backbone.file)))
        together, again, alone = (
            fused_model.run_batch(graph, batch) for batch in (pixels, pixels, pixels[:1])
        )
    except Exception as error:  # TensorFlow raises many kinds for a user's model
        yield (
            f"cannot be run on images of {row.size[0]} x {row.size[1]} ({reason(error)}); choose "
            "another size, or fix the model"
        )
    if not np.isfinite(together).all():
        yield "its features are not finite; is `scaling` the one it was made for?"
    scale = np.linalg.norm(together[0]) or 1.0
    if max(np.linalg.norm(x - together[0]) for x in (again[0], alone[0])) > MAX_DIFFERENCE * scale:
        yield (
            "an image's features change from call to call or with the rest of its batch; take out "
            "what mixes images (an operation over axis 0) or draws at random"
        )
    if is_exported and (unknown := _unknown_to_javascript(graph)):
        yield (
            f"TensorFlow.js has no {', '.join(unknown)}; replace what needs it, or set "
            "precisions = [] in [export]"
        )


def _unknown_to_javascript(graph: Any) -> list[str]:
    """Return the operations of a graph that TensorFlow.js' own lists lack."""
    definition = graph.graph.as_graph_def()
    nodes = [*definition.node, *(row for f in definition.library.function for row in f.node_def)]
    # Found without importing the package, which takes seconds.
    op_lists = metadata.distribution("tensorflowjs").locate_file("tensorflowjs/op_list")
    files = Path(str(op_lists)).glob("*.json")
    known = {row["tfOpName"] for file in files for row in json.loads(file.read_text("utf-8"))}
    return sorted({node.op for node in nodes} - known - _REMOVED_IN_EXPORT)
