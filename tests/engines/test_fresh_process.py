"""Cold start, throughput and memory of an engine in a process of its own."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from gfr import engines
from gfr.data import images
from gfr.engines import fresh_process
from gfr.engines.base import Predictions
from gfr.results.deployment_records import EngineModel
from gfr.storage.paths import ROOT

PROGRAM = """
import sys
import numpy as np
from gfr.engines import fresh_process
small = fresh_process.peak_memory_bytes(with_children=False)
block = np.ones(100_000_000, np.uint8)
del block
large = fresh_process.peak_memory_bytes(with_children=False)
print(small, large, "tensorflow" in sys.modules)
"""


@pytest.fixture
def fake(monkeypatch):
    """An engine that logs the number of images of each call; 8 images of 4x5 px."""
    calls = []

    def load(path, num_threads, arithmetic):
        calls.append((path.name, num_threads, arithmetic))

        def classify(pixels):
            calls.append(len(pixels))
            return Predictions(np.zeros(len(pixels)), engine.seconds_per_image * len(pixels))

        return classify

    engine = SimpleNamespace(load=load, version=lambda: "1.0", seconds_per_image=())
    monkeypatch.setattr(engines, "ENGINES", {"litert": engine})
    monkeypatch.setattr(images, "known", lambda path: np.zeros((4, 5, 3), np.uint8))
    return engine, calls


def measured(tmp_path):
    """The fake engine on 8 images with one thread."""
    model = EngineModel("litert", "litert", "float32", tmp_path / "model.tflite", 4)
    return fresh_process.measure(model, 1, [tmp_path / "1.jpg"] * 8, 0.0)


def test_single_images_come_before_batches_of_32(fake, tmp_path):
    """Loaded once, each image by itself, then a warm-up and at least three batches."""
    _, calls = fake
    found = measured(tmp_path)
    assert ("model.tflite", 1, "float32") == calls[0]
    assert [1] * 8 == calls[1:9]
    assert {32} == set(calls[9:]) and len(calls) >= 9 + 4
    assert (32, 1, "1.0") == (found.batch_size, found.num_threads, found.engine_version)
    assert (1, 3) == (len(found.batches.warmups_s), len(found.batches.values_s))
    assert 0 < found.cold_start_s < 1 < found.images_per_s


def test_an_engine_that_measures_itself_is_timed_by_its_own_seconds(fake, tmp_path):
    """It starts anew for each call: the first image, then all after three warm-ups, in one call."""
    engine, calls = fake
    engine.seconds_per_image = (0.1,)
    found = measured(tmp_path)
    assert ([0.1] * 8, 1) == (list(found.batches.values_s), found.batch_size)
    assert 10 == pytest.approx(found.images_per_s)
    assert [1, 3 + 8] == calls[1:]


def run(program):
    """What a program prints, started from a process that has 400 MB in memory."""
    around = (
        "import subprocess, sys; block = bytearray(b'1') * 400_000_000; "
        "done = subprocess.run([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE); "
        "sys.stdout.buffer.write(done.stdout)"
    )
    words = [sys.executable, "-c", around, program]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_peak_memory_is_that_of_this_process_alone():
    """A block that was freed counts; the size of the process that started it does not.

    Nothing here imports TensorFlow, which alone takes 400 MB.
    """
    small, large, has_tensorflow = run(PROGRAM)
    assert "False" == has_tensorflow
    assert 10e6 < int(small) < 200e6
    assert 90e6 < int(large) - int(small) < 110e6
