"""Which weights, and what is said of them."""

import errno
import os

import h5py
import numpy as np
import pytest

from gfr.config.keras_applications import APPLICATIONS
from gfr.config.schema import Backbone, FeatureSet
from gfr.errors import InputError
from gfr.models import weights
from gfr.pipeline import doctor, request
from gfr.pipeline.run_options import RunOptions

VGG16 = Backbone("VGG16", "tf", "", "VGG16")
SMALL = Backbone("MobileNetV2", "tf", "", "MobileNetV2")


def write_hdf5(path, value):
    """A file that could hold weights."""
    with h5py.File(path, "w") as file:
        file["value"] = value


@pytest.fixture
def empty_keras_home(tmp_path, monkeypatch):
    """A Keras cache without files."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def test_a_directory_comes_first_then_keras_cache(tmp_path, empty_keras_home):
    """Decided per backbone, by the file's name alone."""
    name = APPLICATIONS["VGG16"].weights_file
    cached = empty_keras_home / "models" / name
    cached.parent.mkdir(parents=True)
    write_hdf5(cached, 1)
    given = tmp_path / "given"
    given.mkdir()
    found = weights.resolve(VGG16, str(given), 1, tmp_path, allow_download=False)
    assert ("imagenet", str(cached), "") == (found.source, found.path, found.note)
    write_hdf5(given / name, 2)
    found = weights.resolve(VGG16, str(given), 1, tmp_path, allow_download=False)
    assert ("directory", str(given / name)) == (found.source, found.path)


@pytest.mark.parametrize("num_bytes", [0, 11, 3000])
@pytest.mark.parametrize("place", ["cache", "directory"])
def test_a_download_cut_short_is_refused_where_it_is_found(
    tmp_path, empty_keras_home, num_bytes, place
):
    """Keras writes straight to the final name: a killed download leaves half of a file there."""
    folder = {"cache": empty_keras_home / "models", "directory": tmp_path / "given"}[place]
    folder.mkdir(parents=True)
    path = folder / APPLICATIONS["VGG16"].weights_file
    write_hdf5(path, np.zeros(1000))
    path.write_bytes(path.read_bytes()[:num_bytes])
    asked = "auto" if place == "cache" else str(folder)
    for look in (weights.locate, lambda *row: weights.resolve(*row, 1, tmp_path, False)):
        with pytest.raises(InputError, match=r"not a complete HDF5 file .* download of VGG16 cut"):
            look(VGG16, asked)


def test_weights_that_may_not_be_read_are_not_called_cut_short(tmp_path, monkeypatch):
    """To delete them would be wrong."""
    path = tmp_path / APPLICATIONS["VGG16"].weights_file
    path.touch()

    def refuse(*_):
        raise PermissionError(errno.EACCES, "of HDF5")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(InputError, match=rf"{path.name}: cannot be read \(Permission denied\)$"):
        weights.locate(VGG16, str(tmp_path))


def test_a_user_without_a_home_has_no_cache_of_keras(monkeypatch):
    """As in a container with `--user 12345`; `gfr doctor` looks there too."""
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert weights.in_keras_cache("VGG16") is None


def test_weights_cut_short_stop_a_run_before_anything_is_computed(tmp_path, empty_keras_home):
    """Before data are read by a step; `gfr doctor` says the same."""
    path = empty_keras_home / "models" / APPLICATIONS["MobileNet"].weights_file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    options = RunOptions(
        *("tiny", "synthetic", "auto", "r"),
        reports=str(tmp_path / "reports"),
        cache=str(tmp_path / "cache"),
    )
    with pytest.raises(InputError, match="not a complete HDF5 file"):
        request.check(request.request(options))
    found = {row.subject: row for row in doctor.examine(options)}["weights MobileNet"]
    assert ("bad", True) == (found.status, "not a complete HDF5 file" in found.finding)


def test_auto_ends_in_random_weights_and_says_so(tmp_path, empty_keras_home):
    """The note stands beside every number, the reason in the record."""
    found = weights.resolve(SMALL, "auto", 1, tmp_path, allow_download=False)
    assert ("random", "random weights (not comparable)") == (found.source, found.note)
    assert "not in Keras' cache; download not allowed" == found.why


def test_imagenet_that_cannot_be_had_is_an_error(tmp_path, empty_keras_home):
    """Asked for by name, nothing else will do."""
    with pytest.raises(InputError, match="ImageNet weights of VGG16 are unavailable"):
        weights.resolve(VGG16, "imagenet", 1, tmp_path, allow_download=False)


def test_a_failed_download_says_so(tmp_path, empty_keras_home, monkeypatch):
    """A host that does not answer: random weights, with the reason."""
    monkeypatch.setattr(weights, "_HOST", "http://127.0.0.1:9")
    found = weights.resolve(SMALL, "auto", 1, tmp_path, allow_download=True)
    assert "random" == found.source
    assert "download failed at once" in found.why


def test_a_row_of_the_file_outranks_the_run(tmp_path, empty_keras_home):
    """`weights = "random"` in one row."""
    row = Backbone("MobileNetV2", "tf", "random", "MobileNetV2")
    found = weights.resolve(row, "imagenet", 1, tmp_path, allow_download=False)
    assert ("random", "as requested") == (found.source, found.why)


def test_random_weights_follow_from_the_seed(tmp_path):
    """Drawn twice they are the same file, byte for byte; another seed gives another."""
    digests = [
        weights.resolve(SMALL, "random", seed, tmp_path / folder, allow_download=False).sha256
        for seed, folder in [(1, "a"), (1, "b"), (2, "a")]
    ]
    assert digests[0] == digests[1] != digests[2]


def test_calibration_gives_unit_spread():
    """The root of the mean variance per dimension becomes 1."""
    features = np.random.default_rng(0).normal(5, 0.003, (256, 64)).astype(np.float32)
    scaled = weights.calibrate(features) * features
    assert pytest.approx(1.0, rel=1e-5) == float(np.sqrt(scaled.var(axis=0).mean()))
    assert 1.0 == weights.calibrate(np.float32(1e-44) * features)  # below what float32 can hold


@pytest.mark.parametrize("content", [b"", b"no HDF5", "another network", "cut short"])
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path, content, recwarn):
    """Empty, text, the weights of another backbone, or half of a file."""
    from gfr.models import backbone

    path = tmp_path / APPLICATIONS["VGG16"].weights_file
    if isinstance(content, str):
        import keras

        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(
            tmp_path / "x.weights.h5"
        )
        path = tmp_path / "x.weights.h5"
        if content == "cut short":
            path.write_bytes(path.read_bytes()[:3000])
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="no weights of VGG16 without top"):
        backbone.build(FeatureSet(VGG16, (32, 32), "fixed", "float32"), path)
    assert [] == [row for row in recwarn if "Skipping" in str(row.message)]  # one line is enough
