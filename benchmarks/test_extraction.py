"""Batches of 64 images through the frozen backbone: pixels to pooled features, float32."""

from gfr import backbones

NUM_WARMUPS, NUM_CALLS = 1, 6


def test_batch_of_64(benchmark, measure, extraction, images):
    """What a feature set is made of; images/s stands in the saved file."""
    measure(lambda: backbones.run_batch(extraction, images), NUM_WARMUPS, NUM_CALLS)
    if benchmark.stats is not None:
        benchmark.extra_info["images_per_s"] = len(images) / benchmark.extra_info["p50_s"]
