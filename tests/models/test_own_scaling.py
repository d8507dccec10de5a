"""A user's own model that scales pixels itself, and one that is quantized."""

import keras
import pytest

from gfr.config.schema import Backbone
from gfr.errors import InputError
from gfr.models import custom_model, weights


def saved(path, *layers, shape=(None, None, 3)):
    """A model file of layers in a row."""
    x = pixels = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    keras.Model(pixels, x).save(path)
    return path


def conv():
    """Each time a layer of its own."""
    return keras.layers.Conv2D(4, 3)


def part():
    """A model within a model, as `keras.applications` with own preprocessing are used."""
    return keras.Sequential([keras.Input((None, None, 3)), keras.layers.Rescaling(2.0), conv()])


def resizing():
    """Changes no pixel's scale."""
    return keras.layers.Resizing(8, 8)


CASES = {
    "first": ([lambda: keras.layers.Rescaling(1 / 255), conv], "Rescaling"),
    "resized": ([resizing, lambda: lambda x: x / 127.5, conv], "TrueDivide"),
    "function": ([lambda: keras.applications.vgg16.preprocess_input, conv], "Add"),
    "within": ([part], "Rescaling"),
    "later": ([conv, lambda: keras.layers.Rescaling(1 / 255)], ""),
    "none": ([conv, keras.layers.BatchNormalization], ""),
}


@pytest.mark.parametrize("case", CASES)
def test_pixels_that_are_scaled_twice_are_told_beside_the_numbers(tmp_path, case):
    """The note of the weights stands beside every result; without a scaling there is none."""
    layers, expected = CASES[case]
    path = saved(tmp_path / "m.keras", *(make() for make in layers))
    custom_model.check(path)
    notes = {
        scaling: weights.resolve(
            Backbone("m", scaling, "", "m", str(path)), "random", 1, tmp_path, False
        ).note
        for scaling in ("tf", "none")
    }
    both = f'pixels scaled twice: by scaling = "tf" and by its own {expected}'
    assert (both if expected else "") == notes["tf"].partition("; ")[2]
    assert "; " not in notes["none"]


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_a_quantized_model_is_refused_as_such(tmp_path):
    """Its layers are of Keras: that they run other code is not the reason."""
    path = tmp_path / "m.keras"
    pixels = keras.Input((8, 8, 3))
    network = keras.Model(pixels, keras.layers.Dense(4)(conv()(pixels)))
    network.quantize("int8")
    network.save(path)
    with pytest.raises(InputError, match=r"m\.keras: is quantized; gfr takes float32 models"):
        custom_model.check(path)
