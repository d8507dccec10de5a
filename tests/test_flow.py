"""The whole way through Prefect: images to a selected model, again from the cache, and predict."""

import json
import subprocess
import sys

import pytest
import yaml

from gfr import results, runs, spec

SPEC = """
schema = 1
name = "ten"
seed = 1024
[data]
images = 60
test_fraction = 0.2
validation_fraction = 0.2
[training]
batch_size = 16
[[backbone]]
name = "MobileNetV2"
[[backbone]]
name = "MobileNetV3Small"
[[iteration]]
number = 1
size = [32, 32]
epochs = 2
[[iteration]]
number = 2
size = [32, 32]
epochs = 3
[[iteration]]
number = 3
size = [40, 48]
epochs = 2
input = "any"
backbones = ["MobileNetV3Small"]
"""


def run(folder, run_id):
    """`gfr run` on synthetic faces with random weights."""
    (folder / "ten.toml").write_text(SPEC)
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    words = ["run", "ten.toml", "--data", "synthetic", "--weights", "random", "--offline"]
    places = ["--run-id", run_id, "--cache", "cache", "--reports", "reports", "--json"]
    return subprocess.run(
        [*program, *words, *places], cwd=folder, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """The same benchmark twice; the second finds the features of the first."""
    folder = tmp_path_factory.mktemp("project")
    done = [run(folder, run_id) for run_id in ("first", "second")]
    assert [0, 0] == [row.returncode for row in done], done[0].stderr + done[1].stderr
    return folder, done


@pytest.mark.slow
def test_every_trial_leaves_a_complete_record(two_runs):
    """Five trials on three feature sets, each with history, splits, costs and probabilities."""
    folder, _ = two_runs
    found = results.read_run(folder / "reports" / "runs" / "first")
    assert (5, 0, 3) == (len(found.trials), len(found.failures), len(found.latencies))
    for result in found.trials:
        assert result.trial.iteration.epochs == len(result.history.loss)
        assert {"train": 36, "validation": 12, "test": 12} == {
            name: row.num_images for name, row in result.metrics.items()
        }
        assert 12 == len(result.test_probabilities)
        assert result.features.weights.note == "random weights: not comparable"
        assert result.features.scale != 1.0
        assert 60 == result.features.extracted.num_computed
        assert result.train_cost.wall_s > 0 < result.train_cost.peak_memory_bytes
    assert found.selection.trial_id in {result.trial.id for result in found.trials}


@pytest.mark.slow
def test_the_fused_model_gives_the_recorded_probabilities(two_runs):
    """One pipeline, one probability: pixels to p_male as features to p_male."""
    folder, _ = two_runs
    for latency in results.read_run(folder / "reports" / "runs" / "first").latencies.values():
        assert latency.max_difference < 1e-4
        assert 100 == len(latency.single.values_s)
        assert 12 == latency.num_test_images


@pytest.mark.slow
def test_running_again_takes_only_heads_and_latency(two_runs):
    """Features are reused; accuracies, histories and probabilities are identical."""
    folder, done = two_runs
    first, second = (
        results.read_run(folder / "reports" / "runs" / name).trials for name in ("first", "second")
    )
    assert {60} == {result.features.extracted.num_reused for result in second}
    for before, after in zip(first, second, strict=True):
        assert before.test_probabilities == after.test_probabilities
        assert before.history == after.history
        assert before.metrics == after.metrics
    facts = json.loads(done[1].stdout)
    assert ("second", 5) == (facts["run_id"], len(facts["trials"]))


@pytest.mark.slow
def test_a_run_id_goes_on_and_refuses_other_parameters(two_runs):
    """The same id is the same run; with another seed it is somebody's mistake."""
    folder, _ = two_runs
    again = run(folder, "first")
    assert (0, True) == (again.returncode, "continuing" in again.stderr)
    (folder / "other.toml").write_text(SPEC.replace("1024", "7"))
    words = ["run", "other.toml", "--data", "synthetic", "--weights", "random", "--offline"]
    refused = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", *words]
        + ["--run-id", "first", "--cache", "cache", "--reports", "reports"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (2, True) == (refused.returncode, "exists with another benchmark" in refused.stderr)


@pytest.mark.slow
def test_predict_answers_as_the_run_did(two_runs):
    """A test image gets the probability that the run recorded for it."""
    folder, _ = two_runs
    found = results.read_run(folder / "reports" / "runs" / "second")
    selected = next(r for r in found.trials if r.trial.id == found.selection.trial_id)
    name, expected = next(iter(selected.test_probabilities.items()))
    image = f"{found.record.data.image_dir}/{name}"
    done = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", "predict", image, "--json"]
        + ["--reports", "reports"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    (row,) = json.loads(done.stdout)
    assert pytest.approx(expected, abs=1e-4) == row["p_male"]
    assert "random weights: not comparable; trained on synthetic faces" == row["note"]


def test_prefect_yaml_names_a_flow_that_loads():
    """Every deployment's entrypoint imports for real, and takes the parameters given to it."""
    from prefect.flows import load_flow_from_entrypoint

    document = yaml.safe_load((runs.ROOT / "prefect.yaml").read_text())
    names = {row["name"] for row in document["deployments"]}
    assert {"full-benchmark", "smoke-benchmark"} == names
    for row in document["deployments"]:
        entrypoint = str(runs.ROOT / row["entrypoint"])
        flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
        assert "gfr" == flow.name
        flow.validate_parameters(row["parameters"])
        spec.load(runs.benchmark_file(row["parameters"]["benchmark"]))
