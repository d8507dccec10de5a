"""One image at a time through the fused model: pixels to probability, float32."""

from functools import partial

from gfr.models.fused_model import compiled, fuse, run_batch
from gfr.models.head import build

NUM_WARMUPS, NUM_CALLS = 10, 80


def test_one_image(measure, backbone, alone, images):
    """What a user of the deployed model waits for."""
    fused = fuse(backbone, 1.0, build(backbone.output.shape[-1], seed=1024))
    measure(partial(run_batch, compiled(fused), images[:1]), alone(1), NUM_WARMUPS, NUM_CALLS)
