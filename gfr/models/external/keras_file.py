"""Load users' own .keras files. Imports Keras."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras

from gfr.errors import InputError, reason
from gfr.models import custom_model
from gfr.models.external import base


@contextlib.contextmanager
def refusing_missing_weights() -> Iterator[None]:
    """Make Keras raise a UserWarning if layers would keep their random initialisation."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping nested container")
        yield


def load(path: Path, input: str = "", output: str = "") -> keras.Model:
    """Load a user's own model, cut at layers if they are named; InputError if Keras cannot."""
    custom_model.check(path)
    network = _open(path)
    # One output may be the only entry of a list or dict, which other layers do not take.
    is_tensor = isinstance(getattr(network, "output", None), keras.KerasTensor)
    if input or output or (getattr(network, "outputs", None) and not is_tensor):
        names = [layer.name for layer in network.layers]
        starts, ends = (
            [tensor._keras_history.operation.name for tensor in tensors]
            for tensors in (network.inputs, network.outputs)
        )
        start = base.node(path, "input", input, starts, starts)
        end = base.node(path, "output", output, ends, {*ends, *names})
        network = _cut(path, network, starts.index(start), end)
    network.name = "network"  # its own name may be that of another layer here
    return network


@refusing_missing_weights()
def _open(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # depends on what Keras' layers do with the file's values
        raise InputError(
            f"{path}: Keras {keras.__version__} cannot load it ({reason(error)}); save it again "
            "with model.save"
        ) from None


def _cut(path: Path, network: keras.Model, start: int, output: str) -> keras.Model:
    try:
        return keras.Model(network.inputs[start], network.get_layer(output).output)
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: cannot be cut at {output!r} ({reason(error)}); choose another output"
        ) from None
