"""The stage that times engines in turn, with engines that only count their calls."""

import importlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import records

from gfr import engines
from gfr.data import images
from gfr.engines import tensorflow
from gfr.engines.base import Predictions
from gfr.errors import InputError, StepFailed
from gfr.measurement import reference_workload
from gfr.pipeline import engine_latency, isolation
from gfr.pipeline.engine_latency import Plan, Prepared
from gfr.results import store
from gfr.results.deployment_records import EngineModel
from gfr.storage.run_directory import RunDirectory

VGG16 = records.BENCHMARK.feature_sets[0]
TRIAL = records.BENCHMARK.trials[0]
LIMITS = isolation.Limits()
HERE = "test_engine_latency"


@dataclass
class FakeEngine:
    """Answers what VGG16 / iteration 1 recorded, image by image, and logs what happens."""

    name: str
    log: list
    missing: str = ""
    fails: str = ""
    is_outside: bool = False

    def unavailable(self):
        """Why it cannot run."""
        return self.missing

    def version(self):
        """Its version."""
        return f"{self.name} 1.0"

    def load(self, path, num_threads, arithmetic):
        """A classifier that reads the number of the image from its first pixel."""
        self.log.append(("load", self.name, path.name, num_threads, arithmetic))
        if self.fails == "load":
            raise InputError(f"{path}: damaged")
        recorded = list(records.run().trials[0].test_probabilities.values())

        def classify(pixels):
            self.log.append(("call", self.name, len(pixels)))
            if self.fails == "call":
                raise StepFailed(f"{path}: not enough memory")
            p_male = np.array([recorded[image[0, 0, 0]] for image in pixels])
            if self.is_outside:
                return Predictions(p_male, (0.1,) * len(pixels), "wasm", "4")
            return Predictions(p_male)

        return classify


def prepare(run_dir, trial_id, names, folder):
    """One file for each engine, and none for openvino."""
    assert folder.is_dir() and folder.is_relative_to(run_dir)
    models = []
    for name in names:
        path = folder / f"{name}.bin"
        path.write_bytes(b"1234")
        if name != "openvino":
            num_threads = 1 if name == "tfjs" else 0
            size = path.stat().st_size
            models.append(EngineModel(name, name, "float32", path, size, num_threads=num_threads))
    failed = (("openvino", "unsupported operator"),) if "openvino" in names else ()
    return Prepared(tuple(models), failed)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A finished run on disk; steps run in this process, and every workload takes 4 ms.

    Returns the run, the fake engines by name, and the log of what they did.
    """
    run = records.run(tmp_path / "reports" / "runs" / "r")
    latency = replace(run.record.benchmark.latency, calls=12, seconds=0.0)
    benchmark = replace(run.record.benchmark, latency=latency)
    run = replace(run, record=replace(run.record, benchmark=benchmark))
    records.write(run)
    log = []
    fakes = {name: FakeEngine(name, log) for name in ("tensorflow", "litert", "openvino", "tfjs")}
    monkeypatch.setattr(engines, "ENGINES", fakes)

    def call_alone(place, *arguments, limits):
        log.append(("process", place.partition(":")[2]))
        module, name = place.split(":")
        return getattr(importlib.import_module(module), name)(*arguments)

    def known(path):
        number = records.NAMES.index(Path(path).name) - records.NAMES.index(first)
        return np.full((4, 5, 3), number, np.uint8)

    first = next(iter(run.trials[0].test_logits))
    monkeypatch.setattr(isolation, "call_alone", call_alone)
    monkeypatch.setattr(images, "known", known)
    monkeypatch.setattr(reference_workload, "timed", lambda _: lambda: 0.004)
    monkeypatch.setattr(tensorflow, "use_threads", lambda num: log.append(("threads", num)))
    return store.read_run(run.directory), fakes, log


def plan(run, *names, thread_counts=(2,)):
    """The plan for these engines."""
    return Plan(run.directory, VGG16, TRIAL.id, names, thread_counts, f"{HERE}:prepare")


def test_a_process_for_each_number_of_threads_times_all_engines_in_turn(stage):
    """Rows of each engine with each number of threads, from the same calls in the same order."""
    run, _, log = stage
    found = engine_latency.measure(plan(run, "tensorflow", "litert", thread_counts=(1, 2)), LIMITS)
    keys = [(engine, "float32", num) for num in (1, 2) for engine in ("tensorflow", "litert")]
    assert keys == [row.key for row in found.rows]
    row = found.row("litert", "float32", 1)
    assert (12, "litert 1.0", 0.004, 0.0) == (
        *(len(row.single.values_s), row.engine_version),
        *(row.witness_s, row.max_difference),
    )
    assert ["prepare", "time_models", "time_models"] == [
        row[1] for row in log if row[0] == "process"
    ]
    assert [1, 2] == [row[1] for row in log if row[0] == "threads"]
    loads = [row[1:] for row in log if row[0] == "load"]
    assert ("litert", "litert.bin", 1, "float32") == loads[1]
    calls = [row[1] for row in log[-24:]]
    in_turn = ["tensorflow", "litert", "litert", "tensorflow"] * 6
    assert in_turn == calls
    assert {"tensorflow": 4, "litert": 4} == found.size_bytes
    assert () == found.unavailable
    assert [] == [path.name for path in (run.directory / "engines").iterdir()]


def test_an_engine_that_cannot_run_is_listed_with_its_reason(stage):
    """Not installed, no file, damaged file, failing call: the others are timed."""
    run, fakes, _ = stage
    fakes["tfjs"].missing = "Node is missing"
    fakes["tensorflow"].fails = "load"
    found = engine_latency.measure(plan(run, "tensorflow", "litert", "openvino", "tfjs"), LIMITS)
    assert ["litert"] == [row.engine for row in found.rows]
    reasons = dict(found.unavailable)
    assert {"tfjs", "openvino", "tensorflow float32"} == set(reasons)
    assert ("Node is missing", "unsupported operator") == (reasons["tfjs"], reasons["openvino"])
    assert reasons["tensorflow float32"].endswith("tensorflow.bin: damaged")
    fakes["litert"].fails = "call"
    found = engine_latency.measure(plan(run, "tensorflow", "litert", "tfjs"), LIMITS)
    assert () == found.rows
    assert dict(found.unavailable)["litert float32"].endswith("not enough memory")


def test_an_engine_that_takes_its_process_down_is_left_out(stage, monkeypatch):
    """Each is tried by itself, and the rest is timed in a new process."""
    run, _, log = stage
    direct = isolation.call_alone

    def call_alone(place, *arguments, limits):
        if not place.endswith(":prepare"):
            _, models, *_ = arguments
            timed = models if isinstance(models, tuple) else (models,)
            if "litert" in {row.engine for row in timed}:
                log.append(("process", "crashed"))
                raise StepFailed("its process ended with SIGSEGV")
        return direct(place, *arguments, limits=limits)

    monkeypatch.setattr(isolation, "call_alone", call_alone)
    found = engine_latency.measure(plan(run, "tensorflow", "litert"), LIMITS)
    assert ["tensorflow"] == [row.engine for row in found.rows]
    assert (("litert float32", "its process ended with SIGSEGV"),) == found.unavailable
    with pytest.raises(StepFailed, match="SIGSEGV"):
        engine_latency.measure(plan(run, "litert"), LIMITS)


def test_an_engine_with_a_process_of_its_own_is_timed_next_to_the_others(stage):
    """By its own seconds, all images in one call, so that its start is not counted."""
    run, fakes, log = stage
    fakes["tfjs"].is_outside = True
    wanted = plan(run, "tfjs", "litert", thread_counts=(1, 2))
    found = engine_latency.measure(wanted, LIMITS)
    assert [1, 1, 2] == [row.num_threads for row in found.rows]  # it always has one thread
    row = found.row("tfjs", "float32", 1)
    assert (10, (0.1,) * 12, 0.0) == (
        *(len(row.single.warmups_s), row.single.values_s),
        row.single.cpu_s,
    )
    # One image, the rest for their answers, then ten warm-ups and twelve calls.
    assert [1, 11, 22] == [row[2] for row in log if row[:2] == ("call", "tfjs")]
    assert 12 == len(found.row("litert", "float32", 2).single.values_s)


def test_the_record_is_written_once_and_the_repeated_one_beside_it(stage, caplog):
    """An existing record is kept; a repeated measurement has the same engines and threads."""
    run, _, log = stage
    wanted = plan(run, "tensorflow", "litert", "openvino", thread_counts=(1, 2))
    path = engine_latency.time_engines(wanted, LIMITS)
    assert RunDirectory(run.directory).engine_latency(VGG16.id) == path
    assert "openvino was not timed: unsupported operator" in caplog.text
    num_logged, before = len(log), path.read_bytes()
    assert path == engine_latency.time_engines(wanted, LIMITS)
    assert (num_logged, before) == (len(log), path.read_bytes())
    run = store.read_run(run.directory)
    for number in (1, 2):
        again = engine_latency.time_again(run, VGG16, LIMITS, f"{HERE}:prepare")
        assert RunDirectory(run.directory).repeated_engine_latency(VGG16.id, number) == again
    first, (_, second) = run.engine_latencies[VGG16.id], store.repeated_engine_timings(run, VGG16)
    assert [row.key for row in first.rows] == [row.key for row in second.rows]
    assert "openvino" not in {row[1] for row in log[num_logged:]}


def test_the_plan_is_that_of_the_benchmark(stage):
    """The first finished trial of the feature set, its engines, all threads."""
    run, *_ = stage
    found = engine_latency.plan(run, VGG16)
    assert (TRIAL.id, ("tensorflow", "litert")) == (found.trial_id, found.engines)
    assert 1 == len(found.thread_counts) and found.thread_counts[0] >= 1
    assert (1, 2) == engine_latency.plan(run, VGG16, (1, 2)).thread_counts


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_the_measuring_process_does_not_count_as_background_load(stage):
    """A process that an engine starts counts as its own."""
    from gfr.engines import fresh_process

    def classify(pixels):
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            end_s = time.process_time() + 0.3
            while time.process_time() < end_s:
                pass
            os._exit(0)
        return Predictions(np.zeros(len(pixels)), (0.1,) * len(pixels))

    samples = fresh_process.own_samples(classify, [np.zeros((4, 5, 3), np.uint8)] * 3, 2)
    assert (2, 3, 0.0) == (len(samples.warmups_s), len(samples.values_s), samples.cpu_s)
    assert 0.1 * 3 == pytest.approx(samples.wall_s)


def test_the_process_that_measures_memory_starts_without_tensorflow():
    """TensorFlow alone takes 400 MB, whichever engine is measured."""
    place = "gfr.engines.fresh_process:peak_memory_bytes"
    assert 1e7 < isolation.call_alone(place, False, limits=LIMITS) < 2e8
