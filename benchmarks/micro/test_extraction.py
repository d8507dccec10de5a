"""Batches of 64 images through the frozen backbone: pixels to pooled features, float32."""

from functools import partial

from gfr.models.fused_model import compiled, run_batch


def test_batch_of_64(measure, backbone, alone, images):
    """What a feature set is made of."""
    extract = partial(run_batch, compiled(backbone), images)
    # 16 images take a quarter of the time.
    measure(extract, alone(16), num_warmups=1, num_rounds=6)
