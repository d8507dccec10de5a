"""Features that no head can learn from, and shards of a step that fails."""

import dataclasses

import numpy as np
import pytest

from gfr.config.schema import Backbone, FeatureSet
from gfr.data.dataset import load
from gfr.data.inspection import inspect
from gfr.errors import CannotWrite, InputError
from gfr.models import feature_extraction, feature_store, fused_model
from gfr.models.precision import Choice
from gfr.models.weights import Weights
from gfr.storage import hashing

CHOICE = Choice("VGG16-32x32", "float32", "as requested", "not run")
NUM_IMAGES = 20


def quiet(done, total):
    """No progress."""


@pytest.fixture
def job(celeba, tmp_path, monkeypatch):
    """Twenty images, shards of eight, and a network that is never built."""
    feature_set = FeatureSet(Backbone("VGG16", "caffe", "", "VGG16"), (32, 32), "fixed", "auto")
    faces = inspect(load(celeba(NUM_IMAGES), "all", 1).faces, quiet)[0]
    path = tmp_path / "weights.h5"
    path.write_bytes(b"weights")
    digest = hashing.file_sha256(path)
    monkeypatch.setattr(feature_store, "ROWS", 8)
    monkeypatch.setattr(feature_extraction, "batch_size_of", lambda _: 4)
    monkeypatch.setattr(feature_extraction.Job, "graph", lambda *_: None)
    used = Weights("VGG16", "imagenet", str(path), digest, "", "")
    return feature_extraction.Job(feature_set, faces, used, "digest", tmp_path)


def gives(monkeypatch, value, row=None):
    """Have the network answer ones, and `value` for one image of a batch or for all."""

    def run_batch(_, images):
        features = np.ones((len(images), 3), np.float32)
        features[slice(None) if row is None else row] = value
        return features

    monkeypatch.setattr(fused_model, "run_batch", run_batch)


def extract(job):
    """How many images were computed and how many reused."""
    done, _ = feature_extraction.extract(job, CHOICE, feature_store.WHOLE, "", quiet)
    return done.num_computed, done.num_reused


def shards(job):
    """The files that a next run would reuse."""
    return sorted(job.directory("float32").glob("*.npy"))


@pytest.mark.parametrize(
    ("value", "row", "words"),
    [
        (np.nan, 2, "NaN or infinite for 2 of 8 images"),
        (-np.inf, None, "NaN or infinite for 8 of 8 images"),
        (0.0, None, "zero for all 20 images"),
    ],
)
def test_unusable_features_are_rejected_by_the_name_of_their_set(
    job, value, row, words, monkeypatch
):
    """A head would learn nothing from them, and every number after it would look right."""
    gives(monkeypatch, value, row)
    with pytest.raises(InputError) as refused:
        extract(job)
    message = str(refused.value)
    assert message.startswith(f"{job.feature_set.title}: its features are {words}. Check ")
    assert job.weights.path in message and 'scaling = "caffe"' in message
    assert [] == shards(job)


def test_random_weights_may_underflow(job, monkeypatch):
    """Drawn weights of deep networks do; one image without a feature is no reason either."""
    gives(monkeypatch, 0.0, 1)
    assert (NUM_IMAGES, 0) == extract(job)
    gives(monkeypatch, 0.0)
    random = dataclasses.replace(job.weights, source="random")
    assert (NUM_IMAGES, 0) == extract(dataclasses.replace(job, weights=random, pixels_digest="x"))


def test_features_that_cannot_be_compared_are_computed_in_float32(job, monkeypatch):
    """An overflow in bfloat16, or zeros in both: no relative error, and no invalid JSON."""
    for value in (np.nan, 0.0):
        gives(monkeypatch, value)
        check = feature_extraction._checked(job, job.cache / str(value))
        assert check.objection == "bfloat16 features differ by 100.0%"


def test_the_shards_of_a_step_that_fails_are_not_reused(job, monkeypatch):
    """What made it fail may have spoilt them; shards of earlier steps stay."""
    gives(monkeypatch, 1.0)
    extract(job)
    first, *others = shards(job)
    for path in others:
        path.unlink()
    left = [True, True]  # batches before it fails: shard 1

    def run_batch(_, batch):
        left.pop()
        return np.ones((len(batch), 3), np.float32)

    monkeypatch.setattr(fused_model, "run_batch", run_batch)
    with pytest.raises(IndexError):
        extract(job)
    assert [first] == shards(job)
    gives(monkeypatch, 1.0)
    assert (NUM_IMAGES - 8, 8) == extract(job)


def test_an_image_that_changed_costs_no_shard_that_was_written(job, monkeypatch):
    """They are right, and may have taken hours."""
    gives(monkeypatch, 1.0)
    table = job.faces.table.copy()
    table.loc[table.index[-1], "pixels_sha256"] = "of another image"
    changed = dataclasses.replace(job.faces, table=table)
    with pytest.raises(InputError, match="has changed since the run was started"):
        extract(dataclasses.replace(job, faces=changed))
    assert (NUM_IMAGES - 16, 16) == extract(job)


def test_a_full_disk_keeps_the_shards_that_were_written(job, monkeypatch):
    """They are right; with more room the run goes on from there."""
    gives(monkeypatch, 1.0)
    write = feature_store.write

    def full(directory, shard, features):
        if shard == 1:
            raise CannotWrite("no room")
        write(directory, shard, features)

    monkeypatch.setattr(feature_store, "write", full)
    with pytest.raises(CannotWrite):
        extract(job)
    monkeypatch.setattr(feature_store, "write", write)
    assert (NUM_IMAGES - 8, 8) == extract(job)


def test_the_key_has_the_variables_that_change_the_numbers(job, monkeypatch):
    """So their features lie elsewhere."""
    before = job.directory("float32")
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    assert before != job.directory("float32")
    assert {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16"} == job.key_contents("float32")["settings"]
