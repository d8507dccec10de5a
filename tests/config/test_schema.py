"""Benchmark files: what they mean, and what is refused by name."""

import re
import tomllib
from dataclasses import MISSING, fields, is_dataclass
from typing import get_args, get_type_hints

import pytest

from gfr import engines
from gfr.config import benchmark_files, loader, schema
from gfr.config.schema import Selecting
from gfr.errors import InputError
from gfr.storage import paths

FULL = benchmark_files.benchmark_file("full")


def load_edited(tmp_path, old, new):
    """full.toml with one edit."""
    text = FULL.read_text()
    assert old in text
    path = tmp_path / "edited.toml"
    path.write_text(text.replace(old, new, 1))
    return loader.load(path)


def test_full_is_the_published_experiment():
    """Three backbones x three iterations: nine trials on six feature sets."""
    full = loader.load(FULL)
    assert (9, 6) == (len(full.trials), len(full.feature_sets))
    assert [(128, 128), (128, 128), (178, 218)] == [row.size for row in full.iteration]
    assert [20, 50, 20] == [row.epochs for row in full.iteration]
    assert {"tf"} == {row.scaling for row in full.backbone}
    assert (64, 1024) == (full.training.batch_size, full.seed)


def test_iterations_1_and_2_share_their_features():
    """They differ in epochs alone."""
    first, second, third = (row.feature_set for row in loader.load(FULL).trials[:3])
    assert first == second
    assert first != third


def test_a_tenth_trial_is_a_row(tmp_path):
    """The mended portrait size for one backbone: nothing but one row in the file."""
    row = '[[iteration]]\nnumber = 4\nsize = [218, 178]\nepochs = 7\nbackbones = ["VGG16"]\n'
    path = tmp_path / "ten.toml"
    path.write_text(FULL.read_text() + row)
    tenth = loader.load(path).trials[3]
    assert 10 == len(loader.load(path).trials)
    assert ("VGG16 / iteration 4", (218, 178)) == (tenth.title, tenth.iteration.size)


def test_a_new_row_has_the_backbones_own_scaling(tmp_path):
    """Only what a row leaves open is filled in."""
    edited = load_edited(tmp_path, 'name = "InceptionV3"\nscaling = "tf"', 'name = "ResNet50"')
    assert ["tf", "caffe", "tf"] == [row.scaling for row in edited.backbone]


def test_one_backbone_may_stand_twice_under_two_labels(tmp_path):
    """VGG16 in two scalings side by side."""
    edited = load_edited(
        tmp_path,
        'name = "InceptionV3"\nscaling = "tf"',
        'name = "VGG16"\nlabel = "VGG16-own"'.replace("-", "_"),
    )
    assert "VGG16_own-128x128" == edited.feature_sets[2].id


REFUSED = [
    ("seed = 1024", "sede = 1024", "unknown key sede; did you mean seed?; missing key seed"),
    ("[training]", "[trainnig]", "unknown key trainnig; did you mean training?; missing key train"),
    ("seed = 1024", "seed = 1024\nqqq = 1", "unknown key qqq; remove it or fix its spelling"),
    (
        "epochs = 20",
        "epochs = 20\nepohcs = 3",
        "iteration 1: unknown key epohcs; did you mean epochs?",
    ),
    ("number = 2", "number = 7\nepohcs = 3", "iteration 7: unknown key epohcs"),
    ("number = 2", "epohcs = 3", "did you mean epochs?; [[iteration]] no. 2: missing key number"),
    ("epochs = 20", 'epochs = "20"', "iteration 1: epochs: "),
    ("epochs = 20", "epochs = 0", "iteration 1: epochs: "),
    ('"VGG16"', '"VGG17"', "unknown name 'VGG17'; did you mean VGG19? known: ConvNeXtBase"),
    ('scaling = "tf"', 'scaling = "tff"', "unknown scaling 'tff'"),
    ('name = "VGG16"', 'name = "EfficientNetB0"', "EfficientNetB0 scales its input itself"),
    ("size = [128, 128]", "size = [74, 128]", "InceptionV3 needs at least 75 px"),
    ('name = "InceptionV3"', 'name = "NASNetMobile"', "NASNetMobile cannot take any size"),
    ("size = [128, 128]", "size = [128, 99999]", "iteration 1: size.2: "),
    ("size = [128, 128]", "size = [128]", "iteration 1: missing value size.2"),
    ("number = 2", "number = 1", "number 1 is used twice"),
    ("number = 2", "number = 1\nepohcs = 3", "iteration 1: unknown key epohcs"),
    ("images = 5000", "images = 5", "data.images: input should be greater than or equal to 10"),
    ("seed = 1024", "seed = 0x" + 5000 * "f", "digits) for integer string conversion"),
    ('name = "VGG16"', 'name = "V\\nG"\nweights = 3', r"backbone V\nG: weights: "),
    ('name = "InceptionV3"', 'name = "VGG16"', "label 'VGG16' is used twice"),
    ("freeze = true", "freeze = false", "training.freeze = false"),
    ("freeze = true", "freeze = true\naugmentation = true", "training.augmentation"),
    ('scaling = "tf"', "augment = true", "backbone VGG16: augment: gfr computes"),
    ('input = "fixed"', 'input = "any"', "one size with input"),
    ("test_fraction = 0.2", "test_fraction = 0.8", "leave nothing to train on"),
    ("test_fraction = 0.2", "test_fraction = nan", "data.test_fraction"),
    ("images = 5000", 'images = "some"', "data.images"),
    ("seeds = 5", "seeds = 0", "training.seeds"),
    ("seeds = 5", "fractions = [0.5, 0.25]", "fractions must increase"),
    ("images = 5000", 'images = 5000\nsplit = "person"', "data.split"),
    ("images = 5000", 'images = 5000\nsplit = "official"\nsplits = 3', "Set splits = 1"),
    ("schema = 1", "schema = 2", "schema"),
    ('name = "full"', 'name = "../full"', "name"),
    ("[data]", "[selection]\nmax_size_mb = 0\n[data]", "selection.max_size_mb"),
    (
        "[data]",
        '[latency]\nengines = ["lightrt"]\n[data]',
        "latency.engines: unknown engine 'lightrt'; did you mean litert? known: tensorflow",
    ),
    ("[data]", '[latency]\nengines = ["litert", "litert"]\n[data]', "an engine is listed twice"),
    ("[data]", '[latency]\nengines = "litert"\n[data]', "latency.engines: "),
    (
        "[data]",
        '[selection]\nprefer = "speed"\n[data]',
        "selection.prefer: input should be 'accuracy', 'loss', 'latency' or 'size', got 'speed'",
    ),
    ("[data]", "[data", "not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "words"), REFUSED)
def test_what_is_wrong_is_refused_by_name(tmp_path, old, new, words):
    """One line that names the file, the place and what is wrong there."""
    with pytest.raises(InputError) as refused:
        load_edited(tmp_path, old, new)
    assert words in str(refused.value)
    assert "edited.toml" in str(refused.value)
    assert 1 == len(str(refused.value).splitlines())


def test_a_run_with_the_official_split_repeats_no_split_and_compares_with_a_random_one(tmp_path):
    """There is one official partition."""
    official = load_edited(tmp_path, "images = 5000", 'images = 5000\nsplit = "official"')
    rules = {(row.changed, row.rule) for row in official.refits(has_identity=True)}
    assert {("seed", "official"), ("fraction", "official"), ("rule", "random")} == rules


def test_limits_that_are_given_replace_the_benchmarks(tmp_path):
    """One from the command line, one from the file; what is no amount is refused by name."""
    table = '[selection]\nmax_latency_ms = 9\nmax_size_mb = 99\nprefer = "loss"\n[data]'
    limited = load_edited(tmp_path, "[data]", table)
    given = Selecting(max_latency_ms=20.0)
    assert Selecting(20.0, 99, "loss") == loader.limited(limited, given).selection
    for value in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match=r"max_size_mb = .*: must be above 0"):
            loader.limited(limited, Selecting(max_size_mb=value))


def test_the_names_of_engines_are_those_of_the_engines():
    """The package gfr.config comes before gfr.engines and cannot ask it."""
    assert {name: engine.title for name, engine in engines.ENGINES.items()} == schema.ENGINES


def test_the_page_of_keys_has_every_key_with_its_default():
    """docs/benchmark-file.md against the tables themselves."""
    page = (paths.ROOT / "docs" / "benchmark-file.md").read_text()
    told = dict(re.findall(r"^\| `([\w.]+)` \| ([^|]*) \|", page, re.MULTILINE))
    expected = {}
    hints = get_type_hints(schema.Benchmark)
    for top in fields(schema.Benchmark):
        kinds = (hints[top.name], *get_args(hints[top.name]))
        table = next((kind for kind in kinds if is_dataclass(kind)), None)
        rows = fields(table) if table else [top]
        for row in rows:
            name = f"{top.name}.{row.name}" if table else row.name
            expected[name] = "-" if row.default is MISSING else row.default
    assert expected.keys() == told.keys()
    words = {"backbone.scaling", "backbone.weights", "backbone.label"}
    words |= {"iteration.backbones", "export.precisions", "export.formats"}
    for name, default in expected.items():
        shown = told[name].strip("`")
        if name in words:
            assert default in ("", (), None, get_args(schema.WebPrecision))
        elif default in (None, "", ()):
            assert "none" == shown
        elif default == "-":
            assert "-" == shown
        else:
            value = list(default) if isinstance(default, tuple) else default
            assert tomllib.loads(f"x = {shown}") == {"x": value}
