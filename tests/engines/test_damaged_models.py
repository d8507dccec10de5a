"""Model files that are missing, truncated or of another kind: an error with the path, no crash."""

import shutil
import subprocess
import sys

import installed_engines
import numpy as np
import pytest

from gfr import engines
from gfr.engines import formats
from gfr.errors import InputError
from gfr.storage.paths import ROOT

FORMATS = [formats.get(name) for name in ("litert", "litert-int8", "onnx", "openvino")]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A tiny model in every format whose engine is installed, by the format's name."""
    folder = tmp_path_factory.mktemp("written")
    program = ROOT / "tests" / "programs" / "convert_tiny.py"
    done = subprocess.run([sys.executable, program, folder], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    return folder


def copied(written, form, folder):
    """A copy of a format's files in `folder`, and the engine."""
    engine = installed_engines.engine(form.engine)
    shutil.copytree(written / form.name, folder, dirs_exist_ok=True)
    return engine, folder / form.file


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_truncated_model_is_an_error_with_its_path(written, form, tmp_path):
    """Cut in many places, in a process of its own: a crash would end the tests."""
    _, model = copied(written, form, tmp_path)
    program = ROOT / "tests" / "programs" / "load_truncated.py"
    words = [sys.executable, program, form.engine, model]
    done = subprocess.run(words, capture_output=True, text=True)
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}"
    num_refused, num_cuts = map(int, done.stdout.split())
    assert num_refused == num_cuts > 20


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(1000), b"\x1c\0\0\0TFL3" + bytes(40)])
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_file_that_is_not_a_model_is_an_error_with_its_path(written, form, content, tmp_path):
    """Also an empty one."""
    engine, model = copied(written, form, tmp_path)
    model.write_bytes(content)
    with pytest.raises(InputError) as refused:
        engine.load(model)
    assert str(refused.value).startswith(f"{model}: ")


def test_openvino_needs_both_files(written, tmp_path):
    """The .bin is missing or truncated; the error names it or the .xml."""
    engine, model = copied(written, formats.get("openvino"), tmp_path)
    weights = model.with_suffix(".bin")
    whole = weights.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        weights.write_bytes(whole[:size])
        with pytest.raises(InputError) as refused:
            engine.load(model)
        assert str(tmp_path) in str(refused.value)
    weights.unlink()
    with pytest.raises(InputError) as refused:
        engine.load(model)
    assert f"{weights}: no such file" in str(refused.value)


@pytest.mark.parametrize("name", ["litert", "onnxruntime", "openvino", "tfjs", "tensorflow"])
def test_a_missing_model_is_an_error_with_its_path(name, tmp_path):
    """Whatever the engine."""
    with pytest.raises(InputError, match=f"{tmp_path}/absent: no such model"):
        installed_engines.engine(name).load(tmp_path / "absent")


def test_openvino_computes_in_bfloat16_if_asked(written, tmp_path):
    """Close to float32, and refused by engines that cannot choose."""
    engine, model = copied(written, formats.get("openvino"), tmp_path)
    images = list(np.random.default_rng(1).integers(0, 256, (3, 9, 9, 3)).astype(np.uint8))
    float32, bfloat16 = (
        engine.load(model, 1, precision)(images).p_male for precision in ("float32", "bfloat16")
    )
    assert float32.tolist() == pytest.approx(bfloat16.tolist(), abs=0.02)
    with pytest.raises(InputError, match="'litert': no precision 'bfloat16'; known: float32"):
        engines.get("litert").load(model, 1, "bfloat16")
