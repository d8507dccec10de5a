"""The whole pipeline in one call, without Prefect."""

import sys
from dataclasses import replace

import installed_engines
import pytest
from test_flow import SPEC, assert_equal_results

from gfr.pipeline import engine_latency, features, isolation, training
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.run import run
from gfr.pipeline.run_options import RunOptions
from gfr.results import status, store

pytestmark = pytest.mark.slow


def request(folder, run_id, **options):
    """A run of three trials on two feature sets, on synthetic faces with random weights."""
    (folder / "ten.toml").write_text(SPEC)
    return pipeline_request.request(
        RunOptions(
            benchmark=str(folder / "ten.toml"),
            data="synthetic",
            weights="random",
            run_id=run_id,
            reports=str(folder / "reports"),
            cache=str(folder / "cache"),
            command="a test",
            **options,
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where all runs here share drawn faces and features."""
    return tmp_path_factory.mktemp("runs")


def test_child_processes_and_this_process_give_equal_results(folder):
    """Every trial, the selection and the report; the isolated run computes the features."""
    isolated, here = (
        store.read_run(run(request(folder, f"isolated-{isolated}"), isolated=isolated))
        for isolated in (True, False)
    )
    assert (3, 2) == (len(isolated.trials), len(isolated.latencies))
    assert_equal_results(isolated.trials, here.trials)
    selected = [each.selection.trial_id for each in (isolated, here)]
    tests = [each.selection.choices.tests for each in (isolated, here)]  # the rest has latencies
    assert (selected[0], tests[0]) == (selected[1], tests[1])
    assert [[], []] == [status.missing(each) for each in (isolated, here)]


def test_failed_steps_cost_their_trials_alone_and_a_second_call_resumes(folder, monkeypatch):
    """A head that fails twice and features that are refused: each trial has its reason."""
    extract, train, attempts = features.extract, training.train, []

    def failing_train(run_dir, trial, worker):
        if trial.id == "VGG16-iteration-1":
            attempts.append(trial)
            raise RuntimeError("made to fail")
        return train(run_dir, trial, worker)

    def failing_extract(run_dir, feature_set, part, worker):
        if feature_set.backbone.name == "MobileNet":
            raise MemoryError("no room for features")
        return extract(run_dir, feature_set, part, worker)

    for original, failing in ((train, failing_train), (extract, failing_extract)):
        monkeypatch.setattr(sys.modules[original.__module__], original.__name__, failing)
    partial = store.read_run(run(request(folder, "failing"), isolated=False))
    assert {
        "VGG16-iteration-1": "RuntimeError: made to fail",
        "MobileNet-iteration-3": "MemoryError: no room for features",
    } == {row.trial.id: row.reason for row in partial.failures}
    assert 2 == len(attempts)
    assert "VGG16-iteration-2" == partial.selection.trial_id
    assert ["VGG16"] == [row.feature_set.backbone.name for row in partial.latencies.values()]
    assert "made to fail" in (partial.directory / "summary.md").read_text()
    monkeypatch.undo()
    complete = store.read_run(run(request(folder, "failing", retries=0), isolated=False))
    assert (3, ()) == (len(complete.trials), tuple(complete.failures))


def test_engines_are_timed_in_processes_of_their_own(folder, tmp_path):
    """TensorFlow and LiteRT with one thread, and once more; their answers are those recorded."""
    installed_engines.engine("litert")
    done = store.read_run(run(request(folder, "engines"), isolated=False))
    feature_set, limits = done.record.benchmark.feature_sets[0], isolation.Limits()
    assert () == done.record.benchmark.latency.engines
    wanted = ("tensorflow", "litert")
    plan = replace(engine_latency.plan(done, feature_set, (1,)), engines=wanted)
    engine_latency.time_engines(plan, limits)
    done = store.read_run(done.directory)
    found = done.engine_latencies[feature_set.id]
    keys = [("tensorflow", "float32", 1), ("litert", "float32", 1)]
    assert keys == [row.key for row in found.rows]
    assert {"", "litert"} == set(found.size_bytes) and () == found.unavailable
    assert all(row.max_difference < 1e-3 and row.single.cpu_s > 0 for row in found.rows)
    assert found.cost.peak_memory_bytes > 3e8
    engine_latency.time_again(done, feature_set, limits)
    (again,) = store.repeated_engine_timings(done, feature_set)
    assert keys == [row.key for row in again.rows]
    place = "gfr.pipeline.formats.preparing:prepare_feature_set"
    arguments = done.directory, plan.trial_id, ("tensorflow",), tmp_path
    prepared = isolation.call_alone(place, *arguments, limits=limits)
    fresh = engine_latency.in_fresh_process(prepared.models[0], 1, done.directory, limits)
    assert fresh.load_s > fresh.first_answer_s > 0 and fresh.images_per_s > 0
    assert 3e8 < fresh.peak_memory_bytes < 4e9  # TensorFlow's libraries alone take 0.4 GB
