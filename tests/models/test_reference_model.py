"""References whose network does not fit their row: an error with the path, before a run."""

import external_models
import installed_engines
import keras
import pytest
import tensorflow as tf
from external_models import FORMATS, SIZE

from gfr.config.references import Reference
from gfr.errors import InputError
from gfr.models import reference_model


def refusal(path, **keys):
    """The error of a reference of two logits, without the path."""
    with pytest.raises(InputError) as refused:
        reference_model.check(Reference("r", file=str(path), p_male="logits", **keys))
    (line,) = str(refused.value).splitlines()
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("form", FORMATS)
def test_another_size_than_the_file_takes_is_refused(form, tmp_path):
    """Height and width; the file's own size is accepted."""
    if engine := {"onnx": "onnxruntime", "openvino": "openvino"}.get(form):
        installed_engines.engine(engine)
    path = external_models.write(form, tmp_path)
    output = "answer" if form == "saved-model" else ""
    line = refusal(path, output=output, size=(SIZE, 16))
    assert line.startswith("takes images of 8 x 8 (height x width) only; change size = [8, 16]")
    row = Reference("r", file=str(path), output=output, size=(SIZE, SIZE), p_male="logits")
    reference_model.check(row)


def test_a_scaling_that_a_file_of_uint8_pixels_would_round_away_is_refused(tmp_path):
    """Pixels in [-1, 1] would all be 0 or 1."""
    path = external_models.write_function(
        lambda pixels: tf.reduce_mean(tf.cast(pixels, tf.float32), (1, 2))[:, :2],
        tmp_path,
        dtype=tf.uint8,
    )
    line = refusal(path, scaling=("none-bgr", "tf"))
    assert line == (
        "takes uint8 pixels, to which scaling tf would be rounded; set scaling = "
        '"none" or "none-bgr"'
    )


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (None, "its input has no known shape; start it with keras.Input"),
        ((SIZE, SIZE, 1), "its input is (None, 8, 8, 1); expected (None, height, width, 3)"),
        ((3,), "its input is (None, 3); expected (None, height, width, 3)"),
    ],
)
def test_a_keras_model_that_takes_no_rgb_images_is_refused(shape, words, tmp_path):
    """A model that was never built would have random weights."""
    first = [keras.Input(shape)] if shape else []
    layers = [keras.layers.Flatten(), keras.layers.Dense(2)]
    keras.Sequential([*first, *layers]).save(tmp_path / "net.keras")
    assert refusal(tmp_path / "net.keras", size=(SIZE, SIZE)).startswith(words)


def test_a_keras_model_with_two_outputs_needs_a_choice(tmp_path):
    """The names are those of the layers; the only entry of a dict needs none."""
    pixels = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Flatten()(pixels)
    age, sex = keras.layers.Dense(1, name="age")(x), keras.layers.Dense(2, name="sex")(x)
    path = tmp_path / "net.keras"
    keras.Model(pixels, [age, sex]).save(path)
    assert "has 2 outputs. Name one of them: age, sex" == refusal(path)
    reference_model.check(Reference("r", file=str(path), output="sex", p_male="logits"))
    keras.Model(pixels, {"sex": sex}).save(path)
    reference_model.check(Reference("r", file=str(path), p_male="logits"))
