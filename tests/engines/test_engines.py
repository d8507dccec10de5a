"""Runtime engines: the table, and what each refuses."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gfr import engines
from gfr.engines import formats
from gfr.errors import InputError, StepFailed
from gfr.measurement import software


def test_an_unknown_engine_is_refused_with_the_known_ones():
    """The message lists every engine."""
    with pytest.raises(InputError, match="engine 'coreml': unknown; known: tensorflow, litert, "):
        engines.get("coreml")


def test_an_unavailable_engine_is_refused(tmp_path):
    """Before the model file is opened; the message gives the reason."""
    engine = engines.get("tfjs")
    with pytest.raises(InputError, match="engine 'tfjs' is unavailable: not installed"):
        replace(engine, unavailable=lambda: "not installed").load(tmp_path)


@pytest.mark.parametrize(
    ("name", "package"),
    [("litert", "ai-edge-litert"), ("onnxruntime", "onnxruntime"), ("openvino", "openvino")],
)
def test_an_engine_whose_package_is_missing_names_the_command(name, package, monkeypatch, tmp_path):
    """Before it looks for the model."""
    monkeypatch.setattr(software, "version", lambda package: "missing")
    expected = (
        f"engine '{name}' is unavailable: {package} is not installed. Install it: make engines"
    )
    with pytest.raises(InputError, match=expected):
        engines.get(name).load(tmp_path / "absent")


@pytest.mark.parametrize("name", engines.ENGINES)
def test_every_engine_has_a_version_and_a_title(name):
    """The version is that of the package, "missing" where it is not installed."""
    engine = engines.get(name)
    assert engine.title and engine.version()[0].isdigit() == (not engine.unavailable())


def test_an_unknown_format_is_refused_with_the_known_ones():
    """The message lists every format and the closest name."""
    expected = (
        "format 'lite-rt': unknown; did you mean litert? known: tfjs, litert, litert-float16, "
    )
    with pytest.raises(InputError, match=re.escape(expected)):
        formats.get("lite-rt")


def test_every_format_has_an_engine_and_a_file():
    """No two formats have the same title."""
    rows = formats.FORMATS.values()
    assert {row.engine for row in rows} <= set(engines.ENGINES)
    assert len(rows) == len({row.title for row in rows}) and all(row.file for row in rows)


def test_the_tensorflow_engine_classifies_a_keras_file(tmp_path):
    """Images of two sizes in one call, in their order: p_male is their mean brightness here."""
    import keras

    pixels = keras.Input((None, None, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    p_male = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(1 / 3))(mean)
    keras.Model(pixels, p_male).save(tmp_path / "model.keras")
    classify = engines.get("tensorflow").load(tmp_path / "model.keras")
    images = [np.full((side, 5, 3), value, np.uint8) for side, value in ((4, 51), (6, 102), (4, 0))]
    predictions = classify(images)
    assert (3,) == predictions.p_male.shape
    assert [0.2, 0.4, 0.0] == pytest.approx(predictions.p_male.tolist(), abs=1e-6)
    assert pytest.approx(0.2, abs=1e-6) == classify(images[:1]).p_male[0]


def test_node_starts_without_what_editors_load_into_it(tmp_path, monkeypatch):
    """NODE_OPTIONS of a debugger's terminal would end Node, or wait for the debugger."""
    monkeypatch.setenv("NODE_OPTIONS", f"--require {tmp_path / 'bootloader.js'}")
    monkeypatch.setenv("NODE_PATH", str(tmp_path))
    with pytest.raises(StepFailed, match="cannot run it") as refused:
        engines.get("tfjs").load(tmp_path)([np.zeros((4, 4, 3), np.uint8)])
    assert "model.json" in str(refused.value) and "bootloader" not in str(refused.value)


def test_importing_the_engines_imports_no_runtime():
    """A runtime is imported by the engine that loads a model, not by the table."""
    runtimes = "{'tensorflow', 'ai_edge_litert', 'onnxruntime', 'openvino', 'tf2onnx', 'onnx'}"
    program = f"import sys; from gfr.engines import formats; print(*{runtimes} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stdout.strip()), done.stderr
