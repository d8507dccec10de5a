"""One image at a time through the fused model: pixels to probability, float32."""

from functools import partial

from gfr.models.fused_model import compiled, fuse, run_batch
from gfr.models.head import build


def test_one_image(measure, backbone, alone, images):
    """What a user of the deployed model waits for."""
    fused = fuse(backbone, 1.0, build(backbone.output.shape[-1], seed=1024))
    call = partial(run_batch, compiled(fused), images[:1])
    measure(call, alone(1), num_warmups=10, num_rounds=80)
