"""Batches of 64 images through the frozen backbone: pixels to pooled features, float32."""

from functools import partial

from gfr.models.fused_model import compiled, run_batch

NUM_WARMUPS, NUM_CALLS = 1, 6
NUM_BESIDE = 16  # images of the witness: a quarter of the time


def test_batch_of_64(measure, backbone, alone, images):
    """What a feature set is made of."""
    extract = partial(run_batch, compiled(backbone), images)
    measure(extract, alone(NUM_BESIDE), NUM_WARMUPS, NUM_CALLS)
