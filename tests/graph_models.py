"""Write small TensorFlow.js graph models, node by node, and run them in LiteRT."""

import base64
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from gfr.models.external.tfjs_graph import Graph

FLOAT32 = {"type": "DT_FLOAT"}


def attribute(value: object) -> dict[str, object]:
    """An attribute's value as the JSON file of a model has it; a dict is one already."""
    if isinstance(value, dict):
        return value
    if isinstance(value, bool):
        return {"b": value}
    if isinstance(value, float):
        return {"f": value}
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, str):
        return {"s": base64.b64encode(value.encode()).decode()}
    if isinstance(value[0], str):
        return {"list": {"s": [attribute(word)["s"] for word in value]}}
    return {"list": {"i": [str(number) for number in value]}}


def node(name: str, op: str, *inputs: str, **attributes: object) -> dict[str, object]:
    """A node of float32."""
    described = {key: attribute(value) for key, value in {"T": FLOAT32, **attributes}.items()}
    return {"name": name, "op": op, "input": list(inputs), "attr": described}


def images(*shape: int, name: str = "images") -> dict[str, object]:
    """The input; -1 is a free size."""
    sizes = {"shape": {"dim": [{"size": str(size)} for size in shape]}}
    return {"name": name, "op": "Placeholder", "attr": {"dtype": FLOAT32, "shape": sizes}}


def constant(name: str, value: np.ndarray) -> dict[str, object]:
    """A node whose value is in the file of weights."""
    kind = {"type": "DT_INT32" if value.dtype == np.int32 else "DT_FLOAT"}
    return {"name": name, "op": "Const", "attr": {"dtype": kind, "value": {"tensor": {}}}}


def write(
    path: Path,
    nodes: list[dict[str, object]],
    weights: dict[str, np.ndarray],
    **fields: object,
) -> Path:
    """Write a model of nodes and weights, which have the extension .bin; `fields`: others."""
    listed = [
        {"name": name, "shape": list(value.shape), "dtype": value.dtype.name}
        for name, value in weights.items()
    ]
    model = {
        "format": "graph-model",
        "modelTopology": {
            "node": [*nodes, *(constant(name, value) for name, value in weights.items())]
        },
        "weightsManifest": [{"paths": [f"{path.stem}.bin"], "weights": listed}],
        **fields,
    }
    path.with_suffix(".bin").write_bytes(b"".join(value.tobytes() for value in weights.values()))
    path.write_text(json.dumps(model))
    return path


def litert(graph: Graph, pixels: np.ndarray) -> np.ndarray:
    """The answers of the graph converted to LiteRT, image by image."""
    one = tf.TensorSpec((1, *pixels.shape[1:]), tf.float32)
    run = tf.function(graph.function, input_signature=[one], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.allocate_tensors()
    answers = []
    for index in range(len(pixels)):
        interpreter.set_tensor(source["index"], pixels[index : index + 1])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(target["index"]))
    return np.concatenate(answers)


def assert_same(first: np.ndarray, second: np.ndarray) -> None:
    """Equal but for rounding."""
    assert first.shape == second.shape
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)
