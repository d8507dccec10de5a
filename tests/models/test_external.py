"""Networks from elsewhere as frozen backbones: every format, every error."""

import json
import shutil
from pathlib import Path

import external_models
import installed_engines
import keras
import numpy as np
import pytest
import tensorflow as tf
import test_custom_model as runs
from ai_edge_litert.interpreter import Interpreter
from external_models import FORMATS, SIZE

from gfr import prediction
from gfr.config import loader
from gfr.config.scaling import Normalisation
from gfr.config.schema import Backbone, FeatureSet
from gfr.engines import formats
from gfr.engines import tensorflow as engine
from gfr.errors import InputError
from gfr.export import convert
from gfr.export import saved_model as saved_model_of_trial
from gfr.models import backbone, backbone_checks, fused_model
from gfr.models.external import files, litert, network, saved_model
from gfr.models.feature_extraction import Job
from gfr.models.weights import Weights

PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)

ENGINES = {"onnx": "onnxruntime", "openvino": "openvino"}

RUNTIMES = {"litert": "LiteRT", "onnx": "ONNX Runtime", "openvino": "OpenVINO"}


def write(form, folder, batch=None):
    """The tiny network; skips the test if its runtime is not installed."""
    if form in ENGINES:
        installed_engines.engine(ENGINES[form])
    return external_models.write(form, folder, batch)


def inner(form, path, name):
    """The node `name` in the words of the file: two converters lengthen it."""
    if form == "litert":
        tensors = Interpreter(str(path)).get_tensor_details()
        names = [row["name"] for row in tensors if not row["name"].endswith("/reduction_indices")]
        return next(each for each in names if f"/{name}" in each)
    if form == "saved-model" and name == "map":
        rows = saved_model.load(path, "", "features").run.graph.get_operations()
        return next(row.name for row in rows if f"/{name}" in row.name)
    return name


def row(path, features="", scaling="unit"):
    """A feature set of a file."""
    described = Backbone("net", scaling, label="net", file=str(path), features=features)
    return FeatureSet(described, (SIZE, SIZE), "fixed", "auto")


def computed(feature_set):
    """The features of `PIXELS`, by the graph that extracts them."""
    model = backbone.build(feature_set, None)
    return fused_model.run_batch(fused_model.compiled(model), list(PIXELS))


@pytest.mark.parametrize("name", ["features", "map"])
@pytest.mark.parametrize("form", FORMATS)
def test_the_features_of_every_format_are_those_of_the_plain_computation(form, name, tmp_path):
    """A vector, or a feature map (channels first within ONNX and OpenVINO), which is averaged."""
    path = write(form, tmp_path)
    actual = computed(row(path, inner(form, path, name)))
    assert pytest.approx(external_models.features(PIXELS / 255), abs=1e-5) == actual


@pytest.mark.parametrize("form", FORMATS)
def test_a_network_tells_its_sizes(form, tmp_path):
    """The size of images, the number of outputs and of parameters, and the runtime."""
    path = write(form, tmp_path)
    loaded = network.load(path, output="answer" if form == "saved-model" else "")
    num_parameters = external_models.NUM_PARAMETERS + 5 * (form == "litert")  # a bias of zeros
    assert ((SIZE, SIZE), 2, num_parameters, RUNTIMES.get(form, "TensorFlow")) == (
        tuple(loaded.size),
        loaded.output_size,
        loaded.num_parameters,
        loaded.runtime,
    )


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "keras"])
def test_a_fixed_batch_of_one_runs_image_by_image(form, tmp_path):
    """With the same answers; Keras' own models have to take any number of images."""
    path = write(form, tmp_path, batch=1)
    actual = computed(row(path, inner(form, path, "features")))
    assert pytest.approx(external_models.features(PIXELS / 255), abs=1e-5) == actual


def test_an_input_with_channels_last_and_a_map_with_channels_first_fit_together(tmp_path):
    """As converters from TensorFlow to ONNX write them."""
    installed_engines.engine("onnxruntime")
    path = external_models.write_onnx(tmp_path, None, is_channels_first=False)
    assert pytest.approx(external_models.features(PIXELS / 255), abs=1e-5) == computed(
        row(path, "map")
    )


@pytest.mark.parametrize(
    ("sides", "size", "is_first"),
    [
        ((512, 5, 6), (178, 218), True),
        ((5, 6, 512), (178, 218), False),
        ((7, 7, 64), (224, 224), False),
        ((64, 7, 7), (None, None), True),
        ((512, 1, 1), (178, 218), True),
        ((7, 7, 7), (224, 224), False),  # as its input
        ((5, 2), (8, 8), False),  # not a map
    ],
)
def test_the_sides_of_a_map_tell_its_layout(sides, size, is_first, tmp_path):
    """Of an ONNX file whose input has its channels last: the sides are in the image's ratio."""
    installed_engines.engine("onnxruntime")
    path = external_models.write_onnx(tmp_path, None, is_channels_first=False)
    assert is_first == network.load(path)._is_output_channels_first(sides, size)


@pytest.mark.parametrize("name", ["features", "map"])
def test_quantised_inputs_and_outputs_are_converted(name, tmp_path):
    """Of a LiteRT model in int8, also within it: close to float32."""
    path = external_models.write_litert(tmp_path, None, is_quantised=True)
    actual = computed(row(path, inner("litert", path, name)))
    expected = external_models.features(PIXELS / 255)
    assert np.abs(actual - expected).max() < 0.03 * np.abs(expected).max()


def test_uint8_inputs_are_rounded_and_clipped(tmp_path):
    """As in the models that gfr exports."""
    path = external_models.write_function(
        lambda pixels: tf.reduce_mean(tf.cast(pixels, tf.float32), (1, 2)), tmp_path, dtype=tf.uint8
    )
    loaded = network.load(path)
    images = np.full((1, SIZE, SIZE, 3), [1.6, -5, 300], np.float32)
    assert [[2, 0, 255]] == np.asarray(loaded(images)).tolist()


def test_given_numbers_scale_the_pixels(tmp_path):
    """BGR order, a mean and a deviation a channel, in the order that the network takes."""
    path = write("litert", tmp_path)
    scaling = Normalisation(mean=(1.0, 2.0, 3.0), std=(10.0, 20.0, 30.0), channels="bgr")
    scaled = (PIXELS[..., ::-1] - np.float32([1, 2, 3])) / np.float32([10, 20, 30])
    actual = computed(row(path, inner("litert", path, "features"), scaling))
    assert pytest.approx(external_models.features(scaled), abs=1e-4) == actual


@pytest.mark.parametrize("form", FORMATS)
def test_a_saved_model_finds_its_network_again_unless_it_is_gone(form, tmp_path):
    """A .keras file of the whole model; Keras' own networks are part of it."""
    path = write(form, tmp_path)
    head = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, "sigmoid")])
    nodes = inner(form, path, "features")
    fused = fused_model.fuse(backbone.build(row(path, nodes), None), 1.0, head)
    num_others = fused_model.num_parameters(fused) - head.count_params()
    assert external_models.KERNEL.size <= num_others <= external_models.NUM_PARAMETERS + 5
    fused.save(tmp_path / "fused.keras")
    again = engine.ENGINE.load(tmp_path / "fused.keras")(list(PIXELS)).p_male
    assert pytest.approx(np.asarray(fused(PIXELS))[:, 0], abs=1e-6) == again
    if form != "keras":
        shutil.move(path, tmp_path / "elsewhere")
        with pytest.raises(InputError, match=r"fused\.keras: Keras cannot load it \(.*: no such"):
            engine.ENGINE.load(tmp_path / "fused.keras")


@pytest.mark.parametrize("form", ["tfjs", "saved-model", "keras"])
def test_a_network_of_tensorflow_is_converted_together_with_a_head(form, tmp_path):
    """From pixels to the answer in LiteRT: the network is part of the graph."""
    path = write(form, tmp_path)
    built = backbone.build(row(path, inner(form, path, "features")), None)
    saved_model_of_trial.write_graph(built, tmp_path / "graph")
    (tmp_path / "litert").mkdir()
    convert.convert(tmp_path / "graph", formats.get("litert"), tmp_path / "litert")
    session = litert.Session(tmp_path / "litert" / "model.tflite", 1)
    expected = pytest.approx(external_models.features(PIXELS / 255), abs=1e-5)
    assert expected == session.run(PIXELS)


@pytest.mark.parametrize("form", FORMATS)
def test_an_unknown_node_is_an_error_that_lists_the_outputs(form, tmp_path):
    """With the path."""
    path = write(form, tmp_path)
    with pytest.raises(InputError, match=r"no \w+ 'featurez'; .*outputs(:| are) ") as refused:
        network.load(path, output="featurez")
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "tfjs"])
def test_an_unknown_input_is_an_error_that_lists_the_inputs(form, tmp_path):
    """TensorFlow.js: test_tfjs_graph.py."""
    path = write(form, tmp_path)
    with pytest.raises(InputError, match=r"no input 'faces'; .*its inputs are \w*images"):
        network.load(path, "faces", "features" if form == "saved-model" else "")


def test_several_outputs_need_a_choice(tmp_path):
    """They are listed."""
    path = write("saved-model", tmp_path)
    with pytest.raises(InputError, match=r"has 2 outputs\. Name one of them: answer, features"):
        network.load(path)


def test_a_file_of_an_unknown_kind_is_an_error_that_lists_the_known_ones(tmp_path):
    """Also a directory without a model."""
    (tmp_path / "net.pth").write_bytes(b"")
    for path in (tmp_path / "net.pth", tmp_path):
        with pytest.raises(InputError, match=r"not a known kind of network; known: .*\.onnx"):
            files.kind(path)
    with pytest.raises(InputError, match="no such file"):
        files.kind(tmp_path / "net.onnx")


@pytest.mark.parametrize("form", ["litert", "onnx", "openvino"])
def test_a_missing_runtime_is_an_error_with_the_remedy(form, tmp_path, monkeypatch):
    """Before anything is loaded."""
    path = write(form, tmp_path)
    monkeypatch.setattr(files.software, "version", lambda _: "missing")
    with pytest.raises(InputError, match=r"net\.\w+: .* is not installed. Install it: make engine"):
        network.load(path)


@pytest.mark.parametrize("form", FORMATS)
def test_the_digest_is_of_all_files(form, tmp_path):
    """Each of them changes it, and its absence is an error or changes the digest too."""
    path = write(form, tmp_path)
    digest, found = files.sha256(path), files.files(path)
    assert files.num_bytes(path) == sum(each.stat().st_size for each in found)
    assert {"tfjs": 2, "openvino": 2}.get(form, len(found)) == len(found)
    for each in found[1:]:
        content = each.read_bytes()
        each.write_bytes(content + b"\0")
        assert digest != files.sha256(path)
        each.write_bytes(content)
        assert digest == files.sha256(path)


def test_onnx_constants_beside_the_file_belong_to_it(tmp_path):
    """They are found, counted, and used at an inner node as well."""
    installed_engines.engine("onnxruntime")
    path = external_models.write_onnx(tmp_path, None, beside="net.data")
    assert (path, tmp_path / "net.data") == files.files(path)
    expected = pytest.approx(external_models.features(PIXELS / 255), abs=1e-5)
    assert expected == computed(row(path, "map"))
    (tmp_path / "net.data").unlink()
    with pytest.raises(InputError, match=r"net\.data: no such file; it belongs to .*net\.onnx"):
        files.sha256(path)


def test_weights_outside_the_directory_are_refused(tmp_path):
    """A manifest may not make gfr read other files."""
    path = write("tfjs", tmp_path)
    path.write_text(path.read_text().replace("net.bin", "../net.bin"))
    with pytest.raises(InputError, match=r"names a file outside its directory \(\.\./net\.bin\)"):
        files.files(path)


def reads_a_file(images):
    """Its length is added."""
    return images + tf.cast(tf.strings.length(tf.io.read_file("x")), tf.float32)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: tf.reduce_mean(x, (1, 2, 3)), r"its output is \(None,\); features are"),
        (
            lambda x: tf.reshape(x, (-1, SIZE, 3)),
            "name another node, whose first side is the batch",
        ),
        (lambda x: tf.cast(x, tf.int32), "its output is int32; expected float32 or float16"),
        (reads_a_file, "uses ReadFile, which run code or use files"),
    ],
)
def test_outputs_that_are_not_features_are_refused(make, words, tmp_path):
    """Each with its reason."""
    path = external_models.write_function(make, tmp_path)
    with pytest.raises(InputError, match=words):
        backbone.build(row(path), None)


@pytest.mark.parametrize(
    ("make", "size", "words"),
    [
        (lambda x: x, 16, r"takes images of 8 x 8 \(height x width\) only; change size = \[16, 16"),
        (lambda x: x / 0, SIZE, "its features are not finite; is `scaling` the one"),
        (lambda x: x - tf.reduce_mean(x, 0), SIZE, "the rest of its batch; take out what mixes"),
        (tf.math.erfc, SIZE, "TensorFlow.js has no Erfc; replace what needs it, or set"),
    ],
)
def test_a_network_that_does_not_fit_the_benchmark_is_refused_at_the_start(
    make, size, words, tmp_path
):
    """As a model of Keras is; one line with the path."""
    path = external_models.write_function(make, tmp_path)
    text = runs.TOMLS["own"].replace('[[backbone]]\nname = "MobileNetV3Small"\n', "")
    text = text.replace("mynet.keras", "net").replace("[64, 64]", f"[{size}, {size}]")
    (tmp_path / "b.toml").write_text(text)
    with pytest.raises(InputError, match=words) as refused:
        backbone_checks.refuse_unfit(loader.load(tmp_path / "b.toml"))
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("form", FORMATS)
def test_only_networks_of_tensorflow_and_onnx_are_converted_together_with_a_head(form, tmp_path):
    """The others run in two steps, and the export says so; those of ONNX for two engines."""
    path = write(form, tmp_path)
    for name in ("tfjs", "litert", *ENGINES.values()):
        why, is_joined = files.two_steps(path, name), form == "onnx" and name in ENGINES.values()
        assert (form not in RUNTIMES or is_joined) == (why == "")
        assert (form in ("litert", "openvino")) == ("in two steps" in why)
        assert not why or path.name in why


@pytest.mark.parametrize("shape", [(None, SIZE, SIZE, 1), (2, SIZE, SIZE, 3), (None, 3)])
def test_inputs_that_are_not_images_are_refused(shape, tmp_path):
    """One channel, batches of two, no images."""
    path = external_models.write_function(lambda images: images + 1, tmp_path, shape)
    with pytest.raises(InputError, match=r"its input is .*; expected N x height|batches of 2 only"):
        network.load(path)


def test_a_damaged_saved_model_is_an_error_with_its_path(tmp_path):
    """Its variables are gone, then its graph is."""
    path = write("saved-model", tmp_path)
    shutil.rmtree(path / "variables")
    with pytest.raises(InputError, match="net: TensorFlow cannot load it"):
        network.load(path, output="features")
    (path / "saved_model.pb").write_bytes(b"<html>")
    with pytest.raises(InputError, match="net: TensorFlow cannot load it"):
        network.load(path, output="features")


def key(feature_set, path):
    """What the key of its features is a digest of."""
    weights = Weights("net", "own" if path else "imagenet", str(path), "", "", "")
    return Job(feature_set, None, weights, "", Path()).key_contents("float32")


def test_the_key_of_features_names_node_and_runtime_only_where_they_matter(tmp_path):
    """Features of Keras' own networks, also of a whole .keras file, keep their keys."""
    described = Backbone("VGG16", "caffe", label="VGG16")
    ordinary = key(FeatureSet(described, (SIZE, SIZE), "fixed", "auto"), "")
    whole = write("keras", tmp_path)
    assert ordinary.keys() == key(row(whole), whole).keys()
    cut, path = key(row(whole, "features"), whole), write("litert", tmp_path)
    assert ["", "features"] == cut["nodes"]
    elsewhere = key(row(path, scaling=Normalisation(mean=(1.0, 2.0, 3.0))), path)
    assert ["ai-edge-litert"] == list(elsewhere["runtime"]) and "nodes" not in elsewhere
    assert {"mean": (1.0, 2.0, 3.0), "std": (1.0, 1.0, 1.0), "channels": "rgb"} == elsewhere[
        "scaling"
    ]
    json.dumps(elsewhere)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["litert", "tfjs"])
def test_a_run_trains_times_and_predicts_with_a_network_from_elsewhere(form, tmp_path, monkeypatch):
    """From the benchmark file to the report; the key of its features names the node."""
    external_models.write(form, tmp_path)
    file = {"litert": "net.tflite", "tfjs": "net.json"}[form]
    features = inner(form, tmp_path / file, "features")
    text = runs.TOMLS["own"].replace('[[backbone]]\nname = "MobileNetV3Small"\n\n', "")
    text = text.replace('file = "mynet.keras"', f'file = "{file}"\nfeatures = "{features}"')
    text = text.replace("[64, 64]", f"[{SIZE}, {SIZE}]")
    monkeypatch.setitem(runs.TOMLS, "elsewhere", text)
    data = runs.write_data(tmp_path / "data")
    found = runs.run(runs.request(tmp_path, "elsewhere", "r", data))
    (result,) = found.trials
    assert "own" == result.features.weights.source
    assert files.sha256(tmp_path / file) == result.features.weights.sha256
    timed = found.latency_of(result.trial)
    assert 1e-4 > timed.float32.max_difference
    assert external_models.KERNEL.size < timed.num_parameters
    name, expected = next(iter(result.test_probabilities.items()))
    (answer,) = prediction.predict(found, None, [data / name])
    assert pytest.approx(expected, abs=1e-4) == answer.p_male
    key = json.loads((Path(result.features.directory) / "key.json").read_text())
    assert ["", features] == key["nodes"]
