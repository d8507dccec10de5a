"""The whole way through Prefect: images to a selected model, again from the cache, and predict."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import h5py
import kept
import psutil
import pytest
from processes import is_alive, wait_for

from cli import prefect_server
from gfr.config.keras_applications import APPLICATIONS
from gfr.errors import InputError
from gfr.regression import history
from gfr.results import resume, store

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
seeds = 2
fractions = [0.5]
[features]
precision = "float32"
[export]
precisions = []
[latency]
calls = 5
seconds = 0
accelerated = false
engines = []
[[backbone]]
name = "VGG16"
[[backbone]]
name = "MobileNet"
[[iteration]]
number = 1
size = [32, 32]
epochs = 2
backbones = ["VGG16"]
[[iteration]]
number = 2
size = [32, 32]
epochs = 3
backbones = ["VGG16"]
[[iteration]]
number = 3
size = [40, 48]
epochs = 2
input = "any"
backbones = ["MobileNet"]
"""


GFR = [sys.executable, "-c", "from cli.main import main; main()"]


def gfr(folder, *words):
    """A command of `gfr` in `folder`, on its reports."""
    return kept.gfr(folder, *words, "--reports", "reports")


def _words(run_id, *more):
    """`run` on synthetic faces with random weights."""
    words = ["run", "ten.toml", "--data", "synthetic", "--weights", "random", "--offline"]
    return [*words, "--run-id", run_id, "--cache", "cache", "--reports", "reports", *more]


def run_words(run_id, *more):
    """The same as a process of its own."""
    return [*GFR, *_words(run_id, *more)]


def run(folder, run_id, *more, spec=SPEC):
    """The same, to its end."""
    (folder / "ten.toml").write_text(spec)
    return kept.gfr(folder, *_words(run_id, "--json", *more))


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory, server_at_hand):
    """The same benchmark twice; the second finds the features of the first."""
    folder = tmp_path_factory.mktemp("project")
    done = [run(folder, run_id) for run_id in ("first", "second")]
    assert [0, 0] == [row.returncode for row in done], done[0].stderr + done[1].stderr
    return folder, done


def trials(folder, run_id):
    """The trial records of a run."""
    return store.read_run(folder / "reports" / "runs" / run_id).trials


def assert_equal_results(before, after):
    """Histories, metrics and test probabilities by name are identical, not nearly so."""
    for first, second in zip(before, after, strict=True):
        assert first.test_probabilities == second.test_probabilities
        assert first.history == second.history
        assert first.metrics == second.metrics
        assert first.refits == second.refits


@pytest.mark.slow
def test_every_trial_leaves_a_complete_record(two_runs):
    """Three trials on two feature sets, each with history, splits, costs and probabilities."""
    folder, _ = two_runs
    found = store.read_run(folder / "reports" / "runs" / "first")
    assert (3, 0, 2) == (len(found.trials), len(found.failures), len(found.latencies))
    for result in found.trials:
        assert result.trial.iteration.epochs == len(result.history.loss)
        assert {"train": 36, "validation": 12, "test": 12} == {
            name: row.num_images for name, row in result.metrics.items()
        }
        assert 12 == len(result.test_probabilities)
        assert [("seed", 1025, 36), ("fraction", 1024, 18)] == [
            (row.refit.changed, row.refit.seed, row.num_train) for row in result.refits
        ]
        assert result.features.weights.note == "random weights (not comparable)"
        assert result.features.scale != 1.0
        assert 60 == result.features.num_computed
        assert result.train_cost.wall_s > 0 < result.train_cost.peak_memory_bytes
    assert found.selection.trial_id in {result.trial.id for result in found.trials}


@pytest.mark.slow
def test_iteration_1_is_the_beginning_of_iteration_2(two_runs):
    """One seed, one feature set, one more epoch."""
    first, second = trials(two_runs[0], "first")[:2]
    assert first.history.loss == second.history.loss[:2]
    assert first.history.val_accuracy == second.history.val_accuracy[:2]


@pytest.mark.slow
def test_the_fused_model_gives_the_recorded_probabilities(two_runs):
    """One pipeline, one probability: pixels to p_male as features to p_male."""
    folder, _ = two_runs
    for latency in store.read_run(folder / "reports" / "runs" / "first").latencies.values():
        timing = latency.float32
        assert timing.max_difference < 1e-4
        assert 5 == len(timing.single.values_s)
        assert 10 <= len(timing.single.warmups_s) <= 60
        assert 12 == latency.num_test_images


@pytest.mark.slow
def test_running_again_takes_only_heads_and_latency(two_runs):
    """Features are reused; accuracies, histories and probabilities are identical."""
    folder, done = two_runs
    second = trials(folder, "second")
    assert {60} == {result.features.num_reused for result in second}
    assert_equal_results(trials(folder, "first"), second)
    facts = json.loads(done[1].stdout)
    assert ("second", 3) == (facts["run_id"], len(facts["trials"]))


@pytest.mark.slow
def test_runs_are_judged_and_compared(two_runs):
    """What was computed is no history of what was reused; the answers are the same."""
    folder, _ = two_runs
    reports = folder / "reports"
    found = store.read_run(reports / "runs" / "second").verdict
    assert ("no history", 0) == (found.status, found.num_compared)
    assert (
        "the newest run of this benchmark, first, differs in features (computed there, reused here)"
        in found.reason
    )
    assert 2 <= len(list((reports / "history").glob("ten-*.jsonl")))
    assert 0 == gfr(folder, "verdict", "second").returncode
    text = gfr(folder, "compare", "first", "second").stdout
    assert "features: computed -> reused" in text
    assert 3 == text.count("same results (n = 12)")


@pytest.mark.slow
def test_a_backbone_that_fails_leaves_the_others_and_its_reason(two_runs):
    """Exit code 1, the reason in the failed rows, the rest complete and one of them selected."""
    folder, _ = two_runs
    (folder / "weights").mkdir()
    with h5py.File(folder / "weights" / APPLICATIONS["VGG16"].weights_file, "w") as file:
        file["not"] = "weights of VGG16"
    row = f'name = "VGG16"\nweights = "{folder}/weights"'
    done = run(folder, "broken", spec=SPEC.replace('name = "VGG16"', row, 1))
    found = store.read_run(folder / "reports" / "runs" / "broken")
    assert (1, 1, 2) == (done.returncode, len(found.trials), len(found.failures)), done.stderr
    assert "no weights of VGG16" in found.failures[0].reason
    assert found.selection.trial_id.startswith("MobileNet")
    assert "gfr: 2 of 3 trials failed" in done.stderr
    assert "Prefect's server" not in done.stderr
    assert "Failed" in (found.directory / "summary.md").read_text()


@pytest.mark.slow
def test_a_lost_shard_and_a_damaged_head_are_computed_again(two_runs):
    """`predict` refuses the head by name; a rerun computes what lacks, to the same results."""
    folder, _ = two_runs
    found = store.read_run(folder / "reports" / "runs" / "second")
    head = found.directory / "heads" / f"{found.selection.trial_id}.keras"
    head.write_bytes(head.read_bytes()[:1000])
    image = next((folder / "cache" / "synthetic").rglob("000001.jpg"))
    refused = gfr(folder, "predict", str(image), "--run", "second")
    assert (2, True) == (refused.returncode, f"{head}: no trained head" in refused.stderr)
    head.unlink()
    for path in (folder / "cache" / "features").glob("VGG16-*/0*.npy"):
        path.unlink()
    (found.directory / "trials" / "VGG16-iteration-1.json").unlink()
    done = run(folder, "second")
    assert 0 == done.returncode, done.stderr
    assert 0 == gfr(folder, "predict", str(image), "--run", "second").returncode
    after = trials(folder, "second")
    num_computed = {row.trial.id: row.features.num_computed for row in after}
    assert (60, 0) == (num_computed["VGG16-iteration-1"], num_computed["MobileNet-iteration-3"])
    assert_equal_results(found.trials, after)


def made_up(now, number):
    """A run of the same key in 2020: right on every image, every call in half the time."""
    trials = [
        replace(row, num_right=row.num_test, probabilities="made up", answers="0")
        for row in now.trials
    ]
    latencies = []
    for row in now.latencies:
        old = row.measured
        half = replace(old, min_s=old.min_s / 2, p10_s=old.p10_s / 2, cpu_p10_s=old.cpu_p10_s / 2)
        half = replace(half, others_share=0.0)
        latencies.append(replace(row, measured=half))
    return replace(
        now,
        run_id=f"made-up-{number}",
        created_utc=f"2020-01-0{number}",
        status="ok",
        trials=tuple(trials),
        latencies=tuple(latencies),
    )


@pytest.mark.slow
def test_what_looks_worse_is_done_once_more_before_it_is_an_alarm(two_runs):
    """Against a made-up history: heads trained again, models timed again, exit code 3."""
    folder, _ = two_runs
    reports = folder / "reports"
    found = store.read_run(reports / "runs" / "second")
    for number in (1, 2, 3):
        history.put(reports, made_up(history.entry(found), number))
    try:
        done = run(folder, "second")
        assert 3 == done.returncode, done.stderr
        judged = store.read_run(found.directory).verdict
        assert ("regression", 3) == (judged.status, judged.num_compared)
        for row in judged.of("regression", "inconclusive"):
            number = "" if row.kind == "accuracy" else "-1"
            assert (found.directory / "again" / f"{row.id}{number}.json").exists(), row
        assert "confirmed by a rerun" in judged.lost[0]
        assert found.trials == store.read_run(found.directory).trials
        page = (found.directory / "summary.md").read_text()
        assert "- **Regression: " in page and "figures/trend.svg" in page
    finally:
        shutil.rmtree(reports / "history")
        shutil.rmtree(found.directory / "again", ignore_errors=True)


@pytest.mark.slow
def test_an_image_that_changed_under_a_run_is_refused(two_runs, tmp_path):
    """The images that were checked at the start are the ones computed, or the run stops."""
    from gfr.models import feature_extraction, feature_store
    from gfr.results import store

    record, faces, _ = store.open_run(two_runs[0] / "reports" / "runs" / "first")
    path = faces.paths()[7]
    content = path.read_bytes()
    path.write_bytes(faces.paths()[8].read_bytes())
    job = feature_extraction.Job(
        record.benchmark.feature_sets[0], faces, record.weights[0], "p", tmp_path
    )
    try:
        with pytest.raises(InputError, match=f"{path}: has changed since the run was started"):
            feature_extraction.extract(
                job, record.choices[0], feature_store.WHOLE, "", lambda done, total: None
            )
    finally:
        path.write_bytes(content)


@pytest.mark.slow
def test_a_run_id_resumes_its_run_and_refuses_other_options(two_runs):
    """The same id resumes the run; with another seed it is refused."""
    folder, _ = two_runs
    again = run(folder, "first")
    assert (0, True) == (again.returncode, "resuming" in again.stderr)
    refused = run(folder, "first", spec=SPEC.replace("1024", "7"))
    assert (2, True) == (
        refused.returncode,
        "but got benchmark ten with other settings" in refused.stderr,
    )
    record = store.read_run(folder / "reports" / "runs" / "first").record
    line = resume.command(record, folder / "reports")
    assert f"resume with: {line}" in refused.stderr


@pytest.mark.slow
def test_predict_answers_as_the_run_did(two_runs):
    """A test image gets the probability that the run recorded for it."""
    folder, _ = two_runs
    found = store.read_run(folder / "reports" / "runs" / "second")
    selected = next(r for r in found.trials if r.trial.id == found.selection.trial_id)
    name, expected = next(iter(selected.test_probabilities.items()))
    image = f"{found.record.data.image_dir}/{name}"
    done = gfr(folder, "predict", image, "--json", "--run", "second")
    (row,) = json.loads(done.stdout)
    assert pytest.approx(expected, abs=1e-4) == row["p_male"]
    assert row["note"].startswith("random weights (not comparable); trained on synthetic faces")


def interrupt(folder, name, number, monkeypatch, *more):
    """A run with a server of its own gets a signal in mid training; then as it says: its words."""
    (folder / "ten.toml").write_text(SPEC)
    with monkeypatch.context() as alone:
        alone.delenv("PREFECT_API_URL")
        process = subprocess.Popen(
            run_words(name, *more),
            cwd=folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    wait_for(lambda: (folder / "reports" / "runs" / name / "trials").exists())
    children = psutil.Process(process.pid).children(recursive=True)
    (server,) = [child.pid for child in children if prefect_server.__file__ in child.cmdline()]
    assert server == os.getsid(server)  # where Ctrl-C does not reach it
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    said = process.communicate(timeout=30)[1].decode()
    if number == signal.SIGKILL:
        wait_for(lambda: not any(map(is_alive, children)))
        record = store.read_run(folder / "reports" / "runs" / name).record
        line = resume.command(record, folder / "reports")
    else:
        assert 128 + number == process.returncode
        assert [] == [child for child in children if is_alive(child)]
        line = said.splitlines()[-1].removeprefix("gfr: interrupted. Resume with: ")
    assert line.startswith("gfr run ")
    line = line.removeprefix("gfr ")
    assert 0 == kept.gfr(folder, *shlex.split(line)).returncode
    return said


@pytest.mark.slow
def test_an_interrupted_run_computed_anew_ends_with_the_same_results(two_runs, monkeypatch):
    """Ctrl-C: at once, no process is left, its server neither, and the command it names ends it.

    Two runs on one machine from images to probabilities differ in nothing but time.
    """
    folder, _ = two_runs
    interrupt(folder, "fresh", signal.SIGINT, monkeypatch, "--fresh")
    fresh = trials(folder, "fresh")
    assert {60} == {result.features.num_computed for result in fresh}
    assert_equal_results(trials(folder, "first"), fresh)


@pytest.mark.slow
def test_a_flipped_bit_in_the_cache_is_found_said_and_mended(two_runs, monkeypatch):
    """The run that meets it computes the shard again, to the same results, through a SIGKILL."""
    folder, _ = two_runs
    (path,) = (folder / "cache" / "features").glob("MobileNet-40x48-*/0*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    said = interrupt(folder, "mended", signal.SIGKILL, monkeypatch)
    assert "shard 0 of 1 is damaged; computing it again" in said
    assert_equal_results(trials(folder, "first"), trials(folder, "mended"))
