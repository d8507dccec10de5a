"""Rows `[[reference]]` and `[[backbone]]` with a file from elsewhere: read, or refused by name."""

import dataclasses
import re

import pytest

from gfr.config import benchmark_files, loader, model_files
from gfr.config.references import Reference
from gfr.config.scaling import Normalisation
from gfr.errors import InputError

FULL = benchmark_files.benchmark_file("full").read_text()

FILE = 'file = "net.onnx"\n'
CSV = 'predictions = "a.csv"\n'


def load(folder, rows):
    """full.toml with rows at its end."""
    (folder / "b.toml").write_text(f"{FULL}\n{rows}")
    return loader.load(folder / "b.toml")


def reference(folder, keys):
    """The benchmark with one reference of these keys."""
    return load(folder, f'[[reference]]\nlabel = "faceres"\n{keys}').reference[0]


def refusal(folder, rows):
    """The one line that names the file."""
    with pytest.raises(InputError) as refused:
        load(folder, rows)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{folder / 'b.toml'}: ")
    return line.removeprefix(f"{folder / 'b.toml'}: ")


def test_a_file_is_found_beside_the_benchmark_and_has_the_defaults(tmp_path):
    """Its scaling is `none` and its crop the whole image."""
    row = reference(tmp_path, FILE)
    assert Reference("faceres", file=str(tmp_path / "net.onnx"), predictions=()) == row
    assert (("none",), ("none",), ()) == (row.scalings, row.crops, row.prediction_files)


def test_one_csv_or_several_are_found_beside_the_benchmark(tmp_path):
    """A list of one is written without brackets."""
    one = reference(tmp_path, CSV)
    two = reference(tmp_path, 'predictions = ["a.csv", "../b.csv"]')
    assert (str(tmp_path / "a.csv"),) == one.prediction_files
    assert (str(tmp_path / "a.csv"), str(tmp_path.parent / "b.csv")) == two.prediction_files


def test_scalings_and_crops_are_lists_of_names_numbers_and_rectangles(tmp_path):
    """The four numbers of one rectangle are not four squares."""
    keys = 'scaling = ["caffe-rgb", {mean = [127.5, 127.5, 127.5], channels = "bgr"}]\n'
    row = reference(tmp_path, f'{FILE}{keys}crop = ["none", 120, [0.1, 0, 0.9, 1]]')
    mean = Normalisation((127.5, 127.5, 127.5), (1.0, 1.0, 1.0), "bgr")
    assert ("caffe-rgb", mean) == row.scalings
    assert ("none", 120, (0.1, 0.0, 0.9, 1.0)) == row.crops
    assert ((0.0, 0.0, 1.0, 0.5),) == reference(tmp_path, f"{FILE}crop = [0, 0, 1, 0.5]").crops
    assert (100, 120) == reference(tmp_path, f"{FILE}crop = [100, 120]").crops


@pytest.mark.parametrize("name", ["m.json", "m.tflite", "M.ONNX", "m.xml", "m.keras", "saved"])
def test_each_kind_of_model_file_is_accepted(tmp_path, name):
    """As a reference and as a backbone; a path without a suffix is a directory."""
    rows = f'[[reference]]\nlabel = "a"\nfile = "{name}"\n'
    rows += f'[[backbone]]\nname = "b"\nfile = "{name}"\ninput = "x"\nfeatures = "y"\n'
    loaded = load(tmp_path, rows)
    assert str(tmp_path / name) == loaded.reference[0].file == loaded.backbone[-1].file


def test_a_saved_models_directory_may_have_a_dot_in_its_name(tmp_path):
    """Only a directory that exists: else the suffix is that of an unknown format."""
    keys = 'file = "net-1.0"'
    assert "not a directory" in refusal(tmp_path, f'[[reference]]\nlabel = "a"\n{keys}')
    (tmp_path / "net-1.0").mkdir()
    assert str(tmp_path / "net-1.0") == reference(tmp_path, keys).file


CROP = 'crop: input should be "none", 8 to 2,048 (px of a centred square) or [left, top, right, '

REFERENCES = [
    ("", "no file and no predictions; give one of the two"),
    ("predictions = []", "no file and no predictions"),
    (FILE + CSV, "file and predictions: only one of the two"),
    ('file = "net.pb"', "file 'net.pb': not a directory, and none of .keras (Keras), .json"),
    ('file = "net.h5"', "file 'net.h5': not a .keras file; load it where you trust"),
    (CSV + 'input = "x"', "input: only with file, not with predictions; remove it"),
    (CSV + 'output = "x"', "output: only with file"),
    (CSV + "size = [64, 64]", "size: only with file"),
    (CSV + 'scaling = "tf"', "scaling: only with file"),
    (CSV + "crop = 100", "crop: only with file"),
    (CSV + 'p_male = "female"', "p_male: only with file"),
    ('predictions = ""', "predictions: an empty path; name a CSV file"),
    ('predictions = ["a.csv", "./a.csv"]', "predictions: 'a.csv' is listed twice; remove one"),
    (f"predictions = {[f'{i}' for i in range(65)]}", "65 predictions; list at most 64"),
    ("predictions = 3", "predictions: input should be the path of a CSV file, or a list of"),
    (FILE + 'scaling = "tff"', "unknown scaling 'tff'; did you mean tf? known: tf, unit,"),
    (FILE + 'scaling = ["tf", "bgr"]', "unknown scaling 'bgr'; "),
    (FILE + 'scaling = ["tf", "tf"]', "scaling: 'tf' is listed twice"),
    (FILE + "scaling = {mean = [1, 2]}", "missing value scaling.mean.3"),
    (FILE + "scaling = {meen = [1, 2, 3]}", "unknown key scaling.meen; did you mean mean?; "),
    (FILE + "scaling = {mean = [1, 2, 3], std = [0, 1, 1]}", "scaling.std.1: input should be gr"),
    (FILE + 'scaling = ["tf", {mean = [1, 2, nan]}]', "scaling.2.mean.3: "),
    (FILE + "scaling = 3", "scaling: input should be a name or {mean = [...], std = [...], chann"),
    (FILE + "scaling = []", "scaling: input should be a name or "),
    (FILE + "crop = 3", CROP),
    (FILE + "crop = 4096", CROP),
    (FILE + 'crop = "all"', CROP),
    (FILE + "crop = [0.1, 0.2, 0.3]", CROP),
    (FILE + "crop = [0.1, 0.2, 0.3, 1.5]", CROP),
    (FILE + "crop = [0.5, 0, 0.5, 1]", "crop [0.5, 0.0, 0.5, 1.0]: left must be less than right"),
    (
        FILE + "crop = [[0, 0.9, 1, 0.1]]",
        "crop [0.0, 0.9, 1.0, 0.1]: left must be less than right, and top",
    ),
    (FILE + "crop = [100, 100]", "crop: 100 is listed twice"),
    (f'{FILE}scaling = ["tf", "unit"]\ncrop = {list(range(8, 41))}', "66 combinations of scaling"),
    (FILE + "male_index = 0", 'male_index: only with p_male = "probabilities" or "logits"'),
    (FILE + 'p_male = "logits"\nmale_index = 2', "male_index: input should be 0 or 1, got 2"),
    (FILE + 'p_male = "man"', "p_male: input should be 'male', 'female', 'logit-male', "),
    (FILE + "threshold = 1", "threshold: input should be less than 1, got 1"),
    (FILE + "size = [64]", "missing value size.2"),
    (FILE + 'features = "x"', "unknown key features; it is a key of another table, remove it"),
    (FILE + "treshold = 0.4", "unknown key treshold; did you mean threshold?"),
]


@pytest.mark.parametrize(("keys", "words"), REFERENCES, ids=[row[1] for row in REFERENCES])
def test_a_reference_that_cannot_be_so_is_refused(tmp_path, keys, words):
    """By its label, with one problem for one mistake."""
    line = refusal(tmp_path, f'[[reference]]\nlabel = "faceres"\n{keys}')
    assert line.startswith(f"reference faceres: {words}")
    is_two_in_one = "meen" in line  # the misspelt key is lacking, too
    assert 1 + is_two_in_one == line.count("reference faceres: ")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["a", "A"], "[[reference]]: label 'a' is used twice; give each its own label"),
        (["vgg16"], "reference vgg16: has the label of backbone VGG16; give it another label"),
        (["a b"], "reference a b: label: "),
        ([""], "[[reference]] no. 1: label: "),
    ],
)
def test_a_label_has_one_meaning(tmp_path, labels, words):
    """Some file systems ignore case."""
    rows = (f'[[reference]]\nlabel = "{label}"\n{FILE}' for label in labels)
    assert words in refusal(tmp_path, "".join(rows))


def test_a_trials_id_is_no_label_of_a_reference():
    """Labels cannot have its hyphens today; records are found by either."""
    loaded = loader.load(benchmark_files.benchmark_file("full"))
    row = Reference("vgg16-ITERATION-1", file="a.onnx")
    problems = loader._label_problems(dataclasses.replace(loaded, reference=(row,)))
    assert "has the label of trial VGG16-iteration-1; " in "".join(problems)


BACKBONES = [
    ('name = "ResNet50"\nfeatures = "x"', "features: only with file; remove it"),
    ('name = "ResNet50"\ninput = "x"', "input: only with file; remove it"),
    ('name = "net"\nfile = "net.pb"', "file 'net.pb': not a directory, and none of .keras (K"),
    ('name = "net"\nfile = "a.onnx"\nweights = "random"', "weights and file: "),
    ('name = "ResNet50"\nscaling = "cafe"', "unknown scaling 'cafe'; did you mean caffe? known"),
    ('name = "ResNet50"\nscaling = ["tf"]', "scaling: input should be a name or {mean = [...], "),
    ('name = "ResNet50"\nscaling = {mean = [1, 2]}', "missing value scaling.mean.3"),
    (
        'name = "EfficientNetB0"\nscaling = {mean = [1, 2, 3]}',
        "EfficientNetB0 scales its input itself; remove scaling = 'RGB, mean 1, 2, 3, std 1, 1, 1'",
    ),
]


@pytest.mark.parametrize(("keys", "words"), BACKBONES, ids=[row[1] for row in BACKBONES])
def test_a_backbone_that_cannot_be_so_is_refused(tmp_path, keys, words):
    """By its name, with one problem for one mistake."""
    line = refusal(tmp_path, f"[[backbone]]\n{keys}")
    assert re.match(rf"backbone \w+: {re.escape(words)}", line)
    assert 1 == line.count("backbone ")


def test_a_file_from_elsewhere_is_computed_in_float32_only(tmp_path):
    """As a .keras file is."""
    rows = '[[backbone]]\nname = "net"\nfile = "a.onnx"\n[features]\nprecision = "bfloat16"'
    assert "net is computed only in float32" in refusal(tmp_path, rows)


def test_a_backbone_is_scaled_by_given_numbers(tmp_path):
    """BGR minus a mean, as face networks take it."""
    row = '[[backbone]]\nname = "net"\nfile = "a.onnx"\nscaling = {mean = [91, 104, 129]}'
    assert Normalisation((91.0, 104.0, 129.0)) == load(tmp_path, row).backbone[-1].scaling


def test_a_loaded_benchmark_can_be_checked_again(tmp_path):
    """As `gfr.run_benchmark` does with a benchmark that was changed in Python."""
    rows = (
        f'[[reference]]\nlabel = "a"\n{FILE}scaling = {{mean = [1, 2, 3]}}\ncrop = [0, 0, 1, 0.5]\n'
    )
    loaded = load(tmp_path, f'{rows}[[reference]]\nlabel = "b"\n{CSV}')
    assert loaded == loader.check(dataclasses.asdict(loaded), tmp_path / "elsewhere")


def test_files_that_do_not_exist_are_named(tmp_path):
    """Those of backbones and of references."""
    rows = '[[backbone]]\nname = "net"\nfile = "saved"\n'
    rows += f'[[reference]]\nlabel = "a"\n{FILE}[[reference]]\nlabel = "b"\n{CSV}'
    loaded = load(tmp_path, rows)
    assert [
        f"{tmp_path}/saved: no such directory; `file` is relative to the benchmark file's folder",
        f"{tmp_path}/net.onnx: no such file; `file` is relative to the benchmark file's folder",
        f"{tmp_path}/a.csv: no such file; `predictions` is relative to the benchmark file's folder",
    ] == loader.absences(loaded)
    (tmp_path / "saved").mkdir()
    for name in ("net.onnx", "a.csv"):
        (tmp_path / name).write_text("")
    assert [] == loader.absences(loaded)


def test_the_command_that_fetches_a_missing_package_is_named(tmp_path, monkeypatch):
    """Only of packages that the catalog has."""
    monkeypatch.setattr(model_files, "ROOT", tmp_path)
    path = tmp_path / "models" / "human-models" / "models" / "faceres.json"
    assert "; `file` is relative" in loader.absence(path)
    (tmp_path / "benchmarks").mkdir()
    catalog = tmp_path / "benchmarks" / "models.toml"
    catalog.write_text('[models.human-models]\npackage = "p"\n')
    expected = f"{path}: no such file; fetch it: gfr models fetch human-models"
    assert expected == loader.absence(path)
    assert "; `file` is relative" in loader.absence(tmp_path / "models" / "other" / "a.json")
