"""Fixtures of the pytest-benchmark tests: models built once a session, and how a call is measured.

Weights are drawn from a fixed seed into the cache directory, pixels are noise. The saved JSON has
the figures and facts that tools/compare.py decides on; no test asserts a time.
`GFR_SLOWED="test_report=1.3"` makes that benchmark slower, for validation/alarms.py alone.
"""

import operator
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.slowing import slowed
from gfr.config.keras_applications import APPLICATIONS
from gfr.config.schema import Backbone, FeatureSet
from gfr.measurement import hardware, latency, software
from gfr.regression import fingerprint
from gfr.storage import paths

BACKBONES = ("VGG16", "InceptionV3", "InceptionResNetV2")
SIZE = (128, 128)
SEED = 1024

FACTS = pytest.StashKey[dict[str, str]]()

Call = Callable[[], object]
Measure = Callable[[Call, Call, int, int], None]


def pytest_configure(config: pytest.Config) -> None:
    """Collect what must be equal in comparable runs, before TensorFlow sets variables."""
    config.stash[FACTS] = fingerprint.facts(
        hardware.collect(),
        hardware.num_usable_threads(),
        {name: software.version(name) for name in fingerprint.PACKAGES}
        | {"python": platform.python_version()},
        hardware.settings(),
    )


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict) -> None:
    """Stamp the saved file with it."""
    facts = config.stash[FACTS]
    machine_info["gfr"] = {"fingerprint": fingerprint.fingerprint(facts), "facts": facts}


@pytest.fixture
def measure(benchmark) -> Measure:
    """A function (call, witness, num_warmups, num_rounds) that times both in turns.

    The witness is work of the same kind without gfr.
    """

    def run(call: Call, witness: Call, num_warmups: int, num_rounds: int) -> None:
        victim, _, factor = os.environ.get("GFR_SLOWED", "").rpartition("=")
        if victim == benchmark.name:
            call = slowed(call, float(factor))
        cpu_s: list[float] = []
        witness_s: list[float] = []

        def timed() -> None:
            start_s = time.process_time()
            call()
            cpu_s.append(time.process_time() - start_s)

        def before_each() -> None:
            start_s = time.perf_counter()
            witness()
            witness_s.append(time.perf_counter() - start_s)

        for _ in range(num_warmups):
            witness()
            call()
        before = time.perf_counter(), time.process_time(), latency.busy_s()
        benchmark.pedantic(timed, setup=before_each, rounds=num_rounds)
        wall_s, own_s = time.perf_counter() - before[0], time.process_time() - before[1]
        if benchmark.stats is None:  # --benchmark-disable
            return
        busy_s = latency.busy_s() - before[2]
        benchmark.extra_info |= figures(benchmark.stats.stats.data, cpu_s, witness_s) | {
            "others_share": latency.others_share(busy_s, own_s, wall_s)
        }

    return run


def figures(
    wall_s: Sequence[float], cpu_s: Sequence[float], witness_s: Sequence[float]
) -> dict[str, float | int]:
    """Seconds of each call, on the clock and of own CPU, and of the witness before it.

    -> what is saved of them.
    """
    percentiles = {f"p{q}_s": float(np.percentile(wall_s, q)) for q in (10, 50, 90, 95)}
    return {
        "num_calls": len(wall_s),
        "min_s": min(wall_s),
        **percentiles,
        "cpu_s": statistics.median(cpu_s),
        "cpu_p10_s": float(np.percentile(cpu_s, 10)),
        "witness_s": float(np.percentile(witness_s, 10)),
        "relative": statistics.median(map(operator.truediv, wall_s, witness_s)),
    }


@pytest.fixture(scope="session", params=BACKBONES)
def name(request) -> str:
    """One backbone after the other, all its benchmarks before the next is built."""
    return request.param


@pytest.fixture(scope="session")
def backbone(name) -> Iterator:
    """Pixels -> pooled features at 128x128."""
    import keras  # here, so that the report's benchmark does not pay TensorFlow's start

    from gfr.models import backbone as models_backbone
    from gfr.models import weights

    keras.utils.clear_session()
    own = Backbone(name, APPLICATIONS[name].scaling, label=name)
    feature_set = FeatureSet(own, SIZE, input="fixed", precision="float32")
    path = weights.draw(name, SEED, Path(paths.default_directory("cache")))
    yield models_backbone.build(feature_set, Path(path))


@pytest.fixture(scope="session")
def fused(backbone):
    """Pixels -> probability with a head as gfr trains it, as one graph."""
    from gfr.models import fused_model, head

    untrained = head.build(backbone.output.shape[-1], SEED)
    return fused_model.compiled(fused_model.fuse(backbone, 1.0, untrained))


@pytest.fixture(scope="session")
def extraction(backbone):
    """Pixels -> pooled features, as one graph."""
    from gfr.models import fused_model

    return fused_model.compiled(backbone)


@pytest.fixture(scope="session")
def alone(name, backbone) -> Callable[[int], Call]:
    """A function (number of images) -> a call of the same network by Keras alone.

    `backbone` is asked for because it clears Keras' session: first.
    """
    import keras
    import tensorflow as tf

    network = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(*SIZE, 3)
    )
    graph = tf.function(lambda pixels: network(pixels, training=False))

    def of(num_images: int) -> Call:
        pixels = tf.ones((num_images, *SIZE, 3))
        return lambda: graph(pixels).numpy()

    return of


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    """64 times noise, uint8 (128, 128, 3)."""
    rng = np.random.default_rng(SEED)
    return list(rng.integers(0, 256, (64, *SIZE, 3), dtype=np.uint8))
