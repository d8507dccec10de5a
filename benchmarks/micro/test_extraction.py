"""Batches of 64 images through the frozen backbone: pixels to pooled features, float32."""

from functools import partial

from gfr.models.fused_model import run_batch

NUM_WARMUPS, NUM_CALLS = 1, 6
NUM_BESIDE = 16  # images of the witness: a quarter of the time


def test_batch_of_64(benchmark, measure, extraction, alone, images):
    """What a feature set is made of; images/s stands in the saved file."""
    measure(partial(run_batch, extraction, images), alone(NUM_BESIDE), NUM_WARMUPS, NUM_CALLS)
    if benchmark.stats is not None:
        benchmark.extra_info["images_per_s"] = len(images) / benchmark.extra_info["p50_s"]
