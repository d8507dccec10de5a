"""A real export: InceptionV3, whose BatchNorm and size are the ones that break."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from test_flow import SPEC, run
from web_browser import Visit

from gfr import engines
from gfr.errors import StepFailed
from gfr.export import web
from gfr.results.export_records import MAX_DIFFERENCE
from gfr.storage.paths import ROOT

pytestmark = pytest.mark.slow

_HEAD = SPEC[: SPEC.index("[[backbone]]")]
INCEPTION = (
    _HEAD.replace("precisions = []", 'javascript_images = 4\nformats = ["tfjs"]')
    .replace("seeds = 2", "seeds = 1")
    .replace("fractions = [0.5]", "fractions = []")
    + """
[[backbone]]
name = "InceptionV3"
[[iteration]]
number = 1
size = [96, 80]
epochs = 2
input = "any"
"""
)
TRIAL = "InceptionV3-iteration-1"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, server_at_hand):
    """A run that ended with its export."""
    folder = tmp_path_factory.mktemp("project")
    done = run(folder, "r", spec=INCEPTION)
    assert 0 == done.returncode, done.stderr
    return folder, done


def exported(folder):
    """Where the export is."""
    return folder / "reports" / "runs" / "r" / "export" / TRIAL


def test_a_run_ends_with_a_model_that_both_runtimes_have_run(finished):
    """Four precisions on validation, one on test; uint8 is not what a user gets unasked."""
    folder, done = finished
    facts = json.loads(done.stdout)["export"]
    assert ["float32", "uint16", "float16", "uint8"] == [
        row["precision"] for row in facts["models"]
    ]
    float32 = facts["models"][0]
    assert 12 == float32["validation"]["num_images"] and 4 == float32["javascript"]["num_images"]
    tested = {row["precision"]: row["num_images"] for row in facts["models"] if row["num_images"]}
    assert {facts["precision"]: 12} == tested
    assert float32["javascript"]["from_keras"] < 1e-4
    sizes = [row["num_bytes"] for row in facts["models"]]
    assert 0.45 < sizes[1] / sizes[0] < 0.55 and 0.2 < sizes[3] / sizes[0] < 0.3
    names = {path.name for path in exported(folder).iterdir()}
    assert names == {
        *("export.json", "model.keras", "model_card.json", "model_card.md"),
        *("golden.json", "golden", "tfjs"),
    }
    page = (folder / "reports" / "runs" / "r" / "summary.md").read_text()
    assert "## Deployment" in page


def test_the_keras_file_loads_in_safe_mode_and_gives_the_golden_probabilities(finished):
    """Raw pixels of a PNG in, p_male out, without any code of gfr."""
    import keras

    folder = exported(finished[0])
    model = keras.saving.load_model(folder / "model.keras", safe_mode=True)
    for row in json.loads((folder / "golden.json").read_text())["images"]:
        pixels = np.asarray(Image.open(folder / row["file"]), np.float32)
        p_male = float(model(pixels[None])[0, 0])
        assert p_male == pytest.approx(row["p_male"], abs=1e-5)


def test_the_page_gives_the_probabilities_of_keras(finished, chrome):
    """`gfr serve` in Chromium: the golden images, within what the precision costs, no error."""
    with web.PageServer(exported(finished[0]), 0).in_background() as server:
        visit = Visit(chrome.new_page(), f"{server.url}?backend=wasm").ready()
        visit.page.click("#check")
        check = visit.data("#check-result", "check")
    assert (5, 0) == (check["numImages"], check["numOtherAnswers"])
    assert check["maxDifference"] <= MAX_DIFFERENCE
    assert ([], []) == (visit.errors, visit.foreign())


def test_a_model_that_javascript_cannot_run_is_no_export(finished, tmp_path):
    """The converter exits 0 on such models: a missing shard, an operation that is unknown."""
    node = engines.get("tfjs")
    source = exported(finished[0]) / "tfjs"
    image = np.zeros((20, 20, 3), np.uint8)
    assert 1 == len(node.load(source)([image]).p_male)
    for spoil in (cut_a_shard, name_an_unknown_operation):
        copy = tmp_path / spoil.__name__
        subprocess.run(["cp", "-r", source, copy], check=True)
        spoil(copy)
        with pytest.raises(StepFailed, match=r"TensorFlow\.js cannot run it"):
            node.load(copy)([image])


def cut_a_shard(model):
    """The first file of weights is gone."""
    min(model.glob("*.bin")).unlink()


def name_an_unknown_operation(model):
    """As if the network had a layer that TensorFlow.js lacks."""
    text = (model / "model.json").read_text()
    (model / "model.json").write_text(text.replace('"ResizeBilinear"', '"NoSuchOperation"'))


def test_what_is_added_to_a_convolution_is_not_taken_for_its_bias(tmp_path):
    """The 3 of MobileNetV3's hard sigmoid, ResNet50's residual: TensorFlow crashed on both."""
    program = ROOT / "tests" / "programs" / "convert_sums.py"
    done = subprocess.run([sys.executable, program, tmp_path], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    assert float(done.stdout.split()[-1]) < 1e-5
