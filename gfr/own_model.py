"""Whether a user's own Keras model can serve as a backbone: tried at the door.

In: a benchmark's feature sets whose backbone has a `file`. Out: nothing, or BadInput before any
image is looked at. Loads each file, and runs it once at each size on pixels made up here. Imports
TensorFlow only if there is such a backbone. Never trains, never keeps anything.
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from gfr import own_file
from gfr.config.schema import Benchmark, FeatureSet
from gfr.errors import BadInput, reason

MAX_DIFFERENCE = 1e-3  # relative, of one image's features alone and in a batch
_PIXELS_SHAPE = (3, 218, 178, 3)
# Gone once the converter has frozen variables and inlined functions.
_GONE_IN_EXPORT = {"ReadVariableOp", "StatefulPartitionedCall", "PartitionedCall"}


def refuse_unfit(benchmark: Benchmark) -> None:
    """BadInput if an own model is no backbone, or cannot do what the benchmark asks for."""
    rows = [row for row in benchmark.feature_sets if row.backbone.file]
    if not rows:
        return
    for path in dict.fromkeys(Path(row.backbone.file) for row in rows):
        own_file.check(path)
    import keras

    from gfr import backbones

    backbones.make_deterministic()
    for row in rows:
        keras.utils.clear_session()
        _check_shapes(row, backbones.own(Path(row.backbone.file)))
        _try(row, is_exported=bool(benchmark.export.precisions))
    keras.utils.clear_session()


def _check_shapes(row: FeatureSet, network: Any) -> None:
    path = row.backbone.file
    inputs, outputs = _tensors(network, "inputs"), _tensors(network, "outputs")
    if not inputs:
        raise BadInput(
            f"{path}: its input is of no known shape; begin it with keras.Input((None, None, 3))"
        )
    if len(inputs) > 1 or len(outputs) > 1:
        raise BadInput(
            f"{path}: {len(inputs)} inputs and {len(outputs)} outputs; a backbone has one of each"
        )
    shape, dtype = tuple(inputs[0].shape), inputs[0].dtype
    if len(shape) != 4 or shape[0] is not None or shape[3] != 3 or dtype != "float32":
        raise BadInput(
            f"{path}: takes {dtype} {shape}; a backbone takes float32 (None, height, width, 3)"
        )
    found, dtype = tuple(outputs[0].shape), outputs[0].dtype
    if len(found) not in (2, 4) or found[0] is not None or not found[-1] or dtype != "float32":
        raise BadInput(
            f"{path}: gives {dtype} {found}; a backbone gives float32 (None, features) or a "
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
        raise BadInput(
            f"{row.backbone.file}: takes images of {words} (height x width) alone, size = "
            f"{list(row.size)} is asked for; change size, or name other backbones in that iteration"
        )
    if row.input == "any" and fixed != (None, None):
        raise BadInput(
            f'{row.backbone.file}: takes images of {words} alone, not any; set input = "fixed"'
        )


def _try(row: FeatureSet, is_exported: bool) -> None:
    """Run it on three images: features must be finite, and each image's own."""
    from gfr import backbones

    path = Path(row.backbone.file)
    pixels = list(np.random.default_rng(0).integers(0, 256, _PIXELS_SHAPE, dtype=np.uint8))
    try:
        graph = backbones.compiled(backbones.build(row, path))
        together = backbones.run_batch(graph, pixels)
        again = backbones.run_batch(graph, pixels)
        alone = backbones.run_batch(graph, pixels[:1])
    except BadInput:
        raise
    except Exception as error:  # of a model that is not ours; TensorFlow's are of many kinds
        height, width = row.size
        raise BadInput(
            f"{path}: cannot be run on images of {height} x {width} ({reason(error)}); choose "
            "another size, or mend the model"
        ) from None
    if not np.isfinite(together).all():
        raise BadInput(
            f"{path}: its features are not finite; is `scaling` the one it was made for?"
        )
    scale = np.linalg.norm(together[0]) or 1.0
    if max(np.linalg.norm(x - together[0]) for x in (again[0], alone[0])) > MAX_DIFFERENCE * scale:
        raise BadInput(
            f"{path}: an image's features change from call to call or with the rest of its batch; "
            "take out what mixes images (an operation over axis 0) or draws at random"
        )
    if is_exported and (unknown := _unknown_to_javascript(graph)):
        raise BadInput(
            f"{path}: TensorFlow.js has no {', '.join(unknown)}; replace what needs it, or set "
            "precisions = [] in [export]"
        )


def _unknown_to_javascript(graph: Any) -> list[str]:
    """Operations of a graph that TensorFlow.js' own lists lack."""
    definition = graph.graph.as_graph_def()
    nodes = [*definition.node, *(row for f in definition.library.function for row in f.node_def)]
    package = importlib.util.find_spec("tensorflowjs")
    places = package.submodule_search_locations if package else None
    files = [file for place in places or [] for file in (Path(place) / "op_list").glob("*.json")]
    known = {row["tfOpName"] for file in files for row in json.loads(file.read_text("utf-8"))}
    return sorted({node.op for node in nodes} - known - _GONE_IN_EXPORT)
