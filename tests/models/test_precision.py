"""Which arithmetic a backbone gets, and what is said of it."""

import dataclasses

import numpy as np
import pytest
import records
from records import BENCHMARK

from gfr.config.schema import Backbone, FeatureSet
from gfr.data import images as data_images
from gfr.data.dataset import load
from gfr.data.inspection import inspect
from gfr.measurement.reference_workload import Rates
from gfr.models import backbone as models_backbone
from gfr.models import feature_extraction, feature_store, fused_model, precision, weights
from gfr.models.precision import Choice, GateRow, GateTrial
from gfr.pipeline import latency as pipeline_latency

FEATURE_SET = BENCHMARK.feature_sets[0]
IMAGENET = weights.Weights("VGG16", "imagenet", "w.h5", "0" * 64, "", "why")
AMX, SLOW = Rates(100.0, 800.0), Rates(84.0, 42.0)
FASTER = "on this machine a convolution is 8.0 times as fast in bfloat16"


def gate(low, high, beats_majority=True, **changes):
    """One trial whose interval is that."""
    trial = GateTrial(1, beats_majority, (0.9, 0.9), (low, high), (low + high) / 2, low, high)
    backbone = FEATURE_SET.backbone
    row = GateRow(
        *(backbone.name, FEATURE_SET.size, backbone.scaling, "0" * 64, "tf 2", 0.004), (trial,)
    )
    return dataclasses.replace(row, **changes)


@pytest.mark.parametrize(
    ("asked", "rates", "gates", "expected", "why"),
    [
        ("auto", AMX, [], "bfloat16", FASTER),
        ("auto", None, [], "float32", "no bfloat16 arithmetic on this machine"),
        ("auto", SLOW, [], "float32", FASTER.replace("8.0", "0.5")),
        ("auto", AMX, [gate(-0.006, 0.0)], "float32", "its bfloat16 gate has failed"),
        ("auto", AMX, [gate(-0.006, 0.0, engine="tf 3")], "bfloat16", FASTER),
        ("auto", AMX, [gate(-0.1, 0.1, False)], "bfloat16", FASTER),
        ("bfloat16", None, [], "bfloat16", "as requested"),
        ("float32", AMX, [], "float32", "as requested"),
    ],
)
def test_auto_takes_bfloat16_where_it_is_accelerated_and_no_gate_failed(
    asked, rates, gates, expected, why
):
    """A gate counts for its own weights, size and engine."""
    feature_set = dataclasses.replace(FEATURE_SET, precision=asked)
    chosen = precision.choose(feature_set, IMAGENET, rates, gates, "tf 2")
    assert (expected, why) == (chosen.precision, chosen.why)


@pytest.mark.parametrize(
    ("expected", "rates", "accelerated"),
    [
        (["float32", "bfloat16"], AMX, True),
        (["float32"], AMX, False),
        (["float32"], SLOW, True),
        (["float32"], None, True),
    ],
)
def test_a_model_is_also_timed_in_the_faster_arithmetic_unless_that_is_left_out(
    expected, rates, accelerated
):
    """`accelerated = false` in `[latency]` leaves it out; float32 is always the first."""
    run = records.run()
    latency = dataclasses.replace(BENCHMARK.latency, accelerated=accelerated)
    benchmark = dataclasses.replace(BENCHMARK, latency=latency)
    record = dataclasses.replace(run.record, rates=rates, benchmark=benchmark)
    run = dataclasses.replace(run, record=record)
    assert expected == pipeline_latency.precisions(run, run.trials[0])


def test_a_gate_that_was_not_run_stands_beside_the_numbers():
    """And with random weights none can."""
    feature_set = dataclasses.replace(FEATURE_SET, precision="bfloat16")
    random = dataclasses.replace(IMAGENET, source="random")

    def note(used, *gates):
        return precision.choose(feature_set, used, AMX, gates, "tf 2").note

    assert "bfloat16 features, gate not run" == note(IMAGENET)
    assert "bfloat16 features" == note(IMAGENET, gate(-0.004, 0.004))
    assert "bfloat16 features" == note(random)


def test_gates_come_back_from_their_file(tmp_path):
    """As they were written."""
    path = tmp_path / "precision.json"
    path.write_text(precision.dump_gates([gate(-0.001, 0.002)]))
    assert (gate(-0.001, 0.002),) == precision.load_gates(path)


@pytest.fixture
def job(celeba, tmp_path):
    """Forty noisy images through MobileNetV2 with weights that count as ImageNet's."""
    row = Backbone("MobileNetV2", "tf", "", "MobileNetV2")
    feature_set = FeatureSet(row, (32, 32), "fixed", "auto")
    faces = inspect(load(celeba(40), "all", 1).faces, quiet)[0]
    used = weights.resolve(row, "random", 1, tmp_path, allow_download=False)
    used = dataclasses.replace(used, source="imagenet", note="")
    return feature_extraction.Job(feature_set, faces, used, "digest", tmp_path)


def quiet(done, total):
    """No progress."""


CHOICE = Choice("MobileNetV2-32x32", "bfloat16", "as requested", "not run")


def test_both_precisions_are_compared_once_for_a_feature_set(job):
    """Recorded with the features, and found again by the run that takes them from the cache."""
    extracted, check = feature_extraction.extract(job, CHOICE, feature_store.WHOLE, "", quiet)
    assert ("bfloat16", 40) == (extracted.precision, check.num_images)
    assert 0 < check.relative_error < precision.MAX_RELATIVE_ERROR
    again, same = feature_extraction.extract(job, CHOICE, feature_store.WHOLE, "", quiet)
    assert (0, check) == (again.num_computed, same)


def test_features_that_differ_too_much_are_computed_in_float32(job, monkeypatch):
    """The same as if float32 had been asked for."""
    monkeypatch.setattr(precision, "MAX_RELATIVE_ERROR", 1e-6)
    extracted, _ = feature_extraction.extract(job, CHOICE, feature_store.WHOLE, "", quiet)
    assert ("float32", 40) == (extracted.precision, extracted.num_computed)
    graph = fused_model.compiled(models_backbone.build(job.feature_set, job.weights.path))
    images = [data_images.decode(path).pixels for path in job.faces.paths()]
    rows = feature_store.read(job.directory("float32")).rows(np.arange(40))
    assert pytest.approx(rows, rel=1e-4, abs=1e-6) == fused_model.run_batch(graph, images)
