"""Check that networks from elsewhere are backbones and fit a benchmark, before a run starts."""

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from gfr.config.schema import TFJS, Benchmark, FeatureSet
from gfr.errors import InputError, reason
from gfr.models import custom_model
from gfr.models.external import files

MAX_DIFFERENCE = 1e-3  # relative, between one image's features alone and in a batch

_PIXELS_SHAPE = (3, 218, 178, 3)

# One tensor each of a Keras model, as dtype and shape.
_TAKES = r"float32 \(None, \w+, \w+, 3\)"
_GIVES = r"float32 \(None, (\w+, \w+, )?[1-9]\d*\)"

# Removed when the converter freezes variables and inlines functions.
_REMOVED_IN_EXPORT = {"ReadVariableOp", "StatefulPartitionedCall", "PartitionedCall"}


def refuse_unfit(benchmark: Benchmark) -> None:
    """Raise InputError if a network from elsewhere is not a backbone or does not fit."""
    rows = [row for row in benchmark.feature_sets if row.backbone.file]
    if not rows:
        return
    for path in dict.fromkeys(Path(row.backbone.file) for row in rows):
        files.require_runtime(path)
        files.files(path)
        if files.kind(path).name == "keras":
            custom_model.check(path)
    import keras

    from gfr.models import backbone
    from gfr.models.external import network

    backbone.make_deterministic()
    for row in rows:
        keras.utils.clear_session()
        path = Path(row.backbone.file)
        loaded = network.load(path, row.backbone.input, row.backbone.features)
        problem = _shape_problem(row, loaded)
        problem = problem or network.scaling_problem(loaded, row.backbone.scaling)
        if problem := problem or _output_problem(row, TFJS in benchmark.export.written):
            raise InputError(f"{path}: {problem}")
    keras.utils.clear_session()


def _shape_problem(row: FeatureSet, network: Any) -> str:
    if files.kind(Path(row.backbone.file)).name == "keras" and (problem := _ends_problem(network)):
        return problem
    sides = tuple(network.size)
    words = " x ".join("any" if side is None else str(side) for side in sides)
    if any(side not in (None, asked) for side, asked in zip(sides, row.size, strict=True)):
        return f"takes images of {words} (height x width) only; change size = {list(row.size)}"
    if row.input == "any" and sides != (None, None):
        return f'takes images of {words} only; set input = "fixed"'
    return ""


def _ends_problem(network: Any) -> str:
    inputs: list[Any] = getattr(network, "inputs", [])  # []: a Sequential that was never built
    if not inputs:
        return "its input has no known shape; start it with keras.Input((None, None, 3))"
    takes, gives = (
        ", ".join(f"{tensor.dtype} {tuple(tensor.shape)}" for tensor in tensors)
        for tensors in (inputs, network.outputs)
    )
    if not re.fullmatch(_TAKES, takes) or not re.fullmatch(_GIVES, gives):
        return (
            f"takes {takes} and gives {gives}; a backbone takes float32 (None, height, width, 3) "
            "and gives float32 (None, features) or a feature map (None, height, width, features)"
        )
    return ""


def _output_problem(row: FeatureSet, is_exported: bool) -> str:
    """Run it on three images: features must be finite and depend on their own image only."""
    from gfr.models import backbone, fused_model

    pixels = list(np.random.default_rng(0).integers(0, 256, _PIXELS_SHAPE, dtype=np.uint8))
    try:
        graph = fused_model.compiled(backbone.build(row, Path(row.backbone.file)))
        batches = (pixels, pixels, pixels[:1])
        together, again, alone = (fused_model.run_batch(graph, batch) for batch in batches)
    except InputError as error:  # it names the file
        return str(error).removeprefix(f"{row.backbone.file}: ")
    except Exception as error:  # TensorFlow raises many kinds for a user's model
        size = "{} x {}".format(*row.size)
        return f"cannot be run on images of {size} ({reason(error)}); choose another size"
    if not np.isfinite(together).all():
        return "its features are not finite; is `scaling` the one it was made for?"
    scale = np.linalg.norm(together[0]) or 1.0
    if max(np.linalg.norm(x - together[0]) for x in (again[0], alone[0])) > MAX_DIFFERENCE * scale:
        return (
            "an image's features change from call to call or with the rest of its batch; take out "
            "what mixes images (an operation over axis 0) or draws at random"
        )
    is_of_tensorflow = files.kind(Path(row.backbone.file)).runtime == files.TENSORFLOW
    if is_exported and is_of_tensorflow and (unknown := _unknown_to_javascript(graph)):
        return (
            f"TensorFlow.js has no {', '.join(unknown)}; replace what needs it, or set "
            "precisions = [] in [export]"
        )
    return ""


def _unknown_to_javascript(graph: Any) -> list[str]:
    """Return the operations of a graph that TensorFlow.js' own lists lack."""
    definition = graph.graph.as_graph_def()
    nodes = [*definition.node, *(row for f in definition.library.function for row in f.node_def)]
    # Found without importing the package, which takes seconds.
    op_lists = metadata.distribution("tensorflowjs").locate_file("tensorflowjs/op_list")
    files = Path(str(op_lists)).glob("*.json")
    known = {row["tfOpName"] for file in files for row in json.loads(file.read_text("utf-8"))}
    return sorted({node.op for node in nodes} - known - _REMOVED_IN_EXPORT)
