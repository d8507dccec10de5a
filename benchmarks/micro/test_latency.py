"""One image at a time through the fused model: pixels to probability, float32."""

from functools import partial

from gfr.models.fused_model import run_batch

NUM_WARMUPS, NUM_CALLS = 10, 80


def test_one_image(measure, fused, alone, images):
    """What a user of the deployed model waits for."""
    measure(partial(run_batch, fused, images[:1]), alone(1), NUM_WARMUPS, NUM_CALLS)
