"""How TensorFlow and the TensorFlow.js converter are imported, and with which settings.

GPUs are set up by environment variables and not by `tf.config`, which must be called before any
code uses a GPU, so that a step without TensorFlow would have to import it. A machine without a GPU
is not affected, and variables that the user has set stay as they are.

Keras has the settings of this module, whatever keras.json and the environment say: they would
change features, heads and random weights. Other variables that change what TensorFlow computes stay
and are part of the key of cached features (`numeric_settings`).
"""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

from gfr.errors import InputError, reason

GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"

ENVIRONMENT = {
    # Otherwise TensorFlow reserves all GPU memory, and other processes find none.
    GROWTH: "true",
    # Otherwise NVIDIA's libraries round float32 to 10 bits (TF32) on Ampere and newer.
    "NVIDIA_TF32_OVERRIDE": "0",
    # The numbers of GPUs are then the same in TensorFlow and in NVML, which records their use.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

# Set whatever the user has set: gfr computes with TensorFlow and Keras 3.
REQUIRED = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_NNX_ENABLED": "false",
    "TF_USE_LEGACY_KERAS": "0",
}

# Environment variables that change what TensorFlow computes, by their beginnings.
_NUMERIC = (
    *("TF_ENABLE_", "TF_DISABLE_", "TF_XLA_", "XLA_FLAGS", "TF_ONEDNN_", "TF_SET_ONEDNN_"),
    *("ONEDNN_", "DNNL_", "TF_CUDNN_", "NVIDIA_TF32_OVERRIDE", "TF_FP16_"),
    "TF_AUTO_MIXED_PRECISION_",
)


def prepare() -> None:
    """Set variables; call it before TensorFlow is imported or first looks for a GPU."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.update(REQUIRED)


def for_node() -> dict[str, str]:
    """Return the environment of a Node process: without NODE_OPTIONS and the like.

    These are for the user's own programs, e.g. editors load a debugger by them. Only certificates
    for downloads stay.
    """
    kept = "NODE_EXTRA_CA_CERTS"
    return {k: v for k, v in os.environ.items() if not k.startswith("NODE_") or k == kept}


def numeric_settings() -> dict[str, str]:
    """Return the environment variables that make TensorFlow compute other numbers than usual."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(_NUMERIC) and value != ENVIRONMENT.get(name) and "VERBOSE" not in name
    }


# Optional imports of TensorFlow and Keras: Keras' wrappers for scikit-learn, its plots, TensorFlow
# Lite's converter of JAX.
_UNUSED = ("sklearn", "matplotlib", "jax")


# What tensorflowjs imports for its other converters (JAX, Keras 2, TensorFlow Hub, decision
# forests) and never calls for a SavedModel. The lock leaves these packages out, since one of them
# requires TensorFlow 2.19 exactly (docs/dependencies.md).
_JAX = ("jax", "jax.experimental", "jax.experimental.jax2tf")

_STUBBED = (*_JAX, "tensorflow_decision_forests", "tensorflow_hub", "tf_keras")


def import_tensorflow() -> None:
    """Import TensorFlow as if `_UNUSED` were not installed, in two thirds of the time.

    Afterwards these packages can be imported as usual (docs/LOG.md has the measurement), and Keras
    has the settings that gfr computes with. InputError if Keras' own settings are invalid.
    """
    os.environ.update(REQUIRED)
    if "tensorflow" not in sys.modules:
        # None makes an import raise ImportError.
        hidden = dict.fromkeys((name for name in _UNUSED if name not in sys.modules), None)
        try:
            with _replaced(hidden):
                importlib.import_module("tensorflow")
        except (ValueError, AssertionError) as error:  # an invalid value in keras.json
            raise InputError(
                f"Keras cannot be imported ({reason(error)}). Correct keras.json in $KERAS_HOME, "
                "else ~/.keras, and KERAS_* in the environment"
            ) from None
    _set_up_keras()


def _set_up_keras() -> None:
    """Give Keras the settings that it has by default; InputError if it has another backend."""
    keras = importlib.import_module("keras")
    if keras.config.backend() != REQUIRED["KERAS_BACKEND"]:
        raise InputError(
            f"Keras was imported with the {keras.config.backend()} backend in this process, but "
            "gfr computes with TensorFlow. Set KERAS_BACKEND=tensorflow before anything imports "
            "Keras"
        )
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")


def import_tensorflowjs() -> None:
    """Import the TensorFlow.js converter with empty modules in place of `_STUBBED`.

    Call it before any other import of tensorflowjs. Afterwards the stubs are gone, and these
    packages can be imported as usual where they are installed.
    """
    if "tensorflowjs" in sys.modules:
        return
    import_tensorflow()
    stubs = {name: ModuleType(name) for name in _STUBBED}
    stubs["jax.experimental"].jax2tf = stubs["jax.experimental.jax2tf"]  # type: ignore[attr-defined]
    with _replaced(stubs):
        importlib.import_module("tensorflowjs")


@contextmanager
def _replaced(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Put `modules` into `sys.modules` while the block runs."""
    before = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in modules:
            sys.modules.pop(name, None)
        sys.modules.update(before)
