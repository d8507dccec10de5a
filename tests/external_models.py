"""Write one tiny network in every format of networks from elsewhere.

It multiplies the channels (`KERNEL`), takes what is positive (the feature map `map`), averages that
(`features`) and multiplies again (`answer`).
"""

from pathlib import Path

import graph_models
import keras
import numpy as np
import tensorflow as tf
from graph_models import node

SIZE = 8

RANDOM = np.random.default_rng(1)
KERNEL = RANDOM.normal(size=(1, 1, 3, 5)).astype(np.float32)
LAST = RANDOM.normal(size=(5, 2)).astype(np.float32)

NUM_PARAMETERS = KERNEL.size + LAST.size

FORMATS = ("tfjs", "saved-model", "keras", "litert", "onnx", "openvino")


def features(pixels: np.ndarray) -> np.ndarray:
    """What the network computes of float32 (N, 8, 8, 3) -> (N, 5)."""
    return np.maximum(pixels @ KERNEL[0, 0], 0).mean((1, 2))


def write(form: str, folder: Path, batch: int | None = None) -> Path:
    """Write the network in a format; `batch`: its fixed batch size."""
    return _WRITERS[form](folder, batch)


def _keras(batch: int | None) -> keras.Model:
    keras.utils.clear_session()
    images = keras.Input((SIZE, SIZE, 3), batch, name="images")
    x = keras.layers.Conv2D(5, 1, use_bias=False, name="conv")(images)
    x = keras.layers.ReLU(name="map")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(images, keras.layers.Dense(2, use_bias=False, name="answer")(x))
    model.set_weights([KERNEL, LAST])
    return model


def write_keras(folder: Path, batch: int | None) -> Path:
    """As Keras does."""
    _keras(batch).save(folder / "net.keras")
    return folder / "net.keras"


def write_saved_model(folder: Path, batch: int | None) -> Path:
    """With two outputs."""
    model = _keras(batch)
    both = keras.Model(model.input, [model.get_layer(n).output for n in ("features", "answer")])
    module = tf.Module()
    module.model_variables = [variable.value for variable in both.variables]
    spec = tf.TensorSpec((batch, SIZE, SIZE, 3), tf.float32, name="images")

    @tf.function(input_signature=[spec], autograph=False)
    def serve(images):
        pooled, answer = both(images)
        return {"features": pooled, "answer": answer}

    tf.saved_model.save(module, str(folder / "net"), signatures=serve)
    return folder / "net"


def write_tfjs(folder: Path, batch: int | None) -> Path:
    """Node by node."""
    axes = {"type": "DT_INT32"}
    nodes = [
        graph_models.images(batch or -1, SIZE, SIZE, 3),
        node("conv", "Conv2D", "images", "kernel", strides=[1, 1, 1, 1], padding="VALID"),
        node("map", "Relu", "conv"),
        node("features", "Mean", "map", "axes", Tidx=axes),
        node("answer", "MatMul", "features", "last"),
    ]
    weights = {"kernel": KERNEL, "last": LAST, "axes": np.array([1, 2], np.int32)}
    return graph_models.write(folder / "net.json", nodes, weights)


def write_litert(folder: Path, batch: int | None, is_quantised: bool = False) -> Path:
    """By TensorFlow's converter; quantised: int8 with inputs and outputs of int8."""
    model = _keras(batch)
    spec = tf.TensorSpec((batch, SIZE, SIZE, 3), tf.float32, name="images")
    run = tf.function(lambda images: model(images), input_signature=[spec], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()])
    if is_quantised:
        images = np.random.default_rng(2).uniform(0, 1, (20, 1, SIZE, SIZE, 3)).astype(np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    (folder / "net.tflite").write_bytes(converter.convert())
    return folder / "net.tflite"


def write_onnx(
    folder: Path, batch: int | None, is_channels_first: bool = True, beside: str = ""
) -> Path:
    """Node by node, channels first within; `beside`: a file for its constants."""
    import onnx
    from onnx import helper, numpy_helper

    shape = (3, SIZE, SIZE) if is_channels_first else (SIZE, SIZE, 3)
    nodes = [
        helper.make_node("Conv", ["turned", "kernel"], ["conv"]),
        helper.make_node("Relu", ["conv"], ["map"]),
        helper.make_node("ReduceMean", ["map"], ["features"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["features", "last"], ["answer"]),
    ]
    order = [0, 1, 2, 3] if is_channels_first else [0, 3, 1, 2]
    nodes.insert(0, helper.make_node("Transpose", ["images"], ["turned"], perm=order))
    weights = {"kernel": KERNEL.transpose(3, 2, 0, 1), "last": LAST}
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [batch or "N", *shape])],
        [helper.make_tensor_value_info("answer", onnx.TensorProto.FLOAT, [batch or "N", 2])],
        [numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(
        model,
        folder / "net.onnx",
        save_as_external_data=bool(beside),
        location=beside or None,
        size_threshold=0,
    )
    return folder / "net.onnx"


def write_openvino(folder: Path, batch: int | None) -> Path:
    """From ONNX."""
    import openvino

    network = openvino.Core().read_model(write_onnx(folder, batch))
    openvino.save_model(network, folder / "net.xml", compress_to_fp16=False)
    return folder / "net.xml"


_WRITERS = {
    "tfjs": write_tfjs,
    "saved-model": write_saved_model,
    "keras": write_keras,
    "litert": write_litert,
    "onnx": write_onnx,
    "openvino": write_openvino,
}


def write_function(make, folder, shape=(None, SIZE, SIZE, 3), dtype=tf.float32):
    """A SavedModel of a function of images."""
    module, spec = tf.Module(), tf.TensorSpec(shape, dtype, name="images")
    serve = tf.function(lambda images: {"y": make(images)}, input_signature=[spec])
    tf.saved_model.save(module, str(folder / "net"), signatures=serve)
    return folder / "net"
