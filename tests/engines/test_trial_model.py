"""The model of a trial in the engine that a user names."""

from dataclasses import replace

import format_records
import numpy as np
import pytest
import records

import gfr
from gfr import engines
from gfr.engines import trial_model
from gfr.engines.base import Predictions
from gfr.errors import InputError
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    """A finished run whose selected trial has LiteRT's formats on disk, as empty files."""
    found = format_records.with_formats(records.run(tmp_path / "reports" / "runs" / "r"))
    for name in ("litert", "litert-dynamic", "litert-int8"):
        path = trial_model.find(found, found.result_of(None), name).path
        path.parent.mkdir(parents=True)
        path.touch()
    return found


@pytest.fixture
def classify(monkeypatch):
    """LiteRT is installed and answers 0.75; the paths of the loaded files."""
    opened = []

    def open_model(path, num_threads, precision):
        opened.append(path)
        return lambda pixels: Predictions(np.full(len(pixels), 0.75, np.float32))

    litert = replace(engines.get("litert"), open=open_model, unavailable=lambda: "")
    monkeypatch.setitem(engines.ENGINES, "litert", litert)
    return opened


def find(run, name=None):
    """The selected trial in this engine."""
    return trial_model.find(run, run.result_of(None), name)


@pytest.mark.parametrize(
    ("name", "title", "file"),
    [
        (None, "TensorFlow float32", "r"),
        ("tensorflow", "TensorFlow float32", "r"),
        (
            "litert-dynamic",
            "LiteRT dynamic int8",
            "formats/VGG16-iteration-2/litert-dynamic/model.tflite",
        ),
        ("onnxruntime", "ONNX Runtime float32", "formats/VGG16-iteration-2/onnx/model.onnx"),
        ("tfjs", "TensorFlow.js uint16", "export/VGG16-iteration-2/tfjs"),
    ],
)
def test_a_name_is_a_format_or_an_engine_in_float32(run, name, title, file):
    """The default is TensorFlow, as in every version before."""
    model = find(run, name)
    assert title == model.title
    assert model.path.as_posix().endswith(file)


def test_an_unknown_name_lists_the_known_ones(run):
    """With the one that it is close to."""
    with pytest.raises(InputError, match="'litert-dynamc': unknown; did you mean litert-dynamic"):
        find(run, "litert-dynamc")
    with pytest.raises(InputError, match=r"known: tensorflow, tfjs, litert, .* fastest"):
        find(run, "x")


def test_a_format_that_was_not_exported_names_the_command(run, classify):
    """Of the selected trial, whose other formats are there, and of another trial."""
    expected = "gfr export r --trial VGG16-iteration-2 --format litert-float16"
    with pytest.raises(InputError, match=f"was not exported to 'litert-float16'.*{expected}"):
        find(run, "litert-float16").load()
    other = run.result_of("VGG16-iteration-1")
    with pytest.raises(InputError, match=r"--trial VGG16-iteration-1 --format litert$"):
        trial_model.find(run, other, "litert").load()


def test_a_file_of_another_model_of_the_trial_is_refused(run, classify):
    """The head was trained again after the export: its probabilities would be others."""
    head = RunDirectory(run.directory).head("VGG16-iteration-2")
    head.parent.mkdir()
    head.write_bytes(b"new")
    with pytest.raises(
        InputError, match=r"model\.tflite: not this trial's model any more\. Export"
    ):
        find(run, "litert").load()


def test_fastest_is_the_recommended_of_those_that_can_be_loaded_here(run, classify):
    """OpenVINO has no file, and bfloat16 was not validated; int8 is as fast but larger."""
    model = find(run, "fastest")
    assert ("litert-dynamic", "LiteRT dynamic int8") == (model.format, model.title)
    assert model.remark.startswith("fastest eligible format, p50 12.9 ms")
    assert "timed on another machine (CPU, this is " in model.remark
    model.path.unlink()
    assert "litert-int8" == find(run, "fastest").format


def test_fastest_needs_formats_that_were_timed(run):
    """A run without formats, and a trial that was not exported, have none."""
    plain = replace(run, formats={}, format_latency=None)
    with pytest.raises(InputError, match="VGG16-iteration-2: no format was validated and timed"):
        find(plain, "fastest")
    with pytest.raises(InputError, match="VGG16-iteration-1: no format was validated and timed"):
        trial_model.find(run, run.result_of("VGG16-iteration-1"), "fastest")


def test_the_formats_of_another_trial_are_read_from_its_directory(run, classify):
    """Validated and timed by `gfr export --trial`."""
    files, first = RunDirectory(run.directory), run.result_of("VGG16-iteration-1")
    row = replace(run.formats["litert-dynamic"], trial=first.trial)
    place = files.format(first.trial.id, "litert-dynamic")
    serialization.write(place.record, row)
    (place.path / "model.tflite").touch()
    latency = replace(run.format_latency, trial_id=first.trial.id)
    serialization.write(files.format_latency(first.trial.id), latency)
    assert "litert-dynamic" == trial_model.find(run, first, "fastest").format


def test_python_gets_a_function_of_a_batch(run, classify):
    """uint8 (N, H, W, 3) -> float32 (N,); a precision is TensorFlow's."""
    run = gfr.Run(**vars(run))
    p_male = run.load_model(engine="litert")(np.zeros((2, 8, 8, 3), np.uint8))
    assert ([0.75, 0.75], np.float32) == (p_male.tolist(), p_male.dtype)
    assert ["model.tflite"] == [path.name for path in classify]
    with pytest.raises(InputError, match="precision 'bfloat16': only of TensorFlow"):
        run.load_model(engine="litert", precision="bfloat16")


def test_predict_names_the_engine(run, classify, tmp_path):
    """Beside each answer, with the reason for the choice."""
    path = tmp_path / "face.png"
    records_image(path)
    (answer,) = gfr.predict(path, run, engine="fastest")
    assert (0.75, "male") == (answer.p_male, answer.answer)
    assert answer.engine.startswith("LiteRT dynamic int8 (fastest eligible format, p50 12.9 ms")
    (answer,) = gfr.predict(path, run, engine="litert")
    assert "LiteRT float32" == answer.engine


def records_image(path):
    """A grey image of CelebA's size."""
    from PIL import Image

    Image.new("RGB", (178, 218), "grey").save(path)
