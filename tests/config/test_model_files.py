"""A user's model file before Keras opens it: code, bombs, damage."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from test_custom_model import conv, network

from gfr.errors import InputError
from gfr.models import custom_model
from gfr.models.external import keras_file


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A small model file."""
    path = tmp_path_factory.mktemp("model") / "m.keras"
    keras.utils.clear_session()  # or its layers are numbered on from another test's
    network(conv(), keras.layers.BatchNormalization()).save(path)
    return path


def packed(source, target, method=zipfile.ZIP_STORED, **members):
    """The archive again with some members replaced, None: left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for name, content in ({row: old.read(row) for row in old.namelist()} | members).items():
            if content is not None:
                new.writestr(name, content)
    return target


def described(archive, change):
    """config.json with something changed in it, as bytes."""
    config = json.loads(zipfile.ZipFile(archive).read("config.json"))
    change(config["config"]["layers"][1])
    return json.dumps(config).encode()


CONFIGS = [
    (
        {"class_name": "TFSMLayer", "module": "keras.layers"},
        "TFSMLayer 'conv2d' of keras.layers is not accepted",
    ),
    (
        {"class_name": "Mine", "module": "my.code"},
        "Mine 'conv2d' of my.code is not accepted",
    ),
    ({"class_name": "function", "module": "builtins"}, "function 'conv2d' of builtins"),
    ({"class_name": "load_model", "module": "keras.models"}, "load_model 'conv2d' of keras.models"),
    ({"class_name": "Conv2D", "module": None}, "Conv2D"),
    ({"registered_name": "pack>Conv2D"}, "pack>Conv2D 'conv2d' of keras.layers"),
    (
        {"class_name": "StringLookup", "module": "keras.layers"},
        "StringLookup 'conv2d' of keras.layers",
    ),
    ({"class_name": ["Conv2D"]}, "['Conv2D'] 'conv2d' of keras.layers is not accepted"),
]


@pytest.mark.parametrize(("changes", "words"), CONFIGS, ids=[row[1] for row in CONFIGS])
def test_a_configuration_that_names_code_never_reaches_keras(archive, tmp_path, changes, words):
    """Also what Keras' safe mode has let through."""
    config = described(archive, lambda layer: layer.update(changes))
    path = packed(archive, tmp_path / "m.keras", **{"config.json": config})
    with pytest.raises(InputError) as refused:
        custom_model.check(path)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"assets/words.txt": b"a"}, "assets/words.txt', but a model of images holds config.json"),
        ({"../evil.py": b"a"}, "../evil.py', but a model of images holds config.json"),
        (
            {"model.weights.h5": None},
            "holds 'metadata.json, config.json', but a model of images holds config.json",
        ),
        ({"model.weights.h5": bytes(60_000_000)}, "refused as a bomb"),
        ({"config.json": b"[" * 9000}, "not a Keras model file"),
        ({"config.json": b"[]"}, "describes no model"),
    ],
)
def test_an_archive_that_holds_something_else_is_refused(archive, tmp_path, members, words):
    """Files beside, files lacking, sixty megabytes of nothing."""
    path = packed(archive, tmp_path / "m.keras", zipfile.ZIP_DEFLATED, **members)
    with pytest.raises(InputError) as refused:
        custom_model.check(path)
    assert words in str(refused.value)


def test_a_file_that_is_none_or_not_there_is_refused(tmp_path):
    """Missing, text, HDF5 under another ending."""
    path = tmp_path / "m.keras"
    with pytest.raises(InputError, match="no such file"):
        custom_model.check(path)
    for content in (b"", b"text", b"\x89HDF\r\n\x1a\n" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a Keras model file"):
            custom_model.check(path)


def test_a_hundred_spoilt_files_are_refused_or_whole(archive, tmp_path):
    """One byte changed, or cut: what is let through gives the same answers."""
    whole, rng = archive.read_bytes(), np.random.default_rng(0)
    pixels = np.ones((1, 9, 9, 3), np.float32)
    expected = np.asarray(keras_file.load(archive)(pixels))
    path, num_refused = tmp_path / "m.keras", 0
    for case in range(100):
        spoilt = bytearray(whole)
        place = int(rng.integers(len(whole)))
        spoilt[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(spoilt[:place]) if case % 4 == 0 else bytes(spoilt))
        try:
            custom_model.check(path)
            assert np.array_equal(expected, np.asarray(keras_file.load(path)(pixels)))
        except InputError as error:
            assert 1 == len(str(error).splitlines()) and str(path) in str(error)
            num_refused += 1
    assert num_refused > 80


def test_weights_that_the_file_lacks_are_not_drawn_at_random(archive, tmp_path):
    """The weights of a smaller model under the configuration of a larger one."""
    other = tmp_path / "other.keras"
    network(conv(), keras.layers.BatchNormalization(), conv()).save(other)
    members = {"model.weights.h5": zipfile.ZipFile(archive).read("model.weights.h5")}
    path = packed(other, tmp_path / "m.keras", **members)
    custom_model.check(path)
    with pytest.raises(InputError, match="cannot load it"):
        keras_file.load(path)


HOSTILE_KERNELS = {
    "a shape of 10 PB": {"shape": (50_000_000, 50_000_000), "chunks": (1000, 1000)},
    "another file's bytes": {"external": [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]},
}


@pytest.mark.parametrize("keywords", HOSTILE_KERNELS.values(), ids=HOSTILE_KERNELS)
def test_weights_that_exhaust_memory_or_read_other_files_are_refused(archive, tmp_path, keywords):
    """CVE-2026-0897, CVE-2026-1669: the file passes the checks, and Keras refuses its weights."""
    weights = tmp_path / "w.h5"
    weights.write_bytes(zipfile.ZipFile(archive).read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = next(row for row in names if getattr(file[row], "ndim", 0) == 4)
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, dtype="f4", **{"shape": shape} | keywords)
    path = packed(archive, tmp_path / "m.keras", **{"model.weights.h5": weights.read_bytes()})
    custom_model.check(path)
    with pytest.raises(InputError, match="cannot load it"):
        keras_file.load(path)
