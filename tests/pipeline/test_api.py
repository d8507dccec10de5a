"""The Python API: what `import gfr` offers, costs and returns."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import kept
import nbclient
import nbformat
import pandas as pd
import pytest
import records
from test_flow import assert_equal_results

import gfr
from gfr.report import writer
from gfr.results import resume, store
from gfr.storage.paths import ROOT

NAMES = [
    *("Benchmark", "Evaluation", "InputError", "Run"),
    *("compare_runs", "evaluate", "load_benchmark", "load_run", "predict", "run_benchmark"),
]
NOTEBOOK = ROOT / "docs" / "notebooks" / "compare.ipynb"


@pytest.fixture
def finished(tmp_path):
    """The directory of a finished run, made by hand, with its report."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    records.write(run)
    writer.write_report(run.directory)
    return run.directory


def test_the_names_are_listed_and_imported_when_used():
    """`import gfr` imports nothing heavy; reading a benchmark does not import TensorFlow."""
    program = (
        "import sys, gfr\n"
        "light = not {'numpy', 'pandas', 'prefect', 'pydantic', 'tensorflow'} & {*sys.modules}\n"
        "gfr.load_benchmark('tiny')\n"
        "print(gfr.__all__, {*gfr.__all__} <= {*dir(gfr)}, light)\n"
        "print('tensorflow' in sys.modules, 'prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert f"{NAMES} True True\nFalse False\n" == done.stdout, done.stderr
    with pytest.raises(AttributeError, match="no attribute 'load_model'"):
        _ = gfr.load_model


def test_the_frame_is_the_table_of_results_csv(finished):
    """Columns, rows and text are the same."""
    frame = gfr.load_run(finished).to_frame()
    assert list(pd.read_csv(finished / "results.csv")) == list(frame)
    assert (finished / "results.csv").read_text() == frame.to_csv(index=False)


def test_a_run_is_found_by_its_id_its_directory_or_as_the_newest(finished, monkeypatch):
    """Relative to the current directory, as a command finds it."""
    monkeypatch.chdir(finished.parents[2])
    run = gfr.load_run("r", "reports")
    assert run == gfr.load_run(finished) == gfr.load_run("reports/runs/r")
    assert run == gfr.load_run(reports=finished.parents[1])
    assert "VGG16-iteration-2" == run.selected.trial.id
    assert {row.trial.id for row in run.trials} == {*run.analyse().studies}
    monkeypatch.setenv("GFR_REPORTS", str(finished.parents[1]))
    assert run == gfr.load_run()


def test_an_unfinished_run_has_no_selected_trial(finished):
    """The rest can be read; a model must be named."""
    (finished / "selection.json").unlink()
    run = gfr.load_run(finished)
    assert run.selected is None
    with pytest.raises(gfr.InputError, match="no model is selected; name a trial"):
        run.load_model()


def test_a_run_compared_with_itself_has_the_same_results(finished):
    """Every trial, to the last bit."""
    run = gfr.load_run(finished)
    comparison = gfr.compare_runs(run, run)
    assert () == comparison.changes
    assert 4 == len(comparison.trials) and all(pair.same_answers for pair in comparison.trials)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: gfr.load_run("none", run.directory.parents[1]), "none: no such run"),
        (lambda run: gfr.load_run(run.directory / "no"), "no: not the directory of a run"),
        (lambda run: gfr.load_benchmark("tinny"), "'tinny': unknown; did you mean tiny?"),
        (lambda run: gfr.load_benchmark(Path("tiny")), "/tiny: cannot be read"),
        (lambda run: gfr.run_benchmark("tiny", sede=1), "option 'sede': unknown"),
        (lambda run: gfr.run_benchmark("tiny", data="none"), "none: no such directory"),
        (
            lambda run: gfr.run_benchmark(replace(run.record.benchmark, seed=-1)),
            "seed: input should be greater than or equal to 0, got -1",
        ),
        (lambda run: gfr.predict("none.jpg", run), "none.jpg: no such image"),
        (lambda run: run.load_model("VGG19"), "no trial VGG19; known: VGG16-iteration-1"),
        (lambda run: run.load_model(precision="int8"), "known: float32, bfloat16"),
    ],
)
def test_wrong_arguments_are_input_errors(call, message, finished, tmp_path, monkeypatch):
    """One line that names the argument."""
    monkeypatch.setenv("GFR_CACHE", str(tmp_path / "cache"))
    with pytest.raises(gfr.InputError, match=re.escape(message)):
        call(gfr.load_run(finished))


@pytest.mark.slow
def test_run_benchmark_gives_the_results_of_the_flow(tmp_path, server_at_hand):
    """And its record has the call that resumes it."""
    words = ["--data", "synthetic", "--weights", "random", "--cache", "cache", "--run-id", "flow"]
    done = kept.gfr(tmp_path, "run", "tiny", *words, "--reports", "reports")
    assert 0 == done.returncode, done.stderr
    flow = store.read_run(tmp_path / "reports" / "runs" / "flow")
    options = {"data": "synthetic", "weights": "random", "cache": tmp_path / "cache"}
    run = gfr.run_benchmark("tiny", **options, isolated=False, reports=tmp_path / "reports")
    assert_equal_results(flow.trials, run.trials)
    assert flow.selection == run.selection
    assert "gfr.run_benchmark('tiny', data='synthetic'" == run.record.command[:42]
    line = resume.command(run.record, tmp_path / "reports")
    assert f"{run.record.command[:-1]}, run_id='{run.record.run_id}')" == line
    image = next(Path(run.record.data.image_dir).glob("*.jpg"))
    (answer,) = gfr.predict(image, run)
    assert (str(image), "MobileNet / iteration 1") == (answer.path, answer.trial)
    assert (None, 1) == run.load_model().output_shape


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(tmp_path):
    """Every block of docs/api.md in order, in one process."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/api.md").read_text(), re.M | re.S)
    assert 5 == len(blocks)
    environment = os.environ | {"GFR_REPORTS": "reports", "GFR_CACHE": "cache"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stderr
    assert "iteration.1.epochs" in done.stdout
    assert "third: no such run" in done.stdout


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    """Each cell, in a kernel of its own, with outputs of the kinds that are committed."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    committed = nbformat.read(NOTEBOOK, as_version=4)
    executed = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        executed, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert [kinds(cell) for cell in committed.cells] == [kinds(cell) for cell in executed.cells]


def kinds(cell):
    """The kinds of a cell's outputs, without what TensorFlow logs."""
    outputs = [row for row in cell.get("outputs", []) if row.get("name") != "stderr"]
    return [(row.output_type, *sorted(row.get("data", {}))) for row in outputs]


def test_the_notebook_is_small_and_names_no_directory():
    """It is committed with its outputs: no log of TensorFlow, no path of the machine."""
    text = NOTEBOOK.read_text()
    assert len(text) < 300_000
    assert not re.search(r"/(home|root|tmp|Users)/|stderr", text)
    assert str(ROOT) not in text
