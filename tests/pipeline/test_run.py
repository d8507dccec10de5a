"""The whole pipeline in one call, without Prefect."""

import sys

import pytest
from test_flow import SPEC, assert_equal_results

from gfr.pipeline import features, training
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
    assert isolated.selection == here.selection
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
