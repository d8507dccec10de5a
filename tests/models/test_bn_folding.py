"""Folding changes the layers, not the function."""

import keras
import numpy as np
import pytest

from gfr.config.keras_applications import APPLICATIONS
from gfr.models import backbone
from gfr.models.bn_folding import fold

SIDE_PX = 75


def network(name):
    """A backbone whose normalisations all do something."""
    keras.utils.set_random_seed(0)
    shape = backbone.ANY_SIZE if APPLICATIONS[name].any_size else (SIDE_PX, SIDE_PX, 3)
    built = backbone.application(name, shape, None)
    rng = np.random.default_rng(0)
    for layer in normalisations(built):
        randomise(layer, rng)
    return built


def randomise(layer, rng):
    """Gamma, beta, mean and variance of a BatchNormalization, as far as it has them.

    Gammas up to 2 make EfficientNetB0 chaotic: float32 is then 5e-4 away from float64.
    """
    for variable in layer.weights:
        low, high = (-0.3, 0.3) if variable.name in ("beta", "moving_mean") else (0.5, 1.5)
        variable.assign(rng.uniform(low, high, variable.shape))


def normalisations(model):
    """The BatchNormalization layers that are left."""
    return [row for row in model.layers if isinstance(row, keras.layers.BatchNormalization)]


def pooled(model, scaling="none"):
    """float32 (2, D) of two images of noise."""
    pixels = np.random.default_rng(1).integers(0, 256, (2, SIDE_PX, SIDE_PX, 3))
    inputs = backbone._SCALING_LAYERS[scaling](pixels.astype(np.float32))
    return keras.ops.convert_to_numpy(keras.ops.cast(model(inputs), "float32")).mean(axis=(1, 2))


def relative_error(expected, actual):
    """Of the whole array."""
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("name", "num_left"),
    [
        ("EfficientNetB0", 0),
        ("InceptionResNetV2", 0),
        ("InceptionV3", 0),
        ("MobileNetV2", 0),
        ("ResNet50", 0),
        ("ResNet50V2", 17),  # of the sums that begin its 16 blocks, and of the last sum
        ("VGG16", 0),
        pytest.param("NASNetMobile", 4, marks=pytest.mark.slow),
        pytest.param("Xception", 0, marks=pytest.mark.slow),
    ],
)
def test_a_folded_network_computes_the_same_with_fewer_layers(name, num_left):
    """Within 1e-5 in float32, and the network given is left as it was."""
    original, scaling = network(name), APPLICATIONS[name].scaling
    expected = pooled(original, scaling)
    folded = fold(original)
    assert num_left == len(normalisations(folded))
    assert "CustomScaleLayer" not in {type(row).__name__ for row in folded.layers}
    assert 1e-5 > relative_error(expected, pooled(folded, scaling))
    assert np.array_equal(expected, pooled(original, scaling))
    assert [] == folded.trainable_variables


@pytest.mark.parametrize(
    "convolution",
    [
        keras.layers.Conv2D(6, 3, groups=3),
        keras.layers.Conv2D(6, 3, strides=2, use_bias=False),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
        keras.layers.SeparableConv2D(6, 3, padding="same", use_bias=False),
    ],
    ids=["groups", "no bias", "two outputs per channel", "separable"],
)
def test_every_kind_of_convolution_can_absorb(convolution):
    """Bias, groups and the order of a depthwise convolution's outputs."""
    inputs = keras.Input((None, None, 3))
    normalised = keras.layers.BatchNormalization()(convolution(inputs))
    original = keras.Model(inputs, normalised)
    randomise(normalisations(original)[0], np.random.default_rng(0))
    if convolution.use_bias:
        convolution.bias.assign(np.arange(6))
    folded = fold(original)
    assert [] == normalisations(folded)
    assert 1e-5 > relative_error(pooled(original), pooled(folded))


@pytest.mark.parametrize("read_by", ["two layers", "an activation", "the caller"])
def test_an_output_that_others_see_is_not_scaled(read_by):
    """The normalisation stays where folding it would change more than its own output."""
    inputs = keras.Input((None, None, 3))
    activation = "relu" if read_by == "an activation" else None
    seen = keras.layers.Conv2D(6, 3, activation=activation)(inputs)
    output = keras.layers.BatchNormalization()(seen)
    if read_by == "two layers":
        output = keras.layers.Add()([output, seen])
    original = keras.Model(inputs, [output, seen] if read_by == "the caller" else output)
    assert 1 == len(normalisations(fold(original)))


@pytest.mark.parametrize("name", ["MobileNetV2", "VGG16"])
def test_bfloat16_is_close_and_really_used(name):
    """Off by 0.1 to 2%: nearer would be float32, farther would be wrong."""
    original, scaling = network(name), APPLICATIONS[name].scaling
    error = relative_error(pooled(original, scaling), pooled(fold(original, "bfloat16"), scaling))
    assert 1e-3 < error < 0.02


def test_bfloat16_leaves_the_scaling_of_pixels_exact():
    """EfficientNet subtracts ImageNet's mean in the network itself: in float32."""
    folded = fold(network("EfficientNetB0"), "bfloat16")
    pixel_layers = (keras.layers.Rescaling, keras.layers.Normalization)
    kinds = {row.compute_dtype for row in folded.layers if isinstance(row, pixel_layers)}
    assert {"float32"} == kinds
    assert "bfloat16" == folded.layers[-1].compute_dtype
