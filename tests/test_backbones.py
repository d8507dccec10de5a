"""The table of backbones against Keras itself, and the layers in front."""

import inspect

import keras
import numpy as np
import pytest
from keras.applications import imagenet_utils

from gfr import backbones, weights
from gfr.applications import APPLICATIONS
from gfr.spec import Backbone, FeatureSet


def feature_set(name, size=(75, 80), scaling=None, input="any"):
    """One backbone with its own scaling."""
    return FeatureSet(
        Backbone(name, scaling or APPLICATIONS[name].scaling, "", name), size, input, "float32"
    )


def test_the_table_holds_every_constructor_of_keras_applications():
    """Nothing that Keras offers is missing, nothing is made up."""
    constructors = inspect.getmembers(keras.applications, inspect.isfunction)
    assert {name for name, _ in constructors} == set(APPLICATIONS)


@pytest.mark.parametrize("name", ["VGG16", "InceptionV3", "MobileNetV2", "MobileNetV3Small"])
def test_the_weights_file_is_the_one_keras_would_fetch(name, monkeypatch):
    """Asked of Keras, with the download itself cut off."""
    from keras.src.utils import file_utils

    asked = []

    def refuse(fname, *_, **__):
        asked.append(fname)
        raise InterruptedError

    monkeypatch.setattr(file_utils, "get_file", refuse)
    with pytest.raises(InterruptedError):
        getattr(keras.applications, name)(include_top=False, weights="imagenet")
    assert [APPLICATIONS[name].weights_file] == asked


@pytest.mark.parametrize("scaling", ["tf", "torch", "caffe"])
def test_scaling_layers_equal_keras_preprocessing(scaling):
    """The layer in front of the backbone does what preprocess_input does."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.float32)
    expected = imagenet_utils.preprocess_input(pixels.copy(), mode=scaling)
    inputs = keras.Input((None, None, 3))
    layer = keras.Model(inputs, backbones._SCALING_LAYERS[scaling](inputs))
    assert pytest.approx(np.asarray(expected), abs=1e-4) == layer(pixels).numpy()


def test_images_of_several_sizes_keep_their_order(tmp_path):
    """A batch may mix native sizes; each row is that of the image alone."""
    path = weights.draw("MobileNetV3Small", 1, tmp_path)
    graph = backbones.compiled(backbones.build(feature_set("MobileNetV3Small"), path))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, 90, 3), dtype=np.uint8) for h in (100, 80, 100)]
    together = backbones.run_batch(graph, images)
    alone = np.concatenate([backbones.run_batch(graph, [image]) for image in images])
    assert pytest.approx(alone, rel=1e-3, abs=1e-6) == together


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "MobileNet", "NASNetMobile", "ResNet50V2"],
)
def test_many_families_give_features(name, tmp_path):
    """Random weights drawn, saved, loaded again, an image in, finite features out."""
    path = weights.draw(name, 1, tmp_path)
    input = "any" if APPLICATIONS[name].any_size else "fixed"
    graph = backbones.compiled(backbones.build(feature_set(name, input=input), path))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 218, 178, 3), dtype=np.uint8)
    features = backbones.run_batch(graph, list(pixels))
    assert 2 == len(features)
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0
