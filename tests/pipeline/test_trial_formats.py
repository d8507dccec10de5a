"""The stages of a trial's formats, with child processes that only write files."""

import json
from dataclasses import replace

import numpy as np
import pytest
import records

from gfr import engines
from gfr.errors import CannotWrite, StepFailed
from gfr.export.agreement import ComparedImages
from gfr.export.file_formats import Checked
from gfr.measurement.latency import Samples
from gfr.pipeline import engine_latency, isolation
from gfr.pipeline.engine_latency import Prepared
from gfr.pipeline.formats import engine_models, measuring, writing
from gfr.results import store
from gfr.results.deployment_records import KERAS, Agreement, FreshProcess
from gfr.storage import atomic, serialization
from gfr.storage.run_directory import ExportDirectory, RunDirectory

LIMITS = isolation.Limits()
TRIAL = records.BENCHMARK.trials[1].id  # the selected one
TWO = ("litert", "litert-int8")


def agreement(lost=0, won=0, num_images=100):
    """A format that loses and gains so many of Keras' right answers, 90 of 100."""
    return Agreement(num_images, 90 - lost + won, 90, lost, won, 0.01, 0.001, 0.02)


CHECKED = Checked(
    1000, {"validation": agreement(), "test": agreement(1)}, (0.1, 0.2, 0.3, 0.4, 0.5)
)


class Children:
    """Stands for all child processes; `fails` maps the end of a place, or a format, to an error."""

    def __init__(self):
        """Nothing fails yet."""
        self.calls, self.fails, self.timed = [], {}, []

    def __call__(self, place, *arguments, limits, gpu=None):
        """Call the method that stands for the function."""
        name = place.partition(":")[2]
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]
        return getattr(self, name)(*arguments)

    def fuse(self, run_dir, trial_id, folder):
        """Keras' file and golden images."""
        (folder / "golden").mkdir()
        rows = [{"file": f"golden/{k}.png", "source": "s", "p_male": 0.5} for k in range(5)]
        for row in rows:
            (folder / row["file"]).write_bytes(b"PNG")
        files = ExportDirectory(folder)
        atomic.write_json(files.golden, {"schema": 1, "images": rows})
        files.keras.write_bytes(b"keras")
        return 1

    def convert(self, source, form, folder, images=()):
        """A file with the name of its format."""
        if form.name in self.fails:
            raise self.fails[form.name]
        assert 120 == len(images)  # all training images, because there are less than 256
        for name in (form.file, *form.beside):
            (folder / name).write_text(form.name)

    def check(self, run_dir, fused, names):
        """The same answers for each."""
        if crashed := [
            self.fails[f"check {name}"] for name in names if f"check {name}" in self.fails
        ]:
            raise crashed[0]
        keras = replace(CHECKED, golden=())  # its answers are already there
        return {name: keras if name == KERAS else CHECKED for name in names}

    def prepare_formats(self, run_dir, trial_id, names, folder):
        """The written files; TensorFlow's would be made here."""
        run = store.read_run(run_dir)
        return Prepared(tuple(engine_models.untimed(run, run.result_of(trial_id))))

    def time_models(self, plan, models, num_threads):
        """A hundred calls of 10 ms each."""
        rows = [
            records.engine_timing(row.engine, 0.01, num_threads, row.precision) for row in models
        ]
        self.timed += [(row.engine, row.precision, row.num_threads) for row in rows]
        return engine_latency._Timed(tuple(rows), (), records.COST)

    def measure(self, model, num_threads, paths, min_s):
        """Loaded in 0.2 s; 32 images in 0.1 s."""
        if model.format in self.fails:
            raise self.fails[model.format]
        samples = Samples((), (0.1,), 0.1, 0.1, 0.0)
        return FreshProcess(model.engine, "1", num_threads, 0.2, 0.3, 10**8, 32, samples)


@pytest.fixture
def children(monkeypatch):
    """Every child process; every engine can run."""
    found = Children()
    monkeypatch.setattr(isolation, "call_alone", found)
    ready = {name: replace(row, unavailable=lambda: "") for name, row in engines.ENGINES.items()}
    monkeypatch.setattr(engines, "ENGINES", ready)
    monkeypatch.setattr(engine_models.allowance, "num_threads", lambda: 2)
    return found


@pytest.fixture
def run(tmp_path):
    """A finished run on disk with a head of each trial."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    run = replace(run, record=replace(run.record, cache=str(tmp_path / "cache")))
    atomic.write_text(tmp_path / "cache" / "cache-id.txt", run.record.cache_id)
    records.write(run)
    for row in run.trials:
        atomic.write_text(RunDirectory(run.directory).head(row.trial.id), row.trial.id)
    return store.read_run(run.directory)


def files_of(run, name):
    """Names of all files of a format."""
    folder = RunDirectory(run.directory).format(TRIAL, name).path
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def export(run, *names):
    """Write these formats of the selected trial."""
    return writing.export(run.directory, None, names, None, LIMITS)


def test_every_format_is_written_from_one_fused_model(run, children):
    """Each in a directory of its own with its card and golden images; all are checked at once."""
    assert {} == export(run, *TWO, "onnx", "openvino")
    assert ["fuse", *["convert"] * 4, "check"] == children.calls
    golden = {f"golden/{k}.png" for k in range(5)}
    assert {
        *("format.json", "model_card.json", "model_card.md", "golden.json"),
        *("model.xml", "model.bin", *golden),
    } == files_of(run, "openvino")
    assert {"format.json"} == files_of(run, KERAS)
    found = store.read_run(run.directory).formats
    assert {*TWO, "onnx", "openvino", KERAS} == set(found)
    row = found["litert-int8"]
    assert ("litert", "int8", 1000, "") == (row.engine, row.precision, row.num_bytes, row.reason)
    assert 120 == row.calibration.num_images and found["litert"].calibration is None
    assert row.is_eligible and 0.89 == row.test.accuracy and 1 == row.test.num_changed
    assert [TRIAL] == [path.name for path in (run.directory / "formats").iterdir()]


def test_a_format_that_fails_is_a_record_with_the_reason(run, children, caplog):
    """An engine that is missing, an unknown operator, a crash while it is validated."""
    engines.ENGINES["onnxruntime"] = replace(
        engines.ENGINES["onnxruntime"],
        unavailable=lambda: "onnxruntime is not installed. Install it: make engines",
    )
    children.fails = {
        "litert": StepFailed("LiteRT has no kernel for Erfc"),
        "check openvino": StepFailed("its process ended with SIGSEGV"),
    }
    failures = export(run, *TWO, "onnx", "openvino")
    assert {"litert", "onnx", "openvino"} == set(failures)
    found = store.read_run(run.directory).formats
    assert failures == {name: row.reason for name, row in found.items() if row.reason}
    assert "make engines" in failures["onnx"] and "SIGSEGV" in failures["openvino"]
    assert not found["openvino"].is_eligible and {"format.json"} == files_of(run, "openvino")
    assert found["litert-int8"].is_eligible
    assert "LiteRT float32: not written: LiteRT has no kernel for Erfc" in caplog.text


def test_what_is_written_is_kept_until_the_model_changes(run, children):
    """What failed is tried again; another head makes another model."""
    children.fails = {"litert": StepFailed("not enough memory")}
    export(run, *TWO)
    children.calls, children.fails = [], {}
    assert {} == export(run, *TWO)
    assert ["fuse", "convert", "check"] == children.calls
    children.calls = []
    assert {} == export(run, *TWO) and [] == children.calls
    (RunDirectory(run.directory).format(TRIAL, "litert").path / "model.tflite").unlink()
    export(run, *TWO)
    assert 1 == children.calls.count("convert")
    atomic.write_text(RunDirectory(run.directory).head(TRIAL), "trained again")
    children.calls = []
    export(run, *TWO)
    assert 2 == children.calls.count("convert")


@pytest.mark.parametrize("error", [CannotWrite("disk: full"), KeyboardInterrupt()])
def test_an_export_that_is_cut_short_leaves_what_was_there(run, children, error):
    """Whole or not at all: no half of a directory, and nothing temporary."""
    export(run, "litert")
    before = files_of(run, "litert")
    atomic.write_text(RunDirectory(run.directory).head(TRIAL), "trained again")
    children.fails = {"litert": error}
    with pytest.raises(type(error)):
        export(run, "litert", "onnx")
    assert before == files_of(run, "litert") and set() == files_of(run, "onnx")
    assert [TRIAL] == [path.name for path in (run.directory / "formats").iterdir()]


def test_the_tensorflowjs_files_have_a_record_like_other_formats(run, children):
    """Made from that of the export; the first exports, without validation results, have none."""
    exported = records.export(run)
    place = RunDirectory(run.directory).export(TRIAL)
    serialization.write(place.record, exported)
    assert {} == export(run, "tfjs") and [] == children.calls
    assert {} == store.read_run(run.directory).formats
    models = tuple(
        replace(row, validation=agreement(), calibration_error=0.03) for row in exported.models
    )
    serialization.write(place.record, replace(exported, models=models))
    export(run, "tfjs")
    row = store.read_run(run.directory).formats["tfjs"]
    assert ("uint16", 16_000_000, 0.03) == (
        *(row.precision, row.num_bytes),
        row.test.calibration_error,
    )
    assert row.is_eligible


def test_validation_images_decide_which_formats_are_eligible():
    """At most 0.5 points lost, and no significant difference, of two kinds of loss."""
    assert agreement(0).is_as_good and agreement(0, 3).is_as_good
    assert not agreement(1).is_as_good  # one of 100 is a whole point
    assert agreement(1, num_images=200).is_as_good
    assert not agreement(2, num_images=399).is_as_good
    assert not agreement(8, 1, num_images=10_000).is_as_good  # p = 0.04
    assert agreement(8, 2, num_images=10_000).is_as_good


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([0.5, 0.5, 0.5, 0.5], "it gives every image the same p_male, 0.500"),
        ([0.5, float("nan"), 0.5, 0.5], "its answers are not probabilities"),
    ],
)
def test_answers_that_do_not_depend_on_the_image_are_refused(answers, says):
    """Weights beyond a precision's range give such a model; by chance half of it is right."""
    compared = ComparedImages([], np.array([True, False, True, False]), 2)
    with pytest.raises(StepFailed, match=says):
        compared.agreements(np.array(answers), np.array([0.9, 0.2, 0.8, 0.3]))


def test_only_what_is_not_known_yet_is_measured(run, children):
    """With one thread and all; a format that is written again loses its latencies."""
    export(run, "litert")
    path = measuring.measure(run.directory, None, LIMITS)
    keys = [(name, "float32", num) for num in (1, 2) for name in ("tensorflow", "litert")]
    assert keys == children.timed
    assert ["prepare_formats", "time_models", "time_models", "measure", "measure"] == (
        children.calls[3:]
    )
    children.calls, children.timed = [], []
    assert path == measuring.measure(run.directory, None, LIMITS) and [] == children.calls
    export(run, "litert", "litert-dynamic")
    measuring.measure(run.directory, None, LIMITS)
    assert [("litert", "dynamic int8", 1), ("litert", "dynamic int8", 2)] == children.timed
    read = store.read_run(run.directory)
    assert 6 == len(read.format_latency.rows)
    assert [1, 2] == [row.num_threads for row in read.formats["litert"].processes]
    (RunDirectory(run.directory).format(TRIAL, "litert").path / "model.tflite").unlink()
    export(run, "litert")
    read = store.read_run(run.directory)
    assert {"tensorflow float32", "litert dynamic int8"} == {
        f"{row.engine} {row.precision}" for row in read.format_latency.rows
    }
    assert () == read.formats["litert"].processes


def test_a_process_that_fails_does_not_lose_the_others(run, children, caplog):
    """It is measured by the next attempt."""
    export(run, *TWO)
    children.fails = {"litert": StepFailed("its process ended with SIGKILL")}
    measuring.measure(run.directory, None, LIMITS)
    found = store.read_run(run.directory).formats
    assert () == found["litert"].processes and 2 == len(found["litert-int8"].processes)
    assert "litert: its process was not measured: its process ended with SIGKILL" in caplog.text
    children.fails = {}
    measuring.measure(run.directory, None, LIMITS)
    assert 2 == len(store.read_run(run.directory).formats["litert"].processes)


def test_the_card_of_a_format_tells_its_own_figures_and_how_to_load_it(run, children):
    """In Markdown and JSON, with the latency after it was measured."""
    export(run, "litert-int8")
    files = RunDirectory(run.directory).format(TRIAL, "litert-int8")
    before = files.model_card_md.read_text()
    assert "Latency: not measured" in before and "on 120 training images" in before
    measuring.measure(run.directory, None, LIMITS)
    card = files.model_card_md.read_text()
    assert "# VGG16 / iteration 2, LiteRT int8" in card and " 10.0 / 10.0 |" in card
    assert "0.890 [0.814, 0.937]" in card and "ai_edge_litert" in card and "0.50 |" in card
    golden = json.loads(files.golden.read_text())["images"]
    assert [0.1, 0.2] == [row["p_male"] for row in golden[:2]]
    assert {0.5} == {row["keras_p_male"] for row in golden}
    facts = json.loads(files.model_card_json.read_text())
    assert 5 == len(facts["format"]["code"].splitlines())
    assert 1000 == facts["format"]["num_bytes"]
