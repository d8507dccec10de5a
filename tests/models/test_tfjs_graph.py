import json
import shutil

import graph_models
import numpy as np
import pytest
import tensorflow as tf
from graph_models import assert_same, litert, node

from gfr.errors import InputError
from gfr.models.external import tfjs_graph

SIZE = 8
PIXELS = np.random.default_rng(1).normal(size=(2, SIZE, SIZE, 3)).astype(np.float32)

MEAN_OVER = np.array([1, 2], np.int32)


def two_outputs(path, **fields):
    """A network with two outputs: the channels' means, and 2 * (means) + 1."""
    weights = {"axes": MEAN_OVER, "two": np.full(3, 2, np.float32), "one": np.ones(3, np.float32)}
    nodes = [
        graph_models.images(-1, SIZE, -1, 3),
        node("head/means", "Mean", "images", "axes", Tidx={"type": "DT_INT32"}),
        node("head/doubled", "Mul", "head/means", "two"),
        node("age", "AddV2", "head/doubled", "one"),
        node("gender", "Identity", "head/doubled"),
    ]
    return graph_models.write(path, nodes, weights, **fields)


SIGNATURE = {
    "inputs": {"images": {"name": "images:0"}},
    "outputs": {"y": {"name": "age:0"}},
}


@pytest.mark.parametrize("output", ["age", "age:0", ""])
@pytest.mark.parametrize("place", ["signature", "userDefinedMetadata"])
def test_an_output_is_named_or_the_only_one_of_the_signature(output, place, tmp_path):
    """The signature may be in either place; a directory stands for its model.json."""
    fields = {place: SIGNATURE if place == "signature" else {"signature": SIGNATURE}}
    two_outputs(tmp_path / "model.json", **fields)
    graph = tfjs_graph.load(tmp_path, output=output)
    assert_same(graph(PIXELS).numpy(), 2 * PIXELS.mean((1, 2)) + 1)
    assert ((None, SIZE, None, 3), (None, 3), 6) == (
        graph.input_shape,
        graph.output_shape,
        graph.num_parameters,
    )


def test_a_node_within_the_network_is_computed_without_the_rest(tmp_path):
    """Also on uint8; weights that it does not depend on are not counted."""
    graph = tfjs_graph.load(two_outputs(tmp_path / "faces.json"), "images", "head/means")
    assert 0 == graph.num_parameters
    pixels = np.array([[[[0, 100, 255]]]], np.uint8).repeat(SIZE, 1)
    assert [[0, 100, 255]] == graph(pixels).numpy().tolist()


def test_an_input_of_unknown_shape_takes_images(tmp_path):
    """Its shape is unknown, or written as that of a single number, as old files do."""
    for unknown in ({"unknownRank": True}, {}):
        pixels = {**graph_models.images(), "attr": {"dtype": graph_models.FLOAT32}}
        pixels["attr"]["shape"] = {"shape": unknown}
        path = graph_models.write(tmp_path / "any.json", [pixels, node("y", "Relu", "images")], {})
        graph = tfjs_graph.load(path)
        assert (None, None, None, 3) == graph.input_shape == graph.output_shape
        assert_same(graph(PIXELS).numpy(), PIXELS.clip(0))


def test_several_outputs_without_a_choice_are_an_error_that_lists_them(tmp_path):
    """Those of the signature if it has any, or else those that no other node uses."""
    path = two_outputs(tmp_path / "faces.json")
    with pytest.raises(InputError, match=r"has 2 outputs; give .* output: age, gender"):
        tfjs_graph.load(path)
    outputs = {name: {"name": name} for name in ("age", "head/means:0")}
    two_outputs(path, signature={"outputs": outputs})
    with pytest.raises(InputError, match=r"has 2 outputs; give .* output: age, head/means"):
        tfjs_graph.load(path)


def test_several_inputs_without_a_choice_are_an_error_that_lists_them(tmp_path):
    """One that is named is not enough if the output needs the others too."""
    inputs = [graph_models.images(-1, 4, 4, 3, name=name) for name in ("left", "right")]
    path = graph_models.write(
        tmp_path / "pair.json", [*inputs, node("both", "AddV2", "left", "right")], {}
    )
    with pytest.raises(InputError, match=r"has 2 inputs; give .* input: left, right"):
        tfjs_graph.load(path)
    with pytest.raises(InputError, match=r"'both' needs further inputs \(right\)"):
        tfjs_graph.load(path, "left")


def test_an_unknown_node_is_an_error_with_the_nearest_name(tmp_path):
    """On either side; a node that is not an input is no input."""
    path = two_outputs(tmp_path / "faces.json")
    with pytest.raises(InputError, match=r"no node 'head/mean:0'; did you mean head/means\?"):
        tfjs_graph.load(path, output="head/mean:0")
    with pytest.raises(InputError, match=r"no node 'image'; did you mean images\? inputs: images"):
        tfjs_graph.load(path, "image", "age")
    with pytest.raises(InputError, match="'head/means' is a Mean and not an input"):
        tfjs_graph.load(path, "head/means", "age")
    with pytest.raises(InputError, match="TensorFlow cannot build"):
        tfjs_graph.load(path, output="age:7")


@pytest.mark.parametrize(("scale", "expected"), [(0.5, (-1, 0, 99)), (2, (-1, 3, 399))])
def test_quantised_weights_are_the_numbers_that_they_stand_for(scale, expected, tmp_path):
    """uint8 with scale and minimum, which JavaScript writes as 2 and -1 if whole; float16."""
    path = two_outputs(tmp_path / "faces.json", signature=SIGNATURE)
    model = json.loads(path.read_text())
    _, two, one = model["weightsManifest"][0]["weights"]
    two["quantization"] = {"dtype": "uint8", "scale": scale, "min": -1}
    one["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
    path.write_text(json.dumps(model))
    stored = (MEAN_OVER, np.array([0, 2, 200], np.uint8), np.array([1, 0.5, -3], np.float16))
    path.with_suffix(".bin").write_bytes(b"".join(value.tobytes() for value in stored))
    answers = PIXELS.mean((1, 2)) * np.float32(expected) + np.float32([1, 0.5, -3])
    assert_same(tfjs_graph.load(path)(PIXELS).numpy(), answers)


def fixed(path, batch, sizes):
    """A network made for `batch` images, whose Reshape gives them these sizes."""
    weights = {"sizes": np.array(sizes, np.int32)}
    nodes = [
        graph_models.images(batch, SIZE, SIZE, 3),
        node("flat", "Reshape", "images", "sizes", Tshape={"type": "DT_INT32"}),
        node("softmax", "Softmax", "flat"),
    ]
    return graph_models.write(path, nodes, weights)


@pytest.mark.parametrize("sizes", [(-1, 192), (1, 192), (1, 64, 3), (64, 3), (-1, 3)])
def test_a_network_made_for_one_image_takes_several(sizes, tmp_path):
    """As one batch if it can, or one by one: each image's answer is its own."""
    graph = tfjs_graph.load(fixed(tmp_path / "one.json", 1, sizes))
    row = (64, 3) if 3 in sizes else (192,)
    expected = tf.nn.softmax(PIXELS.reshape(2, *row)).numpy()
    assert_same(graph(PIXELS).numpy(), expected)
    assert ((None, SIZE, SIZE, 3), (None, *row)) == (graph.input_shape, graph.output_shape)
    assert_same(litert(graph, PIXELS), expected)


def test_a_network_made_for_eight_images_is_an_error(tmp_path):
    """Unless it can compute any number."""
    with pytest.raises(InputError, match="takes batches of exactly 8 images"):
        tfjs_graph.load(fixed(tmp_path / "eight.json", 8, (8, 192)))
    graph = tfjs_graph.load(fixed(tmp_path / "any.json", 8, (-1, 192)))
    assert (2, 192) == graph(PIXELS).shape


def test_operations_that_tensorflow_js_lacks_do_not_run(tmp_path):
    """A file may not read files, nor have operations that only another program knows."""
    nodes = [
        graph_models.images(-1, 4, 4, 3),
        {"name": "file", "op": "ReadFile", "input": ["images"]},
        node("own", "NoSuchOperation", "file"),
        node("fine", "Relu", "images"),
    ]
    path = graph_models.write(tmp_path / "model.json", nodes, {})
    with pytest.raises(InputError, match=r"custom operations.*: NoSuchOperation, ReadFile\. "):
        tfjs_graph.load(path, output="own")
    assert (1, 4, 4, 3) == tfjs_graph.load(path, output="fine")(PIXELS[:1, :4, :4]).shape


def remove_shard(path, model):
    """The file of weights is gone."""
    path.with_suffix(".bin").unlink()


def cut_shard(path, model):
    """Its last byte is gone."""
    shard = path.with_suffix(".bin")
    shard.write_bytes(shard.read_bytes()[:-1])


def leave_the_directory(path, model):
    """It lies one directory higher."""
    shutil.copy(path.with_suffix(".bin"), path.parent.parent)
    model["weightsManifest"][0]["paths"] = ["../faces.bin"]


def name_an_absolute_path(path, model):
    """It is named from the root."""
    model["weightsManifest"][0]["paths"] = [str(path.with_suffix(".bin"))]


def make_a_layers_model(path, model):
    """Keras' layers instead of a graph."""
    model.update(format="layers-model", modelTopology={"model_config": {}})


def leave_only_the_manifest(path, model):
    """The network is elsewhere."""
    del model["modelTopology"]


def lose_a_weight(path, model):
    """The manifest has one less than the graph."""
    model["weightsManifest"][0]["weights"].pop()


def lose_a_node(path, model):
    """Others take it as their input."""
    model["modelTopology"]["node"].pop(1)


def have_an_unknown_activation(path, model):
    """Fused with a product."""
    model["modelTopology"]["node"][2].update(node("", "_FusedMatMul", "", "", fused_ops=["Gelu"]))
    model["modelTopology"]["node"][2].update(name="head/doubled", input=["head/means", "two"])


def take_vectors(path, model):
    """Not images."""
    model["modelTopology"]["node"][0] = graph_models.images(-1, 128)


def have_a_negative_size(path, model):
    """Which numpy takes for all that is left."""
    model["weightsManifest"][0]["weights"][1]["shape"] = [-1]


def have_an_unknown_type(path, model):
    """Of numbers."""
    model["weightsManifest"][0]["weights"][1]["dtype"] = "float8"


def have_integers_for_a_float(path, model):
    """The graph and the manifest contradict each other."""
    model["weightsManifest"][0]["weights"][0].update(name="two", dtype="string")


def have_no_graph(path, model):
    """modelTopology has other fields."""
    model["modelTopology"] = {"node": [{"operation": "Relu"}]}


def have_no_signature(path, model):
    """A list where a dict is expected."""
    model["signature"] = {"inputs": ["images"]}


FAULTS = {
    remove_shard: "faces.bin: no such file, and faces.json needs it",
    cut_shard: "its weights are cut short: 31 bytes in faces.bin instead of 32",
    leave_the_directory: r"outside its directory \(\.\./faces\.bin\)",
    name_an_absolute_path: "outside its directory",
    make_a_layers_model: "a layers model, and gfr reads graph models. Convert it: tensorflowjs_con",
    leave_only_the_manifest: "JavaScript code, which gfr does not run. Classify .*`predictions`",
    lose_a_weight: "its manifest lacks the weight 'one'",
    lose_a_node: "lacks the node 'head/means', on which 'age' depends",
    have_an_unknown_activation: "head/doubled: gfr cannot split _FusedMatMul with Gelu",
    take_vectors: r"its input 'images' has the shape \(any, 128\)",
    have_a_negative_size: r"weightsManifest is invalid \(two has a negative size",
    have_an_unknown_type: "weightsManifest is invalid",
    have_integers_for_a_float: "the weight 'two' is not of its node's type|cut short|is invalid",
    have_no_graph: "modelTopology is not a TensorFlow graph",
    have_no_signature: "its signature is invalid",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda spoil: spoil.__name__)
def test_a_damaged_model_is_an_error_of_one_line_with_its_path(spoil, tmp_path):
    """Each names the file and what to do."""
    (tmp_path / "model").mkdir()
    path = two_outputs(tmp_path / "model" / "faces.json")
    model = json.loads(path.read_text())
    spoil(path, model)
    path.write_text(json.dumps(model))
    with pytest.raises(InputError, match=FAULTS[spoil]) as refused:
        tfjs_graph.load(path, output="age")
    assert str(refused.value).startswith(f"{path.parent}/faces.")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "<html>", "3", '"model"', "{}", "[" * 100_000])
def test_a_file_that_is_not_a_model_is_an_error_with_its_path(text, tmp_path):
    """Not JSON, or JSON of another kind."""
    path = tmp_path / "faces.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"faces\.json: not (JSON|a TensorFlow\.js model)"):
        tfjs_graph.load(path)
    with pytest.raises(InputError, match=r"absent\.json: cannot be read \(No such file"):
        tfjs_graph.load(tmp_path / "absent.json")


def test_face_apis_manifest_is_an_error_that_says_what_to_do_instead(tmp_path):
    """A list of groups, as that package ships them."""
    path = tmp_path / "age_gender_model-weights_manifest.json"
    path.write_text(json.dumps([{"weights": [], "paths": ["age_gender_model.bin"]}]))
    with pytest.raises(InputError, match="only a manifest of weights; its network is JavaScript"):
        tfjs_graph.load(path)
