"""The table of backbones against Keras itself, and the layers in front."""

import importlib
import inspect

import keras
import numpy as np
import pytest

from gfr.config.keras_applications import APPLICATIONS
from gfr.config.schema import Backbone, FeatureSet
from gfr.models import backbone, fused_model, weights


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


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_backbones_own_scaling_is_that_of_keras(name):
    """The layer in front of each backbone does what its module's preprocess_input does."""
    module = importlib.import_module(getattr(keras.applications, name).__module__)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.float32)
    expected = np.asarray(module.preprocess_input(pixels.copy()))
    inputs = keras.Input((None, None, 3))
    layer = keras.Model(inputs, backbone._SCALING_LAYERS[APPLICATIONS[name].scaling](inputs))
    assert pytest.approx(expected, abs=1e-4) == np.asarray(layer(pixels))


def test_efficientnet_is_normalised_as_with_keras_own_download(tmp_path, monkeypatch):
    """Keras adds a layer only if it fetches the weights itself; gfr always has them as a file."""
    from keras.src.utils import file_utils

    name = "EfficientNetB0"
    path = weights.draw(name, 1, tmp_path)
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: str(path))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 75, 80, 3)).astype(np.float32)
    theirs = keras.applications.EfficientNetB0(include_top=False, weights="imagenet")
    ours = backbone.application(name, backbone.ANY_SIZE, path)
    expected = np.asarray(theirs(pixels))
    assert pytest.approx(expected, rel=1e-3, abs=1e-3 * float(expected.std())) == np.asarray(
        ours(pixels)
    )


def test_images_of_several_sizes_keep_their_order(tmp_path):
    """A batch may mix native sizes; each row is that of the image alone."""
    path = weights.draw("MobileNetV3Small", 1, tmp_path)
    graph = fused_model.compiled(backbone.build(feature_set("MobileNetV3Small"), path))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, 90, 3), dtype=np.uint8) for h in (100, 80, 100)]
    together = fused_model.run_batch(graph, images)
    alone = np.concatenate([fused_model.run_batch(graph, [image]) for image in images])
    assert pytest.approx(alone, rel=1e-3, abs=1e-6) == together


def test_bfloat16_gives_nearly_the_same_float32_features(tmp_path):
    """From raw pixels, through the same resize and scaling."""
    path = weights.draw("MobileNetV3Small", 1, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 90, 100, 3), dtype=np.uint8)
    expected, actual = (
        fused_model.run_batch(
            fused_model.compiled(backbone.build(feature_set("MobileNetV3Small"), path, precision)),
            pixels,
        )
        for precision in ("float32", "bfloat16")
    )
    assert np.float32 == actual.dtype
    assert 0.03 > np.linalg.norm(actual - expected) / np.linalg.norm(expected) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "ResNet50V2"],  # others: test_folding, _flow
)
def test_many_families_give_features(name, tmp_path):
    """Random weights drawn, saved, loaded again, an image in, finite features out."""
    path = weights.draw(name, 1, tmp_path)
    input = "any" if APPLICATIONS[name].any_size else "fixed"
    graph = fused_model.compiled(backbone.build(feature_set(name, input=input), path))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 218, 178, 3), dtype=np.uint8)
    features = fused_model.run_batch(graph, list(pixels))
    assert 2 == len(features)
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0
