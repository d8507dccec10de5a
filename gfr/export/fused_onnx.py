"""Join an .onnx network, the layers in front of it and its head to one ONNX model.

The network stays as it is: what TensorFlow computes is converted to its version of ONNX. A network
that takes one image at a time makes a model that does the same.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gfr.errors import reason
from gfr.export import to_onnx
from gfr.models import backbone, fused_model
from gfr.models.external import onnx as external
from gfr.models.external.network import ExternalNetwork

# What TensorFlow's part can be converted to. Before 11, Resize places its samples elsewhere.
_OPSETS = range(11, to_onnx.OPSET + 1)

_FRONT, _NETWORK, _HEAD = "front/", "network/", "head/"  # of names, so that they do not clash

_CONSTANTS_ALONE = 4  # version of the format before which constants had to be inputs too

Compute = Callable[[tf.Tensor], tf.Tensor]

_DOMAINS = ("", "ai.onnx")  # two names of ONNX' own operations


def load(keras_file: Path) -> Any:
    """Return the fused model as ModelProto: uint8 (N, H, W, 3) -> p_male float32 (N, 1).

    StepFailed if it cannot be converted.
    """
    import onnx

    model = keras.saving.load_model(keras_file, compile=False, safe_mode=True)
    (layer,) = fused_model.external_networks(model)
    network = _network(layer)
    opset = _opset(network)
    front, head = _front(model, layer, opset), _head(model, layer, opset)
    try:
        return _joined(front, network, head)
    except (*to_onnx.FAILURES, onnx.checker.ValidationError) as error:
        raise to_onnx.failed(f"{layer.file}: {reason(error)}") from None


def _network(layer: ExternalNetwork) -> Any:
    """Return the network up to its node of features, with constants that lie beside the file."""
    import onnx

    path = Path(layer.file)
    model, _ = external.read(path, *layer.nodes)
    onnx.load_external_data_for_model(model, str(path.parent))
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in [value for value in model.graph.input if value.name in constants]:
        model.graph.input.remove(value)
    model.ir_version = max(model.ir_version, _CONSTANTS_ALONE)
    for row in model.opset_import:
        row.domain = "" if row.domain in _DOMAINS else row.domain
    lowest = min(_OPSETS)
    return _upgraded(model, lowest) if _opset(model) < lowest else model


def _opset(model: Any) -> int:
    return max((row.version for row in model.opset_import if not row.domain), default=1)


def _upgraded(model: Any, opset: int) -> Any:
    from onnx import version_converter

    try:
        return version_converter.convert_version(model, opset)
    except (*to_onnx.FAILURES, version_converter.ConvertError) as error:
        raise to_onnx.failed(
            f"opset {_opset(model)} not to opset {opset} ({reason(error)}). Export the network to "
            f"an opset from {min(_OPSETS)} to {max(_OPSETS)}"
        ) from None


def _front(model: keras.Model, layer: ExternalNetwork, opset: int) -> Any:
    """Convert what computes the network's input from pixels uint8 (N, H, W, 3)."""
    layers = keras.Model(model.input, layer.input)
    shape = (1 if layer.is_single else None, *backbone.ANY_SIZE)

    def prepare(pixels: tf.Tensor) -> tf.Tensor:
        return layer.arguments(layers(tf.cast(pixels, tf.float32), training=False))

    return _converted(prepare, tf.TensorSpec(shape, tf.uint8), opset)


def _head(model: keras.Model, layer: ExternalNetwork, opset: int) -> Any:
    """Convert what computes p_male from the network's output: pooling, calibration, head."""
    layers, shape = keras.Model(layer.output, model.output), layer.input.shape

    def classify(output: tf.Tensor) -> tf.Tensor:
        return layers(layer.arranged(output, shape), training=False)

    return _converted(classify, layer.output_spec(*shape[1:3]), opset)


def _converted(compute: Compute, takes: tf.TensorSpec, opset: int) -> Any:
    """Convert a function to ONNX of a version that tf2onnx may not know."""
    function = tf.function(compute, input_signature=[takes], autograph=False)
    model = to_onnx.converted(function.get_concrete_function(), min(opset, max(_OPSETS)))
    return model if _opset(model) == opset else _upgraded(model, opset)


def _joined(front: Any, network: Any, head: Any) -> Any:
    """Join three models of one opset, each with one input and one output."""
    import onnx
    from onnx import compose

    graph = network.graph
    # It renames the constants of a graph too late for the graphs within it.
    names = {tensor.name: _NETWORK + tensor.name for tensor in graph.initializer}
    parts = (
        compose.add_prefix_graph(front.graph, _FRONT, rename_inputs=False),
        compose.add_prefix_graph(graph, _NETWORK, name_map=names),
        compose.add_prefix_graph(head.graph, _HEAD, rename_outputs=False),
    )
    joined = parts[0]
    for part in parts[1:]:
        joined = compose.merge_graphs(joined, part, [(joined.output[0].name, part.input[0].name)])
    joined.name, joined.doc_string = "fused", ""
    described = [value for value in joined.value_info if value.HasField("type")]
    joined.ClearField("value_info")
    joined.value_info.extend(described)
    network.graph.CopyFrom(joined)
    network.ir_version = max(part.ir_version for part in (front, network, head))
    onnx.checker.check_model(network)
    return network
