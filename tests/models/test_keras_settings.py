"""Settings from elsewhere that would change what is computed."""

import json
import os
import subprocess
import sys

import pytest

from gfr import environment
from gfr.errors import InputError
from gfr.measurement import hardware
from gfr.storage.paths import ROOT

# Random weights and features of MobileNetV2, both drawn and computed anew.
PROGRAM = """
import hashlib, sys
from pathlib import Path
from gfr import environment
environment.prepare()
environment.import_tensorflow()
import keras, numpy as np
print(keras.config.backend(), keras.config.floatx(), keras.config.epsilon())
print(keras.config.image_data_format(), keras.config.dtype_policy().name)
from gfr.config.schema import Backbone, FeatureSet
from gfr.models import backbone, fused_model, weights
row = Backbone("MobileNetV2", "tf", "random", "MobileNetV2")
drawn = weights.resolve(row, "random", 1, Path(sys.argv[1]), allow_download=False)
print(drawn.sha256)
graph = fused_model.compiled(backbone.build(FeatureSet(row, (32, 32), "any", "auto"), drawn.path))
pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
features = fused_model.run_batch(graph, pixels)
print(features.dtype, hashlib.sha256(features).hexdigest())
"""
ELSEWHERE = {
    "floatx": "float16", "epsilon": 0.1, "backend": "jax", "image_data_format": "channels_first",
}  # fmt: skip
VARIABLES = {"KERAS_BACKEND": "torch", "TF_USE_LEGACY_KERAS": "1", "KERAS_NNX_ENABLED": "true"}


def computed(folder, settings, variables, program=PROGRAM):
    """What a process prints whose Keras finds these settings."""
    (folder / "keras").mkdir(parents=True)
    (folder / "keras" / "keras.json").write_text(json.dumps(settings))
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in environment.numeric_settings() and not name.startswith("KERAS_")
    }
    places = {"KERAS_HOME": str(folder / "keras"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program, folder / "cache"],
        env=inherited | places | variables,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_settings_of_keras_from_elsewhere_change_neither_weights_nor_features(tmp_path):
    """Of keras.json and of variables: each would change the values, or fail after minutes."""
    usual = computed(tmp_path / "usual", {}, {})
    assert usual.stdout.splitlines()[:2] == ["tensorflow float32 1e-07", "channels_last float32"]
    other = computed(tmp_path / "other", ELSEWHERE, VARIABLES)
    assert usual.stdout == other.stdout, other.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "variables"),
    [({"floatx": "half"}, {}), ({"epsilon": 1}, {}), ({}, {"KERAS_MAX_EPOCHS": "few"})],
)
def test_invalid_settings_of_keras_are_named(tmp_path, settings, variables):
    """Keras refuses them when it is imported."""
    program = (
        "from gfr import environment, errors\n"
        "try: environment.import_tensorflow()\n"
        "except errors.InputError as error: print(error)"
    )
    done = computed(tmp_path, settings, variables, program)
    assert done.stdout.startswith("Keras cannot be imported ("), done.stderr
    assert "Correct keras.json" in done.stdout


def test_a_process_that_uses_another_backend_is_refused(monkeypatch):
    """A notebook whose Keras runs on JAX, before gfr computes anything with it."""
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(
        InputError, match=r"imported with the jax backend in this process.*KERAS_BACKEND"
    ):
        environment.import_tensorflow()


def test_settings_of_a_notebook_are_replaced(monkeypatch):
    """By those that features were cached with."""
    import keras

    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    keras.config.set_floatx("float16")
    keras.config.set_dtype_policy("mixed_float16")
    environment.import_tensorflow()
    assert ("float32", "float32") == (keras.config.floatx(), keras.config.dtype_policy().name)
    assert "0" == os.environ["TF_USE_LEGACY_KERAS"]


@pytest.mark.parametrize(
    ("name", "value", "is_in_key"),
    [
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16", True),
        ("DNNL_MAX_CPU_ISA", "AVX2", True),
        ("TF_ENABLE_ONEDNN_OPTS", "0", True),
        ("TF_XLA_FLAGS", "--tf_xla_auto_jit=2", True),
        ("XLA_FLAGS", "--xla_cpu_enable_fast_math=true", True),
        ("NVIDIA_TF32_OVERRIDE", "1", True),
        ("NVIDIA_TF32_OVERRIDE", "0", False),
        ("ONEDNN_VERBOSE", "1", False),
        ("OMP_NUM_THREADS", "1", False),
    ],
)
def test_variables_that_change_the_numbers_are_part_of_the_key(name, value, is_in_key, monkeypatch):
    """Features computed with them are never taken for the usual ones."""
    for other in environment.numeric_settings():
        monkeypatch.delenv(other)
    monkeypatch.setenv(name, value)
    assert ({name: value} if is_in_key else {}) == environment.numeric_settings()


def test_the_variables_that_gfr_sets_start_no_new_history(monkeypatch):
    """The key of a history has the settings that the user made."""
    for name in (*environment.ENVIRONMENT, *environment.REQUIRED):
        monkeypatch.setenv(name, "")  # restored after the test
        monkeypatch.delenv(name)
    before = hardware.settings()
    environment.prepare()
    assert before == hardware.settings()
    assert environment.REQUIRED.items() <= os.environ.items()
