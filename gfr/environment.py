"""How TensorFlow and the TensorFlow.js converter are imported, and how TensorFlow uses GPUs.

GPUs are set up by environment variables and not by `tf.config`, which must be called before any
code uses a GPU, so that a step without TensorFlow would have to import it. A machine without a GPU
is not affected, and variables that the user has set stay as they are.
"""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

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


def prepare() -> None:
    """Set variables that are not set; call it before TensorFlow first looks for a GPU."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


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

    Afterwards these packages can be imported as usual (docs/LOG.md has the measurement).
    """
    if "tensorflow" in sys.modules:
        return
    # None makes an import raise ImportError.
    with _replaced(dict.fromkeys((name for name in _UNUSED if name not in sys.modules), None)):
        importlib.import_module("tensorflow")


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
