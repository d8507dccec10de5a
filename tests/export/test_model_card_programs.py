"""The five lines of each format's model card print the probabilities of golden.json."""

import json
import subprocess
import sys

import installed_engines
import numpy as np
import pytest
import records

from benchmarks.validation import model_cards
from gfr import engines
from gfr.engines import base, formats
from gfr.errors import StepFailed
from gfr.export import file_formats, golden_images
from gfr.export.file_formats import Checked
from gfr.results import store
from gfr.results.deployment_records import Agreement
from gfr.storage import atomic
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import FormatDirectory, RunDirectory

FORMATS = [row for row in formats.FORMATS.values() if row.name != "tfjs"]
ANSWERS = Agreement(100, 90, 90, 0, 0, 0.01, 0.001, 0.02)
# A program that imports one of these fails.
ALONE = "import sys; sys.modules |= dict.fromkeys(['tensorflow', 'keras', 'gfr'])\n"


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A tiny model in every format whose engine is installed, and golden images."""
    folder = tmp_path_factory.mktemp("converted")
    program = ROOT / "tests" / "programs" / "convert_tiny.py"
    done = subprocess.run([sys.executable, program, folder], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    form = formats.get("litert")
    golden_images.write(folder, engines.get(form.engine).load(folder / form.name / form.file))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run on disk."""
    run = records.run(tmp_path_factory.mktemp("reports") / "runs" / "r")
    records.write(run)
    return store.read_run(run.directory)


def written(run, form, fused):
    """The record and the directory of a format, as `gfr export` writes them."""
    engine = installed_engines.engine(form.engine)
    classify = engine.load(fused / form.name / form.file)
    p_male = base.classify_files(classify, golden_images.paths(fused))
    splits = {"validation": ANSWERS, "test": ANSWERS}
    outcome = Checked(form.num_bytes(fused / form.name), splits, tuple(p_male.tolist()))
    row = file_formats.result(run, run.result_of(None), form.name, outcome, "digest")
    file_formats.write(run, row, fused, outcome.golden)
    return row, RunDirectory(run.directory).format(row.trial.id, form.name)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_program_of_a_card_prints_the_golden_probabilities(converted, run, form):
    """Without TensorFlow, Keras and gfr; a probability that is changed is noticed."""
    row, files = written(run, form, converted)
    code = model_cards.program(files)
    assert 5 == len(code.splitlines())
    printed = model_cards.interpret(sys.executable, ALONE + code, files.path)
    tolerance = model_cards.tolerance(row)
    assert model_cards.max_difference(printed, files) <= tolerance
    golden = json.loads(files.golden.read_bytes())
    assert np.ptp([image["p_male"] for image in golden["images"]]) > 2 * tolerance
    golden["images"][0]["p_male"] += 2 * tolerance
    atomic.write_json(files.golden, golden)
    assert model_cards.max_difference(printed, files) > tolerance
    assert model_cards.outcome(row, files, lambda package: sys.executable).startswith("differs")


def test_the_environments_have_the_versions_of_the_lock():
    """Of the runtimes that the cards name."""
    names = {"ai-edge-litert", "onnxruntime", "openvino", *model_cards.BESIDE}
    locked = model_cards.LOCK.read_text().splitlines()
    for requirement in model_cards.pinned(sorted(names)):
        assert f"{requirement} \\" in locked


def test_a_card_without_its_program_or_with_other_images_fails(tmp_path):
    """Instead of comparing nothing."""
    files = FormatDirectory(tmp_path)
    atomic.write_text(files.model_card_md, "# A card\n")
    with pytest.raises(StepFailed, match="0 programs instead of one"):
        model_cards.program(files)
    rows = [{"file": f"golden/{name}.png", "p_male": 0.5} for name in "ab"]
    atomic.write_json(files.golden, {"images": rows})
    assert 0.25 == model_cards.max_difference("golden/a.png 0.5\ngolden/b.png 0.25\n", files)
    for printed in ("", "golden/a.png 0.5\n", "golden/a.png 0.5\ngolden/c.png 0.5\n"):
        with pytest.raises(StepFailed, match="printed probabilities of"):
            model_cards.max_difference(printed, files)
    assert model_cards.max_difference("golden/a.png nan\ngolden/b.png 0.5\n", files) == np.inf
