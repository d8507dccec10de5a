"""One image at a time through the fused model: pixels to probability, float32."""

from gfr import backbones

NUM_WARMUPS, NUM_CALLS = 10, 80


def test_one_image(measure, fused, images):
    """What a user of the deployed model waits for."""
    measure(lambda: backbones.run_batch(fused, images[:1]), NUM_WARMUPS, NUM_CALLS)
