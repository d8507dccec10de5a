"""What users bring along: a row, a model file, images with a CSV; the examples of the document."""

import csv
import importlib
import logging
import re
import textwrap

import keras
import numpy as np
import pytest
from PIL import Image

from cli import progress as display
from cli.main import app
from gfr import prediction, progress
from gfr.config import loader
from gfr.data import records
from gfr.errors import InputError
from gfr.models import backbone, backbone_checks, feature_store, fused_model, precision
from gfr.pipeline import features as pipeline_features
from gfr.pipeline import isolation, latency, prepare, selection, steps, training
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.isolation import Limits
from gfr.pipeline.run_options import RunOptions
from gfr.report import writer
from gfr.results import store
from gfr.results.export_records import STEP, ExportResult
from gfr.storage import hashing, serialization
from gfr.storage.paths import ROOT

BLOCKS = [
    textwrap.dedent(block).strip() + "\n"
    for block in re.findall(
        r"(?:^(?:    .*)?\n)*^    .*\n", (ROOT / "docs" / "extending.md").read_text(), re.MULTILINE
    )
]
TOMLS = {re.search('name = "(.*)"', row)[1]: row for row in BLOCKS if row.startswith("schema")}
CODE = next(row for row in BLOCKS if row.startswith("import keras"))
CSV = next(row for row in BLOCKS if row.startswith("image,is_male"))
NUM_IMAGES = 40
FEW = 'precisions = ["float32"]\njavascript_images = 4\nformats = ["tfjs"]'


def write_data(folder):
    """As many images as the document's benchmarks take, in two folders and two sizes."""
    rows = [["image", "is_male", "identity", "glasses"]]
    for i in range(NUM_IMAGES):
        name = f"{'ab'[i % 2]}/{i:02}.png"
        shape = (60 + 10 * (i % 2), 50, 3)
        noise = np.random.default_rng(i).integers(0, 120, shape, dtype=np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise + np.uint8(100 * (i % 4 > 1))).save(folder / name)
        rows.append([name, i % 4 // 2, f"person {i // 2}", i % 3 // 2])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def request(folder, name, run_id, data):
    """A run of the document's benchmark of that name, in few calls and few precisions."""
    path = folder / f"{name}.toml"
    quick = TOMLS[name].replace("batch_size = 64", "batch_size = 64\nfractions = []")
    quick = quick.replace(
        "[training]", 'compare_rules = false\n[features]\nprecision = "float32"\n[training]'
    )
    path.write_text(f"{quick}[latency]\ncalls = 3\nseconds = 0\nengines = []\n[export]\n{FEW}\n")
    places = {"reports": str(folder / "reports"), "cache": str(folder / "cache")}
    options = RunOptions(
        str(path), str(data), "random", run_id, allow_download=False, command="gfr run", **places
    )
    return pipeline_request.request(options)


def run(asked):
    """All stages, in this process."""
    run_dir = prepare.prepare(asked)
    for feature_set in asked.benchmark.feature_sets:
        pipeline_features.extract(run_dir, feature_set, feature_store.WHOLE, "host/1")
    for trial in asked.benchmark.trials:
        training.train(run_dir, trial, "host/1")
    for feature_set in asked.benchmark.feature_sets:
        latency.time_model(run_dir, feature_set)
    selection.select(run_dir)
    writer.write_report(run_dir)
    return store.read_run(asked.run_dir)


@pytest.fixture(scope="module")
def shares():
    """What each step has said last of how far it is, 0..1."""
    last = {}

    class Keep(logging.Handler):
        def emit(self, record):
            last[record.step] = record.done / record.total

    handler = Keep()
    progress.LOGGER.addHandler(handler)
    progress.LOGGER.setLevel(logging.DEBUG)
    yield last
    progress.LOGGER.removeHandler(handler)
    progress.LOGGER.setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shares):
    """The document's own model beside MobileNetV3Small, on images with a CSV."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # Otherwise latency is measured in bfloat16 too, which takes as long again.
        patch.setattr(precision, "may_accelerate_bfloat16", lambda _: "")
        exec(CODE, {})
        return folder, run(request(folder, "own", "r", write_data(folder / "data")))


def of(found, label):
    """The trial of a backbone, and its features float32 (N, D) before any calibration."""
    result = next(row for row in found.trials if row.trial.backbone.label == label)
    table = feature_store.read(result.features.directory)
    return result, table.rows(np.arange(len(table.names)))


def pixels_of(folder, found):
    """The images of the run as Keras alone would read and resize them, (N, 64, 64, 3)."""
    names = records.read_table(
        found.directory / "faces.csv", found.record.data, found.record.split
    )[0].names
    read = [np.asarray(Image.open(folder / "data" / name), np.float32) for name in names]
    return np.stack([np.asarray(keras.layers.Resizing(64, 64)(image)) for image in read])


def relative_error(expected, actual):
    """Of the whole array."""
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["mobile", "longer", "own"])
def test_the_benchmarks_of_the_document_load(tmp_path, name):
    """As they stand there."""
    (tmp_path / "x.toml").write_text(TOMLS[name])
    loaded = loader.load(tmp_path / "x.toml")
    assert {"mobile": 1, "longer": 3, "own": 2}[name] == len(loaded.trials)


@pytest.mark.slow
def test_a_backbone_is_one_row_scaled_as_keras_scales_it(finished):
    """MobileNetV3Small, whose scaling is in the network: features are those of Keras alone."""
    folder, found = finished
    result, features = of(found, "MobileNetV3Small")
    constructor = keras.applications.MobileNetV3Small
    shape, path = (64, 64, 3), result.features.weights.path
    alone = constructor(include_top=False, pooling="avg", input_shape=shape, weights=path)
    assert 1e-3 > relative_error(alone.predict(pixels_of(folder, found), verbose=0), features)


@pytest.mark.slow
def test_an_own_model_is_a_backbone(finished):
    """Its feature map, averaged, from pixels scaled as its row says; timed, reported, named."""
    folder, found = finished
    result, features = of(found, "mynet")
    alone = keras.saving.load_model(folder / "mynet.keras")
    expected = np.asarray(alone(pixels_of(folder, found) / 255)).mean(axis=(1, 2))
    assert 1e-5 > relative_error(expected, features)
    used = result.features.weights
    sha256 = hashing.file_sha256(folder / "mynet.keras")
    assert ("own", sha256, 1.0) == (used.source, used.sha256, result.features.scale)
    assert 1e-3 > found.latency_of(result.trial).float32.max_difference
    page = (found.directory / "summary.md").read_text()
    assert f"mynet: own model file, SHA-256 {sha256[:12]}" in page
    assert "mynet / iteration 1 †" not in page and "MobileNetV3Small / iteration 1 †" in page


@pytest.mark.slow
def test_every_step_is_reported_to_its_end(finished, shares):
    """Else the time that is left stays too long."""
    expected = display.costs(finished[1].record.benchmark).keys() - {STEP}
    assert dict.fromkeys(expected, 1.0) == {step: shares.get(step) for step in expected}


@pytest.mark.slow
def test_own_images_are_split_and_predicted_by_their_paths(finished):
    """Two folders, two sizes; persons and attributes go along; `gfr predict` answers the same."""
    folder, found = finished
    assert ("csv", 40, 40) == (
        found.record.data.source,
        found.record.data.num_used,
        found.record.data.num_other_size,
    )
    assert found.record.split.identities_in_train_and_test is not None
    assert "own images" in (found.directory / "summary.md").read_text()
    result, _ = of(found, "mynet")
    name, expected = next(iter(result.test_probabilities.items()))
    (answer,) = prediction.predict(found, result.trial.id, [folder / "data" / name])
    assert pytest.approx(expected, abs=1e-4) == answer.p_male
    assert "own model file" in answer.note


@pytest.mark.slow
def test_another_file_gives_other_features_and_no_answers_of_the_old(finished):
    """The digest is part of the key; what was trained on the old file says that it is gone."""
    folder, found = finished
    path, kept = folder / "mynet.keras", (folder / "mynet.keras").read_bytes()
    before, _ = of(found, "mynet")
    network = keras.saving.load_model(path)
    network.layers[1].kernel.assign(network.layers[1].kernel + 0.1)
    network.save(path)
    try:
        asked = request(folder, "own", "s", folder / "data")
        run_dir = prepare.prepare(asked)
        pipeline_features.extract(
            run_dir, asked.benchmark.feature_sets[0], feature_store.WHOLE, "host/1"
        )
        again = pipeline_features.collect(run_dir, asked.benchmark.feature_sets[0])
        assert 40 == again.num_computed and again.directory != before.features.directory
        with pytest.raises(InputError, match=r"weights of mynet are gone or have changed"):
            prediction.predict(found, before.trial.id, [folder / "data" / "a" / "00.png"])
    finally:
        path.write_bytes(kept)


def network(*layers, shape=(None, None, 3)):
    """A functional model of layers in a row."""
    x = pixels = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(pixels, x)


def lambda_(x):
    """Halved by Python code."""
    return keras.layers.Lambda(lambda y: y / 2)(x)


def compiled_within():
    """As a part that was trained before is."""
    part = network(conv())
    part.compile("adam", "mse")
    return network(part)


def two_inputs():
    """A sum of two images."""
    first, second = keras.Input((64, 64, 3)), keras.Input((64, 64, 3))
    return keras.Model([first, second], first + second)


def in_half():
    """Computed in float16."""
    return network(keras.layers.Conv2D(4, 3, dtype="mixed_float16"))


def conv():
    """Each time a layer of its own."""
    return keras.layers.Conv2D(4, 3, strides=2)


def infinite():
    """Nothing that a head could learn from."""
    return network(keras.layers.Rescaling(float("inf")))


MODELS = [
    (lambda: network(lambda_), "Lambda 'lambda' of keras", {}),
    (compiled_within, "a model within it is compiled", {}),
    (two_inputs, "takes float32 (None, 64, 64, 3), float32 (None, 64, 64, 3) and gives", {}),
    (lambda: network(conv(), shape=(64, 64, 1)), "takes float32 (None, 64, 64, 1)", {}),
    (lambda: network(conv(), shape=(32, 48, 3)), "takes images of 32 x 48", {}),
    (lambda: network(conv(), shape=(64, 64, 3)), 'set input = "fixed"', {"input": '"any"'}),
    (lambda: network(conv(), keras.layers.Reshape((-1, 4))), "gives float32 (None, None, 4)", {}),
    (lambda: keras.Sequential([conv()]), "no known shape", {}),
    (in_half, "computes in mixed_float16", {}),
    (infinite, "not finite", {}),
    (lambda: network(lambda x: x - keras.ops.mean(x, axis=0)), "the rest of its batch", {}),
    (lambda: network(conv(), keras.activations.gelu), "TensorFlow.js has no Erfc", {}),
    (lambda: network(conv(), conv()), "cannot be run on images of 3 x 3", {"size": "[3, 3]"}),
]


def benchmark(folder, **changes):
    """One own model `m.keras` at one size."""
    text = TOMLS["own"].replace('file = "mynet', 'file = "m')
    text = text.replace('[[backbone]]\nname = "MobileNetV3Small"\n', "")
    for key, value in changes.items():
        text = re.sub(rf"^{key} = .*\n", "", text, flags=re.MULTILINE) + f"{key} = {value}\n"
    (folder / "m.toml").write_text(text)
    return loader.load(folder / "m.toml")


@pytest.mark.parametrize(("make", "words", "changes"), MODELS, ids=[row[1] for row in MODELS])
@pytest.mark.filterwarnings("ignore:You are saving a model")
def test_a_model_that_is_not_a_backbone_is_refused_at_the_start(tmp_path, make, words, changes):
    """One line that names the file, before any image is looked at."""
    make().save(tmp_path / "m.keras")
    with pytest.raises(InputError) as refused:
        backbone_checks.refuse_unfit(benchmark(tmp_path, **changes))
    assert words in str(refused.value) and str(tmp_path / "m.keras") in str(refused.value)
    assert 1 == len(str(refused.value).splitlines())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('file = "mynet.keras"', 'file = "mynet.h5"', "not a .keras file; load it where you trust"),
        ('name = "mynet"', 'name = "VGG16"', "VGG16 is Keras' own"),
        ('name = "mynet"', 'name = "../net"', "letters, digits"),
        ('name = "mynet"', 'name = "mynet\\n"', "letters, digits"),
        ('scaling = "unit"', 'scaling = "half"', "unknown scaling 'half'; known: tf, unit"),
        ('scaling = "unit"', 'weights = "random"', "an own model has its own"),
        ("[training]", '[features]\nprecision = "bfloat16"\n[training]', "only in float32"),
    ],
)
def test_a_row_that_cannot_be_so_is_refused(tmp_path, old, new, words):
    """Without a look at the model."""
    (tmp_path / "x.toml").write_text(TOMLS["own"].replace(old, new))
    with pytest.raises(InputError) as refused:
        loader.load(tmp_path / "x.toml")
    assert words in str(refused.value) and "x.toml" in str(refused.value)


def test_batchnorm_and_dropout_run_as_at_inference_whatever_was_saved(tmp_path):
    """Both called with training=True: one image gives the same alone and among others."""
    layers = (keras.layers.BatchNormalization(), keras.layers.Dropout(0.5))
    network(conv(), *(lambda x, layer=layer: layer(x, training=True) for layer in layers)).save(
        tmp_path / "m.keras"
    )
    loaded = benchmark(tmp_path)
    backbone_checks.refuse_unfit(loaded)
    built = backbone.build(loaded.feature_sets[0], tmp_path / "m.keras")
    assert [] == built.trainable_variables
    pixels = np.random.default_rng(0).integers(0, 256, (4, 70, 50, 3)).astype(np.float32)
    alone, among = (np.asarray(built(row)) for row in (pixels[:1], pixels))
    assert pytest.approx(alone, abs=1e-6) == among[:1]
    assert (
        pytest.approx(alone, abs=1e-6) == fused_model.compiled(built)(pixels.astype(np.uint8))[:1]
    )


def called_here(place, *arguments, **_):
    """What a process of its own would do."""
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)(*arguments)


@pytest.mark.slow
def test_an_own_model_is_exported(finished, monkeypatch, capsys):
    """TensorFlow and TensorFlow.js answer as Keras does; the card names what was used."""
    _, found = finished
    # In this process: tests/export/test_export.py has the three that an export takes.
    monkeypatch.setattr(isolation, "call_alone", called_here)
    monkeypatch.setenv("TFDF_DISABLE_WELCOME_MESSAGE", "1")  # takes pytest's output for a notebook
    trial = of(found, "mynet")[0].trial.id
    path = steps.export(found.directory, trial, None, Limits())
    exported = serialization.read(path / "export.json", ExportResult)
    assert 1e-4 > exported.models[0].max_difference
    assert 1e-4 > exported.models[0].javascript.from_keras
    card = (path / "model_card.md").read_text()
    assert "mynet, frozen, own weights" in card
    assert "celebrity" not in card and "ImageNet" not in card
    # A precision that is asked for replaces the one there, measured alike, and says so.
    words = ["export", found.record.run_id, "--trial", trial, "--precision", "uint8"]
    app([*words, "--reports", str(found.directory.parents[1])], standalone_mode=False)
    assert f"{path}\n" == capsys.readouterr().out
    after = serialization.read(path / "export.json", ExportResult)
    assert ("float32", False) == (exported.precision, exported.is_asked_for)
    assert ("uint8", True) == (after.precision, after.is_asked_for)
    assert exported.models[0].num_bytes == after.models[0].num_bytes > 2 * after.written.num_bytes
