"""How TensorFlow starts: how it is to use GPUs, and without what it does not need.

In: nothing. Out: environment variables, for every process that computes; TensorFlow imported.
Nothing of it changes a machine without a GPU. What the user has set stays.

By the environment and not by `tf.config`: that must be called before whatever code uses a GPU
first, and a step that needs no TensorFlow would have to import it.
"""

import importlib
import os
import sys

GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
ENVIRONMENT = {
    # Memory as it is needed: TensorFlow takes all of it otherwise, and another process finds none.
    GROWTH: "true",
    # float32 is float32: from Ampere on, NVIDIA's libraries round it to 10 bits (TF32) unasked.
    "NVIDIA_TF32_OVERRIDE": "0",
    # GPU 0 of TensorFlow is GPU 0 of NVML, whose use and power are recorded beside its work.
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def prepare() -> None:
    """Set what is not set; call it before TensorFlow first looks for a GPU."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


# What TensorFlow and Keras import where it is installed, and do without where it is not: Keras'
# wrappers for scikit-learn, its plots, TensorFlow Lite's converter of JAX.
_UNUSED = ("sklearn", "matplotlib", "jax")


def import_tensorflow() -> None:
    """Import it as if these were not installed, in two thirds of the time (docs/LOG.md).

    Afterwards they can be imported as ever.
    """
    if "tensorflow" in sys.modules:
        return
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # ImportError
    try:
        importlib.import_module("tensorflow")
    finally:
        for name in hidden:
            del sys.modules[name]
