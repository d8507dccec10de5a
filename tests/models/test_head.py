"""The head alone, on features made up for the purpose."""

import numpy as np
import pytest

from gfr.models import feature_store, head
from gfr.models.backbone import make_deterministic

NUM_ROWS, NUM_DIMS = 700, 16  # two shards


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two overlapping clouds; is_male is the cloud."""
    directory = tmp_path_factory.mktemp("features")
    rng = np.random.default_rng(0)
    is_male = rng.random(NUM_ROWS) < 0.4
    features = rng.normal(size=(NUM_ROWS, NUM_DIMS)) + 0.4 * is_male[:, np.newaxis]
    feature_store.create(directory, {}, [f"{i:06}.jpg" for i in range(NUM_ROWS)])
    for shard in range(feature_store.num_shards(NUM_ROWS)):
        feature_store.write(
            directory,
            shard,
            features[shard * feature_store.ROWS : (shard + 1) * feature_store.ROWS],
        )
    return feature_store.read(directory), is_male


def train(table, epochs, seed=1024):
    """Train on the first 500 rows, validate on the next 100; return the logits of the last 100."""
    make_deterministic()
    features, is_male = table
    fit = head.trainer(features, 1.0, is_male, 64)
    model, history = fit(np.arange(500), np.arange(500, 600), epochs, seed, lambda *_: None)
    return head.logits(model, features, 1.0, np.arange(600, 700)), history


def test_iteration_1_is_a_prefix_of_iteration_2(table):
    """Same seed, more epochs: the first epochs are the same to the last digit."""
    _, short = train(table, 3)
    _, long = train(table, 6)
    assert short.loss == long.loss[:3]
    assert short.val_accuracy == long.val_accuracy[:3]


def test_two_trainings_are_identical(table):
    """Probabilities equal to the last bit; another seed gives others."""
    first, _ = train(table, 3)
    assert first.tolist() == train(table, 3)[0].tolist()
    assert first.tolist() != train(table, 3, seed=7)[0].tolist()


def test_a_trainer_begins_anew_each_time(table):
    """A second training in one trainer is what a first would have been: Adam and all."""
    make_deterministic()
    features, is_male = table
    fit = head.trainer(features, 1.0, is_male, 64)
    rows = np.arange(500), np.arange(500, 600)
    fit(*rows, 4, 7, lambda *_: None)
    model, history = fit(*rows, 3, 1024, lambda *_: None)
    expected = train(table, 3)
    assert expected[0].tolist() == head.logits(model, features, 1.0, np.arange(600, 700)).tolist()
    assert expected[1] == history


def test_the_head_learns(table):
    """Two clouds that a straight line tells apart in nine of ten cases."""
    logits, history = train(table, 15)
    assert history.loss[-1] < 0.6 * history.loss[0]
    assert np.mean((logits > 0) == table[1][600:]) > 0.75
