"""Fixtures of the pytest-benchmark tests: models built once a session, and how a call is measured.

Weights are drawn from a fixed seed into the cache directory, pixels are noise. The saved JSON has
the figures and facts that tools/compare.py decides on; no test asserts a time.
`GFR_SLOWED="test_report=1.3"` makes that benchmark slower, for validation/alarms.py alone.
"""

import dataclasses
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.validation.injected import slowed
from gfr.config.keras_applications import APPLICATIONS
from gfr.config.schema import Backbone, FeatureSet
from gfr.measurement import allowance, hardware, software
from gfr.regression import fingerprint
from gfr.regression.latency_rule import Measured
from gfr.storage import paths

SIZE = (128, 128)
SEED = 1024

# What must be equal in comparable runs; at import, before TensorFlow sets variables.
FACTS = fingerprint.facts(
    hardware.collect(),
    allowance.num_threads(),
    {name: software.version(name) for name in fingerprint.PACKAGES}
    | {"python": platform.python_version()},
    hardware.settings(),
)

Call = Callable[[], object]


def pytest_benchmark_update_machine_info(machine_info: dict) -> None:
    """Stamp the saved file with the facts."""
    machine_info["gfr"] = {"fingerprint": fingerprint.fingerprint(FACTS), "facts": FACTS}


@pytest.fixture
def measure(benchmark) -> Callable[..., None]:
    """A function (call, reference, num_warmups, num_rounds) that times both in turns.

    The reference is work of the same kind without code of gfr. `engine` names the runtime and its
    version if it is not TensorFlow.
    """

    def run(
        call: Call, reference: Call, num_warmups: int, num_rounds: int, engine: str = ""
    ) -> None:
        victim, _, factor = os.environ.get("GFR_SLOWED", "").rpartition("=")
        if victim == benchmark.name:
            call = slowed(call, float(factor))
        cpu_s, witness_s = [], []
        for _ in range(num_warmups):
            reference()
            call()
        share_of_others = allowance.meter_others()
        benchmark.pedantic(
            partial(timed, call, time.process_time, cpu_s),
            setup=partial(timed, reference, time.perf_counter, witness_s),
            rounds=num_rounds,
        )
        others_share = share_of_others()
        if benchmark.stats is None:  # --benchmark-disable
            return
        values_s = benchmark.stats.stats.data
        figures = Measured(
            len(values_s),
            *np.percentile(values_s, [0, 10, 50]),
            cpu_p10_s=np.percentile(cpu_s, 10),
            witness_s=np.percentile(witness_s, 10),
            relative=np.median(np.divide(values_s, witness_s)),
            others_share=others_share,
        )
        benchmark.extra_info |= dataclasses.asdict(figures) | {"engine": engine}

    return run


def timed(call: Call, clock: Callable[[], float], seconds: list[float]) -> None:
    """Call, and append the seconds that a clock shows for it."""
    start_s = clock()
    call()
    seconds.append(clock() - start_s)


@pytest.fixture(scope="session", params=["VGG16", "InceptionV3", "InceptionResNetV2"])
def name(request) -> str:
    """One backbone after the other, all its benchmarks before the next is built."""
    return request.param


@pytest.fixture(scope="session")
def backbone(name):
    """Pixels -> pooled features at 128x128."""
    import keras  # here, so that the report's benchmark does not pay TensorFlow's start

    from gfr.models import backbone as models_backbone
    from gfr.models import weights

    keras.utils.clear_session()
    own = Backbone(name, APPLICATIONS[name].scaling, label=name)
    feature_set = FeatureSet(own, SIZE, input="fixed", precision="float32")
    path = weights.draw(name, SEED, paths.default_directory("cache"))
    return models_backbone.build(feature_set, path)


@pytest.fixture(scope="session")
def alone(name, backbone) -> Callable[[int], Call]:
    """A function (number of images) -> a call of the same network by Keras alone.

    The fixture `backbone` comes first because it clears Keras' session.
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
def fused(backbone):
    """Pixels -> p_male, with the head of a trial."""
    from gfr.models.fused_model import fuse
    from gfr.models.head import build

    return fuse(backbone, 1.0, build(backbone.output.shape[-1], seed=SEED))


@pytest.fixture(scope="session")
def litert_file(fused, tmp_path_factory) -> Path:
    """The same model as `gfr export --format litert` writes it."""
    from gfr.engines import formats
    from gfr.export import convert, saved_model

    folder, form = tmp_path_factory.mktemp("litert"), formats.get("litert")
    saved_model.write_graph(fused, folder / "saved_model")
    convert.convert(folder / "saved_model", form, folder)
    return folder / form.file


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    """64 times noise, uint8 (128, 128, 3)."""
    rng = np.random.default_rng(SEED)
    return list(rng.integers(0, 256, (64, *SIZE, 3), dtype=np.uint8))
