"""Conversion of one SavedModel to every file format: the answers of Keras, or a reason."""

import installed_engines
import numpy as np
import pytest

from gfr.engines import formats
from gfr.errors import InputError, StepFailed
from gfr.export import convert
from gfr.measurement import software

SIZES = ((23, 17), (40, 30))
FILE_FORMATS = [row for row in formats.FORMATS.values() if row.name != "tfjs"]
# Largest difference of p_male from Keras. int8: the network is tiny, its weights random.
BOUNDS = {"float32": 1e-4, "float16": 1e-2, "dynamic int8": 0.05, "int8": 0.1}


def litert_names(model):
    """Of its one signature."""
    from ai_edge_litert.interpreter import Interpreter

    (signature,) = Interpreter(str(model)).get_signature_list().values()
    return *signature["inputs"], *signature["outputs"]


def onnx_names(model):
    """Of input and output."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    return session.get_inputs()[0].name, session.get_outputs()[0].name


def openvino_names(model):
    """Of input and output."""
    import openvino

    network = openvino.Core().read_model(model)
    return network.input().any_name, network.output().any_name


NAMES = {"litert": litert_names, "onnxruntime": onnx_names, "openvino": openvino_names}


def network(input_shape):
    """A network with what real ones have: padding, BatchNorm, depthwise, branches, Dense."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    pixels = keras.Input((None, None, 3), name="pixels")
    x = layers.Resizing(16, 12, "bilinear")(pixels)
    x = layers.Rescaling([1.0] * 3, [-103.9, -116.8, -123.7])(keras.ops.flip(x, axis=-1))
    inner = keras.Input(input_shape)
    y = layers.Conv2D(8, 3, 2, padding="same", use_bias=False)(inner)
    y = layers.BatchNormalization(axis=3)(y)
    y = layers.Activation("relu")(y)
    y = layers.concatenate([layers.DepthwiseConv2D(3, padding="same")(y), y])
    y = layers.Conv2D(16, 1, activation="hard_swish")(layers.MaxPooling2D()(y))
    x = keras.Model(inner, y)(x, training=False)
    x = layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling2D()(x / 50))
    return keras.Model(pixels, x)


@pytest.fixture(scope="module", params=["fixed", "any"])
def exported(request, tmp_path_factory):
    """A model, its SavedModel and images of two sizes, also as files."""
    from PIL import Image

    from gfr.export.saved_model import write_graph

    folder = tmp_path_factory.mktemp("exported")
    model = network((16, 12, 3) if request.param == "fixed" else (None, None, 3))
    write_graph(model, folder / "saved_model")
    random = np.random.default_rng(3)
    images = [random.integers(0, 256, (*SIZES[i % 2], 3)).astype(np.uint8) for i in range(6)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return model, folder, images


@pytest.mark.parametrize("form", FILE_FORMATS, ids=lambda form: form.name)
def test_every_format_gives_the_probabilities_of_keras(exported, form, tmp_path):
    """Images of two sizes in one call, one of them alone."""
    model, folder, images = exported
    engine = installed_engines.engine(form.engine)
    convert.convert(folder / "saved_model", form, tmp_path, sorted(folder.glob("*.png")))
    assert {form.file, *form.beside} == {path.name for path in tmp_path.iterdir()}
    assert ("pixels", "p_male") == NAMES[form.engine](tmp_path / form.file)
    classify = engine.load(tmp_path / form.file)
    expected = [float(model(image[None].astype(np.float32))[0, 0]) for image in images]
    p_male = classify(images).p_male
    assert (np.float32, (6,)) == (p_male.dtype, p_male.shape)
    assert expected == pytest.approx(p_male.tolist(), abs=BOUNDS[form.precision])
    assert pytest.approx(p_male[1], abs=1e-5) == classify(images[1:2]).p_male[0]
    assert np.ptp(expected) > 0.02, "the model answers the same for every image"


@pytest.mark.parametrize("name", ["litert", "litert-dynamic", "onnx", "openvino"])
def test_an_operation_that_a_format_lacks_is_named(name, tmp_path):
    """A model of one's own may have any; the error is one line."""
    import keras
    from keras import layers

    from gfr.export.saved_model import write_graph

    form = formats.get(name)
    installed_engines.engine(form.engine)
    pixels = keras.Input((None, None, 3))
    x = layers.Reshape((4, 4))(layers.Resizing(4, 4)(pixels)[..., :1])
    x = keras.ops.cholesky(keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1))))
    write_graph(
        keras.Model(pixels, layers.Dense(1, "sigmoid")(layers.Flatten()(x))), tmp_path / "s"
    )
    with pytest.raises(StepFailed) as failed:
        convert.convert(tmp_path / "s", form, tmp_path)
    assert f"{form.title}: cannot be converted: " in str(failed.value)
    assert "Cholesky" in str(failed.value) and "\n" not in str(failed.value)


def test_a_converter_that_is_not_installed_names_the_command(exported, monkeypatch, tmp_path):
    """ONNX and OpenVINO are extras."""
    monkeypatch.setattr(software, "version", lambda package: "missing")
    for name, package in (("onnx", "tf2onnx"), ("openvino", "openvino")):
        form = formats.get(name)
        with pytest.raises(InputError) as refused:
            convert.convert(exported[1] / "saved_model", form, tmp_path)
        expected = f"{form.title}: {package} is not installed. Install it: make engines"
        assert expected == str(refused.value)
    assert [] == list(tmp_path.iterdir())


def test_a_format_that_fails_does_not_stop_the_others(exported, tmp_path):
    """Full int8 without images, before LiteRT in float32."""
    folders = {name: tmp_path / name for name in ("litert-int8", "litert")}
    for folder in folders.values():
        folder.mkdir()
    failures = convert.convert_all(exported[1] / "saved_model", folders)
    assert {"litert-int8": "LiteRT int8: no images to calibrate it on"} == failures
    assert formats.get("litert").num_bytes(tmp_path / "litert") > 1000


def test_full_int8_needs_images(exported, tmp_path):
    """Without them the converter would write dynamic int8."""
    with pytest.raises(StepFailed, match="LiteRT int8: no images to calibrate it on"):
        convert.convert(exported[1] / "saved_model", formats.get("litert-int8"), tmp_path)


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_the_constants_of_a_scaling_are_part_of_the_file(name, tmp_path):
    """They were further inputs of the file in ONNX."""
    import keras

    from gfr.export.saved_model import write_graph
    from gfr.models import backbone

    form = formats.get(name)
    engine = installed_engines.engine(form.engine)
    pixels, scaled = backbone.front((4, 4), "torch")
    model = keras.Model(pixels, keras.layers.Dense(1, "sigmoid")(keras.layers.Flatten()(scaled)))
    write_graph(model, tmp_path / "s")
    convert.convert(tmp_path / "s", form, tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    expected = float(model(image[None].astype(np.float32))[0, 0])
    classify = engine.load(tmp_path / form.file)
    assert expected == pytest.approx(classify([image]).p_male[0], abs=1e-5)
