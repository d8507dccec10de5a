import graph_models
import numpy as np
import pytest
import tensorflow as tf
from graph_models import assert_same, litert, node

from gfr.models.external import tfjs_graph

RANDOM = np.random.default_rng(1)
SIZE = 8


def random(*shape):
    """Numbers of both signs, float32."""
    return RANDOM.normal(size=shape).astype(np.float32)


PIXELS = random(2, SIZE, SIZE, 3)
KERNEL, DEPTHWISE, BIAS, SLOPE = random(3, 3, 3, 4), random(3, 3, 3, 2), random(4), random(4)
SCALE, OFFSET, MEAN, VARIANCE = random(4), random(4), random(4), random(4) ** 2
DENSE, BIAS_5 = random(5, SIZE), random(5)
BIAS_6, SLOPE_3 = random(6), random(1, 1, 3)


def conv(padding="SAME", **options):
    """The plain convolution of PIXELS with KERNEL."""
    return tf.nn.conv2d(PIXELS, KERNEL, 1, padding, **options)


def depthwise(strides=1, padding="SAME"):
    """The plain depthwise convolution of PIXELS."""
    return tf.nn.depthwise_conv2d(PIXELS, DEPTHWISE, [1, strides, strides, 1], padding)


def prelu(x, slope):
    """x above 0, slope * x below."""
    return tf.where(x > 0, x, slope * x)


ONE, TWO, EXPLICIT = (1, 1, 1, 1), (1, 2, 2, 1), (0, 0, 2, 1, 0, 3, 0, 0)
EXPLICITLY = {"strides": ONE, "padding": "EXPLICIT", "explicit_paddings": EXPLICIT}
SAME, VALID = {"strides": ONE, "padding": "SAME"}, {"strides": ONE, "padding": "VALID"}
PADS = [[0, 0], [2, 1], [0, 3], [0, 0]]

# Operation, its attributes, its weights, and what plain TensorFlow computes.
FUSED = {
    "convolution, bias, ReLU6": (
        "_FusedConv2D",
        {"strides": TWO, "padding": "SAME", "fused_ops": ["BiasAdd", "Relu6"], "num_args": 1},
        (KERNEL, BIAS),
        lambda: tf.nn.relu6(tf.nn.conv2d(PIXELS, KERNEL, 2, "SAME") + BIAS),
    ),
    "dilated convolution, bias": (
        "_FusedConv2D",
        {**VALID, "dilations": TWO, "data_format": "NHWC", "fused_ops": ["BiasAdd"]},
        (KERNEL, BIAS),
        lambda: conv("VALID", dilations=2) + BIAS,
    ),
    "padded convolution, bias, leaky ReLU": (
        "_FusedConv2D",
        {**EXPLICITLY, "fused_ops": ["BiasAdd", "LeakyRelu"], "leakyrelu_alpha": 0.3},
        (KERNEL, BIAS),
        lambda: tf.nn.leaky_relu(conv(PADS) + BIAS, 0.3),
    ),
    "convolution, bias, leaky ReLU with the default slope": (
        "_FusedConv2D",
        {**SAME, "fused_ops": ["BiasAdd", "LeakyRelu"]},
        (KERNEL, BIAS),
        lambda: tf.nn.leaky_relu(conv() + BIAS, 0.2),
    ),
    "convolution, bias, PReLU": (
        "_FusedConv2D",
        {**SAME, "fused_ops": ["BiasAdd", "Prelu"], "num_args": 2},
        (KERNEL, BIAS, SLOPE),
        lambda: prelu(conv() + BIAS, SLOPE),
    ),
    "convolution, batch normalisation, ReLU": (
        "_FusedConv2D",
        {**SAME, "fused_ops": ["FusedBatchNorm", "Relu"], "epsilon": 0.01, "num_args": 4},
        (KERNEL, SCALE, OFFSET, MEAN, VARIANCE),
        lambda: tf.nn.relu(tf.nn.batch_normalization(conv(), MEAN, VARIANCE, OFFSET, SCALE, 0.01)),
    ),
    "depthwise convolution, bias, ReLU": (
        "FusedDepthwiseConv2dNative",
        {"strides": TWO, "padding": "VALID", "fused_ops": ["BiasAdd", "Relu"]},
        (DEPTHWISE, BIAS_6),
        lambda: tf.nn.relu(depthwise(2, "VALID") + BIAS_6),
    ),
    "depthwise convolution, ELU": (
        "FusedDepthwiseConv2dNative",
        {**SAME, "fused_ops": ["NoOp", "Elu"], "num_args": 0},
        (DEPTHWISE,),
        lambda: tf.nn.elu(depthwise()),
    ),
    "padded depthwise convolution, bias": (
        "_FusedDepthwiseConv2dNative",
        {**EXPLICITLY, "fused_ops": ["BiasAdd"]},
        (DEPTHWISE, BIAS_6),
        lambda: depthwise(1, PADS) + BIAS_6,
    ),
    "PReLU": ("Prelu", {}, (SLOPE_3,), lambda: prelu(PIXELS, SLOPE_3)),
}


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_operation_computes_what_its_parts_do(name, tmp_path):
    """In TensorFlow, and in LiteRT, whose converter does not know fused operations."""
    operation, attributes, weights, plain = FUSED[name]
    arguments = {f"w{number}": value for number, value in enumerate(weights)}
    nodes = [
        graph_models.images(-1, SIZE, SIZE, 3),
        node("fused", operation, "images", *arguments, **attributes),
        node("last", "Identity", "fused"),
    ]
    graph = tfjs_graph.load(graph_models.write(tmp_path / "model.json", nodes, arguments))
    assert_same(graph(PIXELS).numpy(), plain().numpy())
    assert graph.num_parameters == sum(value.size for value in weights)
    assert_same(litert(graph, PIXELS), plain().numpy())


@pytest.mark.parametrize("transposed", [False, True])
def test_a_fused_matrix_product_computes_what_its_parts_do(transposed, tmp_path):
    """Of the images' mean over the batch and the height, (8, 3), transposed or not."""
    second = DENSE if transposed else DENSE[:, :3].T
    weights = {"axes": np.array([0, 1], np.int32), "dense": second, "bias": BIAS_5}
    options = {"transpose_a": transposed, "transpose_b": transposed}
    steps = ["BiasAdd", "Sigmoid"]
    nodes = [
        graph_models.images(-1, SIZE, SIZE, 3),
        node("mean", "Mean", "images", "axes", Tidx={"type": "DT_INT32"}),
        node("fused", "_FusedMatMul", "mean", "dense", "bias", fused_ops=steps, **options),
    ]
    graph = tfjs_graph.load(graph_models.write(tmp_path / "model.json", nodes, weights))
    mean = PIXELS.mean((0, 1))
    product = mean.T @ second.T if transposed else mean @ second
    assert_same(graph(PIXELS).numpy(), 1 / (1 + np.exp(-(product + BIAS_5))))


def test_a_padded_tensor_is_added_to_a_convolution(tmp_path):
    """TensorFlow's optimiser ended the process: it took the padding for the convolution's."""
    kernel, bias, pads = random(1, 1, 3, 6), random(6), [[0, 0], [0, 0], [0, 0], [0, 3]]
    weights = {"kernel": kernel, "bias": bias, "pads": np.array(pads, np.int32)}
    nodes = [
        graph_models.images(-1, SIZE, SIZE, 3),
        node("conv", "_FusedConv2D", "images", "kernel", "bias", **VALID, fused_ops=["BiasAdd"]),
        node("wide", "Pad", "images", "pads", Tpaddings={"type": "DT_INT32"}),
        node("sum", "AddV2", "conv", "wide"),
    ]
    graph = tfjs_graph.load(graph_models.write(tmp_path / "model.json", nodes, weights))
    expected = PIXELS @ kernel[0, 0] + bias + np.pad(PIXELS, pads)
    assert_same(graph(PIXELS).numpy(), expected)
    assert_same(litert(graph, PIXELS), expected)
