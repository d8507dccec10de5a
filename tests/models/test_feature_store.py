"""Features on disk."""

import numpy as np
import pytest

from gfr.models import feature_store


@pytest.fixture
def stored(tmp_path):
    """1,100 rows of 3 in three shards."""
    features = np.arange(3300, dtype=np.float32).reshape(1100, 3)
    feature_store.create(tmp_path, {"backbone": "VGG16"}, [f"{i}.jpg" for i in range(1100)])
    for shard in range(3):
        feature_store.write(
            tmp_path, shard, features[shard * feature_store.ROWS : (shard + 1) * feature_store.ROWS]
        )
    return tmp_path, features


def test_rows_come_back_in_the_order_asked_for(stored):
    """Across shards, repeated, scaled."""
    directory, features = stored
    wanted = np.array([1099, 0, 511, 512, 0])
    assert features[wanted].tolist() == feature_store.read(directory).rows(wanted).tolist()
    assert (2 * features[wanted]).tolist() == feature_store.read(directory).rows(
        wanted, 2.0
    ).tolist()


def test_a_flipped_bit_is_found_and_only_that_shard_is_lost(stored):
    """A damaged shard counts as missing; its neighbours stay."""
    directory, _ = stored
    path = feature_store.intact(directory, 1)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [True, False, True] == [feature_store.intact(directory, k) is not None for k in range(3)]
    with pytest.raises(FileNotFoundError, match="shard 1 is missing or damaged"):
        feature_store.read(directory)


def test_a_fresh_run_forgets_once(stored):
    """What it computes itself survives its own retry."""
    directory, features = stored
    feature_store.forget_once(directory, "night-1")
    assert [None] * 3 == [feature_store.intact(directory, k) for k in range(3)]
    feature_store.write(directory, 0, features[: feature_store.ROWS])
    feature_store.forget_once(directory, "night-1")
    assert feature_store.intact(directory, 0) is not None
    feature_store.forget_once(directory, "night-2")
    assert feature_store.intact(directory, 0) is None
