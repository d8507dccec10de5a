"""One image at a time through the fused model: pixels to probability, float32."""

from functools import partial

import pytest

from gfr import engines
from gfr.models.fused_model import compiled, run_batch


def test_one_image(measure, fused, alone, images):
    """What a user of the deployed model waits for."""
    call = partial(run_batch, compiled(fused), images[:1])
    measure(call, alone(1), num_warmups=10, num_rounds=80)


def test_one_image_litert(request, measure, alone, images):
    """The same in LiteRT; a saved run counts only with the same version of it."""
    engine = engines.get("litert")
    if reason := engine.unavailable():
        pytest.skip(reason)
    call = partial(engine.load(request.getfixturevalue("litert_file")), images[:1])
    name = f"{engine.title} {engine.version()}"
    measure(call, alone(1), num_warmups=10, num_rounds=80, engine=name)
