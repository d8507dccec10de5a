"""One image at a time through the fused model: pixels to probability, float32."""

from conftest import pixels

from gfr import backbones

NUM_WARMUPS, NUM_CALLS = 10, 80


def test_one_image(measure, fused):
    """What a user of the deployed model waits for."""
    image = pixels(1)
    measure(lambda: backbones.run_batch(fused, image), NUM_WARMUPS, NUM_CALLS)
