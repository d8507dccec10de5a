"""Networks in .onnx files, exported together with a head to ONNX and OpenVINO."""

import json
import subprocess
import sys

import external_models
import installed_engines
import keras
import numpy as np
import pytest
from external_models import SIZE
from test_flow import SPEC

from gfr import engines
from gfr.config.schema import Backbone, FeatureSet
from gfr.engines import formats
from gfr.engines import tensorflow as engine
from gfr.errors import StepFailed
from gfr.export import convert, fused_onnx
from gfr.models import backbone, fused_model
from gfr.pipeline import isolation
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.formats import writing
from gfr.pipeline.run import run
from gfr.pipeline.run_options import RunOptions
from gfr.results import store
from gfr.storage.run_directory import RunDirectory

FORMATS = [formats.get(name) for name in ("onnx", "openvino")]

IMAGES = [
    np.random.default_rng(k).integers(0, 256, (SIZE + 3 * (k % 2), 9, 3), dtype=np.uint8)
    for k in range(5)
]


@pytest.fixture(autouse=True, scope="module")
def _engines():
    """Both are extras."""
    for form in FORMATS:
        installed_engines.engine(form.engine)


def fused(path, features="features", scaling="torch-bgr"):
    """The network with a head, whose features are calibrated as those of random weights."""
    described = Backbone("net", scaling, label="net", file=str(path), features=features)
    built = backbone.build(FeatureSet(described, (SIZE, SIZE), "fixed", "auto"), None)
    answer = keras.layers.Dense(1, "sigmoid", name="p_male")
    head = keras.Sequential([keras.Input((built.output.shape[-1],)), answer])
    return fused_model.fuse(built, 1.7, head)


def saved(path, *details):
    """Its Keras file, and what it answers in TensorFlow."""
    model, keras_file = fused(path, *details), path.parent / "fused.keras"
    model.save(keras_file)
    return keras_file, engine.classifier(model)(IMAGES).p_male


def changed(path, change):
    """The network after a change of its ModelProto."""
    import onnx

    model = onnx.load(path)
    onnx.save(change(model) or model, path)
    return path


def answers(keras_file, form, folder):
    """What the converted file answers in its engine."""
    (place := folder / form.name).mkdir()
    convert.convert(keras_file, form, place)
    return engines.get(form.engine).load(place / form.file)(IMAGES).p_male


@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("is_channels_first", [True, False])
@pytest.mark.parametrize("name", ["features", "map"])
def test_one_file_answers_as_keras_does(name, is_channels_first, batch, tmp_path):
    """A vector or a feature map; images of two sizes, in one call; the constants in two files."""
    path = external_models.write_onnx(tmp_path, batch, is_channels_first, "net.data")
    keras_file, expected = saved(path, name)
    assert np.ptp(expected) > 1e-3
    for form in FORMATS:
        actual = answers(keras_file, form, tmp_path)
        assert expected.tolist() == pytest.approx(actual.tolist(), abs=1e-5)


@pytest.mark.parametrize(("batch", "expected"), [(None, None), (1, 1)])
def test_the_file_states_its_input_and_its_output(batch, expected, tmp_path):
    """A network that takes one image at a time makes a model that does."""
    import onnx

    keras_file, _ = saved(external_models.write_onnx(tmp_path, batch))
    model = fused_onnx.load(keras_file)
    onnx.checker.check_model(model, full_check=True)
    (pixels,), (p_male,) = model.graph.input, model.graph.output
    dims = [side.dim_value or None for side in pixels.type.tensor_type.shape.dim]
    assert ("pixels", onnx.TensorProto.UINT8) == (pixels.name, pixels.type.tensor_type.elem_type)
    assert ([expected, None, None, 3], "p_male") == (dims, p_male.name)


def in_opset(version):
    """A change to that opset; in the format's version 3 constants are inputs too."""

    def change(model):
        import onnx

        if version > 13:
            return onnx.version_converter.convert_version(model, version)
        model.opset_import[0].version = version  # its operations are the same in those
        if version < 9:
            model.ir_version = 3
            for tensor in model.graph.initializer:
                kind = onnx.helper.make_tensor_value_info(tensor.name, 1, tensor.dims)
                model.graph.input.append(kind)
        return model

    return change


@pytest.mark.parametrize("opset", [8, 11, 13, 18, 21, 23])
def test_networks_of_every_version_are_joined(opset, tmp_path):
    """Older than what TensorFlow's part is converted to, the same, newer."""
    path = changed(external_models.write_onnx(tmp_path, None), in_opset(opset))
    keras_file, expected = saved(path)
    (row,) = fused_onnx.load(keras_file).opset_import
    assert max(11, opset) == row.version
    for form in FORMATS:
        assert expected == pytest.approx(answers(keras_file, form, tmp_path), abs=1e-5)


def own_names(model):
    """Names that the export uses too."""
    for node in model.graph.node:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                names[k] = {"images": "pixels", "features": "p_male"}.get(name, name)
    model.graph.input[0].name = "pixels"


def branches(model):
    """A choice between two graphs, which use a constant of the outer one."""
    from onnx import TensorProto, helper, numpy_helper

    def graph(name):
        node = helper.make_node("MatMul", ["features", "square"], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, None)])

    square = np.random.default_rng(3).normal(size=(5, 5)).astype(np.float32)
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    model.graph.initializer.extend([numpy_helper.from_array(square, "square"), yes])
    made = helper.make_node("If", ["yes"], ["p"], then_branch=graph("a"), else_branch=graph("b"))
    model.graph.node.insert(3 + 1, made)


def half_precision(model):
    """Computed in float16, from its input on."""
    from onnx import TensorProto, numpy_helper

    for tensor in model.graph.initializer:
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16


def whole_numbers(model):
    """An input of uint8."""
    from onnx import TensorProto, helper

    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    model.graph.node.insert(0, helper.make_node("Cast", ["images"], ["numbers"], to=1))
    model.graph.node[1].input[0] = "numbers"


@pytest.mark.parametrize(
    ("change", "details", "bound"),
    [
        (own_names, ("p_male",), 1e-5),
        (branches, ("p",), 1e-5),
        (half_precision, ("features", "unit"), 1e-3),
        (whole_numbers, ("features", "none"), 1e-5),
    ],
)
def test_names_inner_graphs_and_types_of_the_network_are_kept(change, details, bound, tmp_path):
    """Whatever they are."""
    path = changed(external_models.write_onnx(tmp_path, None), change)
    keras_file, expected = saved(path, *details)
    for form in FORMATS:
        assert expected == pytest.approx(answers(keras_file, form, tmp_path), abs=bound)


def test_an_exported_file_can_be_a_network_itself(tmp_path):
    """Its names have the prefixes of the export already."""
    keras_file, expected = saved(external_models.write_onnx(tmp_path, None))
    answers(keras_file, FORMATS[0], tmp_path)
    keras_file, expected = saved(tmp_path / "onnx" / "model.onnx", "network/features", "none")
    assert expected == pytest.approx(answers(keras_file, FORMATS[1], tmp_path), abs=1e-5)


def test_a_network_that_cannot_be_joined_is_an_error_of_one_line(tmp_path, monkeypatch):
    """No converter between the versions."""
    keras_file, _ = saved(external_models.write_onnx(tmp_path, None))
    monkeypatch.setattr(fused_onnx, "_OPSETS", range(999, 1000))
    with pytest.raises(StepFailed) as failed:
        fused_onnx.load(keras_file)
    words = "ONNX float32: cannot be converted: opset 13 not to opset 999 ("
    assert str(failed.value).startswith(words) and "\n" not in str(failed.value)


NETS = (
    SPEC[: SPEC.index("[[backbone]]")]
    .replace("seeds = 2", "seeds = 1")
    .replace("fractions = [0.5]", "fractions = []")
    .replace("engines = []", 'engines = ["tensorflow", "litert", "onnxruntime", "openvino"]')
    + f"""
[[backbone]]
name = "single"
file = "net.onnx"
features = "map"
scaling = "torch"
[[backbone]]
name = "lite"
file = "net.tflite"
scaling = "unit"
[[iteration]]
number = 1
size = [{SIZE}, {SIZE}]
epochs = 2
"""
)
SINGLE, LITE = "single-iteration-1", "lite-iteration-1"
REFUSED = {
    SINGLE: "net.onnx is an ONNX model, which is converted together with a head only to ONNX and",
    LITE: "net.tflite is computed by LiteRT, so that network and head run in two steps",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run with an .onnx network that takes one image at a time, and a .tflite one."""
    folder = tmp_path_factory.mktemp("nets")
    external_models.write_onnx(folder, 1)
    external_models.write_litert(folder, None)
    (folder / "nets.toml").write_text(NETS)
    places = {"reports": str(folder / "reports"), "cache": str(folder / "cache")}
    options = RunOptions(str(folder / "nets.toml"), "synthetic", "random", "r", **places)
    return run(pipeline_request.request(options), isolated=False)


def export(run_dir, trial_id, *names):
    """Why formats of a trial could not be written, by name."""
    return writing.export(run_dir, trial_id, names, None, isolation.Limits())


@pytest.mark.slow
def test_engines_are_timed_with_one_file_or_the_reason_is_recorded(finished):
    """TensorFlow computes every network; the answers are those of the run."""
    latencies = store.read_run(finished).engine_latencies.values()
    found = {row.trial_id: row for row in latencies}
    assert {"tensorflow", "onnxruntime", "openvino"} == {r.engine for r in found[SINGLE].rows}
    assert ["tensorflow"] == [row.engine for row in found[LITE].rows]
    for row in found.values():
        assert all(timing.max_difference < 1e-4 for timing in row.rows)
    assert ["litert"] == [name for name, _ in found[SINGLE].unavailable]
    assert ["litert", "onnxruntime", "openvino"] == [name for name, _ in found[LITE].unavailable]
    for trial_id, words in REFUSED.items():
        assert all(why.startswith(words) for _, why in found[trial_id].unavailable)


@pytest.mark.slow
def test_formats_are_validated_as_others_are_and_the_rest_refused(finished):
    """Each refusal is a record of one line."""
    failures = export(finished, SINGLE, "tfjs", "litert", "onnx", "openvino")
    others = export(finished, LITE, "onnx", "tfjs")
    assert ({"litert", "tfjs"}, {"onnx", "tfjs"}) == (set(failures), set(others))
    for trial_id, reasons in ((SINGLE, failures), (LITE, others)):
        assert all(why.startswith(REFUSED[trial_id]) for why in reasons.values())
        assert not any("\n" in why for why in reasons.values())
    read = store.read_run(finished)
    found = store.formats_of(read, read.result_of(SINGLE).trial)
    assert all(found[name].validation.max_difference < 1e-4 for name in ("onnx", "openvino"))
    assert all(found[name].test.num_images == 12 for name in ("onnx", "openvino"))
    assert failures == {name: found[name].reason for name in failures}
    num_bytes = (finished.parents[2] / "net.onnx").stat().st_size
    assert found["keras"].num_bytes > num_bytes < found["onnx"].num_bytes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_the_program_of_the_card_runs_the_file(finished, name):
    """Five lines, as for other formats."""
    assert {} == export(finished, SINGLE, name)
    files = RunDirectory(finished).format(SINGLE, name)
    program = json.loads(files.model_card_json.read_text())["format"]["code"]
    assert 5 == len(program.splitlines())
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=files.path, capture_output=True, text=True, check=True)
    printed = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    golden = json.loads(files.golden.read_text())["images"]
    expected = {row["file"]: row["keras_p_male"] for row in golden}
    assert expected == pytest.approx({key: float(p) for key, p in printed.items()}, abs=1e-4)
