"""Batches of 64 images through the frozen backbone: pixels to pooled features, float32."""

from conftest import pixels

from gfr import backbones

BATCH = 64
NUM_WARMUPS, NUM_CALLS = 1, 6


def test_batch_of_64(benchmark, measure, extraction):
    """What a feature set is made of; images/s stands in the saved file."""
    images = pixels(BATCH)
    measure(lambda: backbones.run_batch(extraction, images), NUM_WARMUPS, NUM_CALLS)
    if benchmark.stats is not None:
        benchmark.extra_info["images_per_s"] = BATCH / benchmark.extra_info["p50_s"]
