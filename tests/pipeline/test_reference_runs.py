"""References in a whole run: evaluated after the selection, chosen on validation, never selected.

The images of the run are noise; those of men are brighter (tests/conftest.py).
"""

import json

import kept
import pytest
from conftest import write_celeba
from test_flow import SPEC, assert_equal_results

import gfr
from gfr.errors import InputError
from gfr.pipeline import isolation, references
from gfr.pipeline import request as pipeline_request
from gfr.pipeline.run import run
from gfr.pipeline.run_options import RunOptions
from gfr.results import status, store
from gfr.storage.run_directory import RunDirectory

pytestmark = pytest.mark.slow

ROWS = """
[[reference]]
label = "bright"
file = "bright.keras"
scaling = ["unit", "none"]
crop = ["none", 100, [0.0, 0.25, 1.0, 1.0]]
license = "MIT"
[[reference]]
label = "misused"
file = "bright.keras"
scaling = "unit"
[[reference]]
label = "inverted"
file = "bright.keras"
p_male = "female"
[[reference]]
label = "logits"
file = "logits.keras"
[[reference]]
label = "cloud"
predictions = ["wrong.csv", "right.csv"]
"""


def brightness(path, activation):
    """A classifier of pixels 0..255 that takes bright images for men."""
    import keras

    pixels = keras.Input((32, 32, 3))
    mean = keras.layers.GlobalAveragePooling2D()(pixels)
    head = keras.layers.Dense(1, activation=activation)
    model = keras.Model(pixels, head(mean))
    head.set_weights([head.kernel.numpy() * 0 + 0.1 / 3, head.bias.numpy() - 11.0])
    model.save(path)


def request(folder, run_id, rows, data="celeba"):
    """A run of one trial on 60 images."""
    spec = SPEC[: SPEC.index('[[backbone]]\nname = "MobileNet"')]
    spec += "[[iteration]]\nnumber = 1\nsize = [32, 32]\nepochs = 2\n"
    (folder / "ten.toml").write_text(spec + rows)
    return pipeline_request.request(
        RunOptions(
            benchmark=str(folder / "ten.toml"),
            data=str(folder / data),
            weights="random",
            run_id=run_id,
            reports=str(folder / "reports"),
            cache=str(folder / "cache"),
            command="a test",
            retries=0,
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images, classifiers and CSV files: the answer of every image but one test image."""
    folder = tmp_path_factory.mktemp("references")
    write_celeba(folder / "celeba", 60)
    brightness(folder / "bright.keras", "sigmoid")
    brightness(folder / "logits.keras", None)
    names = [f"{number:06}.jpg" for number in range(1, 61)]
    for name, flip in (("right", 0), ("wrong", 1)):
        lines = [f"{image},{(int(image[:6]) + flip) % 2}" for image in names]
        (folder / f"{name}.csv").write_text("\n".join(["image,male", *lines]) + "\n")
    return folder


@pytest.fixture(scope="module")
def done(folder):
    """The finished run; right.csv lacks one test image."""
    plain = store.read_run(run(request(folder, "plain", ""), isolated=False))
    missing = next(iter(plain.trials[0].test_logits))
    path = folder / "right.csv"
    lines = [line for line in path.read_text().splitlines() if not line.startswith(missing)]
    path.write_text("\n".join([*lines, "999999.jpg,1"]) + "\n")
    return store.read_run(run(request(folder, "with", ROWS), isolated=False))


def test_references_change_neither_trials_nor_selection(folder, done):
    """The run without them has equal results."""
    plain = store.read_run(folder / "reports" / "runs" / "plain")
    assert_equal_results(plain.trials, done.trials)
    assert plain.selection.trial_id == done.selection.trial_id
    assert [] == status.missing(done)
    assert ["bright", "misused", "inverted", "logits", "cloud"] == list(done.references)


def test_scaling_and_crop_are_chosen_on_validation(done):
    """Six combinations; pixels 0..255 are right and 0..1 make every answer female."""
    found = done.references["bright"]
    assert 6 == len(found.tried) and "none" == found.used.scaling
    assert 12 == found.metrics["test"].num_right == found.metrics["validation"].num_right
    assert {row.scores.num_right for row in found.tried if row.scaling == "unit"} == {
        found.metrics["validation"].female_as_female
    }
    assert () == found.warnings and found.gives_probabilities
    assert (64, "TensorFlow") == (len(found.digest), found.runtime)


def test_it_is_timed_in_turn_with_the_selected_model(done):
    """As many calls of each."""
    timed = done.references["bright"].latency
    assert done.selection.trial_id == timed.trial_id
    assert len(timed.single.values_s) == len(timed.selected.values_s) >= 5
    assert timed.p50_ms > 0 and done.references["cloud"].latency is None


def test_constant_answers_get_a_warning_that_names_the_scaling_that_works(done):
    """As of a network that is fed 0..1 instead of 0..255; the suggestion is not used."""
    found = done.references["misused"]
    assert any("100.0% of its answers are female" in row for row in found.warnings)
    best = max(found.attempts, key=lambda row: row.scores.num_right)
    assert ("none", False, 12) == (best.scaling, best.is_inverted, best.scores.num_right)
    assert "unit" == found.used.scaling and found.metrics["test"].num_right < 12
    tried = {(row.scaling, row.is_inverted) for row in found.attempts}
    assert {("unit", True), ("unit-bgr", False), ("caffe", False), ("tf", True)} <= tried
    page = (done.directory / "summary.md").read_text()
    assert "scaling none: pixels as they are, 0..255" in page


def test_inverted_answers_get_a_warning_that_says_so(done):
    """The probability of male taken for that of female."""
    found = done.references["inverted"]
    assert 0 == found.metrics["validation"].num_right
    assert "it is better when its answers are inverted" in found.warnings
    assert 12 == max(row.scores.num_right for row in found.attempts if row.is_inverted)


def test_logits_that_are_taken_for_probabilities_are_a_row_with_the_reason(done):
    """The run goes on."""
    found = done.references["logits"]
    assert found.reason.startswith("its output is not a probability: ")
    assert 'is it "logit-male"?' in found.reason
    assert "**logits failed**" in (done.directory / "summary.md").read_text()


def test_a_missing_answer_is_wrong_and_the_better_csv_is_used(done):
    """0/1 answers have no loss; an image that the run does not have is named."""
    found = done.references["cloud"]
    assert "right.csv" == found.used.title and not found.gives_probabilities
    test = found.metrics["test"]
    assert (12, 11, 11, None) == (test.num_images, test.num_right, test.num_found, test.loss)
    assert 11 / 12 == test.accuracy and 1 == test.accuracy_found
    assert any("999999.jpg" in note for note in found.notes)


def test_summary_json_has_the_references(done):
    """With the paired test against the trial."""
    content = json.loads((done.directory / "summary.json").read_text())["references"]
    rows = {row["reference"]["label"]: row for row in content["rows"]}
    assert 5 == len(rows) and "MIT" == rows["bright"]["reference"]["license"]
    assert 1 == len(rows["cloud"]["comparisons"])


def test_a_result_of_the_same_files_is_kept(done, monkeypatch):
    """Another file is evaluated again; a failed reference is tried again."""
    calls = []

    def fail(place, *others, **options):
        calls.append(place)
        raise InputError("made to fail")

    monkeypatch.setattr(isolation, "call", fail)
    limits = isolation.Limits(isolated=False)
    rows = {row.label: row for row in done.record.benchmark.reference}
    path = RunDirectory(done.directory).reference("bright")
    before = path.read_bytes()
    references.evaluate(done.directory, rows["bright"], limits)
    assert [] == calls and before == path.read_bytes()
    references.evaluate(done.directory, rows["logits"], limits)
    assert 1 == len(calls)
    assert "made to fail" == store.read_run(done.directory).references["logits"].reason


def test_what_can_be_known_before_a_run_stops_it(folder):
    """A missing file, a damaged CSV, an output of the wrong shape: no run directory."""
    (folder / "damaged.csv").write_text("image,p_male\n000001.jpg,2\n")
    for number, (row, message) in enumerate(
        [
            ('file = "none.onnx"', "none.onnx: no such file"),
            ('predictions = "damaged.csv"', "line 2"),
            ('file = "bright.keras"\np_male = "logits"', "has 1 value per image"),
        ]
    ):
        rows = f'[[reference]]\nlabel = "x"\n{row}\n'
        asked = request(folder, f"refused-{number}", rows)
        with pytest.raises(InputError, match=message):
            run(asked, isolated=False)
        assert not RunDirectory(asked.run_dir).record.exists()


def test_the_flow_evaluates_references_too(folder, done, server_at_hand):
    """One task each; the table on the terminal has the row, and a failed one fails no run."""
    rows = '[[reference]]\nlabel = "cloud"\npredictions = "right.csv"\n'
    rows += '[[reference]]\nlabel = "logits"\nfile = "logits.keras"\n'
    request(folder, "flow", rows)
    words = ["run", "ten.toml", "--data", "celeba", "--weights", "random", "--offline"]
    words += ["--run-id", "flow", "--cache", "cache", "--reports", "reports"]
    finished = kept.gfr(folder, *words)
    assert 0 == finished.returncode, finished.stderr
    assert "cloud (reference)" in finished.stdout
    assert "FAILED: its output is not a probability" in finished.stdout
    again = store.read_run(folder / "reports" / "runs" / "flow").references["cloud"]
    assert done.references["cloud"].test == again.test


def test_a_python_function_is_evaluated_on_the_test_images(done):
    """Batches of uint8; the answers of the selected trial's own kind of test."""
    shapes = set()

    def classify(pixels):
        shapes.add((pixels.dtype.name, *pixels.shape[1:]))
        return (pixels.mean((1, 2, 3)) > 110).astype(float)

    found = gfr.evaluate(done, classify=classify)
    assert {("uint8", 218, 178, 3)} == shapes
    assert (12, 12, "classify") == (found.metrics.num_right, len(found.p_male), found.label)
    assert "classify: 12 of 12 test images of run with correct, 100.0% [" in str(found)
    assert "minus VGG16 / iteration 1 (selected): " in str(found)
    assert found.versus.only_reference_right == 12 - done.trials[0].metrics["test"].num_right


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda pixels: pixels[:, 0], "classify returned an array of shape"),
        (lambda pixels: [2.0] * len(pixels), "classify returned 2, which is not a probability"),
        (lambda pixels: None, "classify returned"),
        (lambda pixels: {"p": 1}, "classify returned dict"),
    ],
)
def test_answers_of_another_shape_or_value_are_input_errors(done, answer, message):
    """One line that says what to return."""
    with pytest.raises(InputError, match=message):
        gfr.evaluate(done, classify=answer)
