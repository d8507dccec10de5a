"""What of an export can be told without a model: the rule, the card, the page's server."""

import http.client
import json
import signal
import subprocess
import sys
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
import records
from html_page import summary_md

from cli.main import app
from gfr.engines.base import Predictions
from gfr.errors import InputError, StepFailed
from gfr.export import model_card, validate, web
from gfr.export.validate import choose, compare_javascript, refuse_disagreement
from gfr.results import store
from gfr.storage import atomic, serialization
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    """A finished run with its export, on disk."""
    written = records.run(tmp_path / "runs" / "r")
    found = replace(written, export=records.export(written))
    records.write(found)
    folder = RunDirectory(found.directory).export(found.export.trial.id).path
    serialization.write(folder / "export.json", found.export)
    model_card.write(folder, found, found.result_of(None), found.export)
    for name in ("tfjs/model.json", "model.keras"):
        atomic.write_text(folder / name, name)
    atomic.write_text(found.directory / "summary.md", "# summary")
    return found


def test_the_smallest_that_cannot_be_told_apart_is_exported():
    """Too far off, or too many answers lost, is out; of two of one size the closer is taken."""
    far = records.web_model("uint8", 0.02)
    worse = records.web_model("uint8", 0.005, only_keras_right=8, only_this_right=1)
    coarse, fine = records.web_model("float16", 8e-3), records.web_model("uint16", 1e-3)
    whole = records.web_model("float32", 1e-6)
    assert fine == choose((whole, fine, coarse, far))
    assert fine == choose((whole, coarse, fine, worse))
    assert "uint8" == choose((whole, fine, records.web_model("uint8", 5e-3))).precision
    assert far == choose((far, replace(far, precision="float16", max_difference=0.3)))


def test_runtimes_that_answer_otherwise_are_refused():
    """In float32 1e-4 apart is agreement, more is not; images at 0.5 may tip over, others not."""
    reference = np.array([0.2, 0.49999, 0.8, 0.7], np.float32)
    spoken = Predictions(np.array([0.20003, 0.50002, 0.8]), (0.1, 0.1, 0.1), "wasm", "4.22.0")
    found = compare_javascript(spoken, reference, reference)
    assert (3, 0) == (found.num_images, found.num_other_answers)
    assert 3e-5 == pytest.approx(found.from_keras, rel=0.01)
    model = records.web_model("float32", 1e-6)
    refuse_disagreement(replace(model, javascript=found))
    for values in ([0.2, 0.5002, 0.8], [0.2, 0.4999, float("nan")]):
        other = compare_javascript(replace(spoken, p_male=np.array(values)), reference, reference)
        with pytest.raises(StepFailed, match=r"TensorFlow\.js, TensorFlow and Keras"):
            refuse_disagreement(replace(model, javascript=other))
    coarse = replace(records.web_model("uint8", 0.1), javascript=replace(found, from_keras=0.1))
    refuse_disagreement(coarse)  # far from Keras, but what its own weights give


def test_the_report_shows_every_precision_and_names_the_one_exported(run):
    """MB, accuracy, what was lost and won, the paired test, both runtimes."""
    page = summary_md(store.read_run(run.directory))
    section = page.partition("## Deployment")[2].partition("\n## ")[0]
    assert "uint16 weights (16.0 MB)" in section
    assert "0.900 (90 of 100 images)" in section and "0.890 (89 of 100 images)" in section
    row = next(line for line in section.splitlines() if line.startswith("| uint8"))
    assert ["8.0", "0.840 [0.756, 0.899]", "7 / 1"] == [
        cell.strip() for cell in row.split("|")[2:5]
    ]
    assert "the smallest one whose probabilities differ from Keras by at most 0.01" in section
    asked = replace(run, export=replace(run.export, is_asked_for=True))
    assert "The exported precision is in bold: requested by name" in summary_md(asked)


def test_a_run_without_its_export_says_how_to_get_it(run):
    """The benchmark asks for one."""
    page = summary_md(replace(run, export=None))
    assert "Not exported. To export it: `gfr export r`." in page


def test_the_card_holds_what_the_page_needs(run):
    """Every value that training fixed, and for people what the label means and does not."""
    folder = RunDirectory(run.directory).export(run.export.trial.id).path
    card = json.loads((folder / "model_card.json").read_text())
    assert [64, 64] == card["input"]["size"]
    assert ("male", "female", 0.5) == tuple(
        card["output"][key] for key in ("positive", "negative", "threshold")
    )
    assert {"right_eye", "left_eye", "mouth"} == set(card["alignment"]["points"])
    assert 0.01 == card["uncertain_share"]  # one of 100 test images lies at 0.45
    assert "trained on synthetic faces" in card["notes"]
    split = run.record.split  # women are more frequent in training
    assert {name: num / (num + split.num_male[name]) for name, num in split.num_female.items()} == {
        name: found["majority_share"] for name, found in card["metrics"].items()
    }
    text = (folder / "model_card.md").read_text()
    assert "no licence of a data set applies" in text and "no real face was seen" in text


def test_an_export_that_fails_leaves_the_older_one(tmp_path):
    """Whole or not at all; nothing temporary stays, not even what a killed one has left."""
    with atomic.directory(tmp_path / "trial") as folder:
        (folder / "model.json").write_text("first")
    (tmp_path / "tmp-0123456789ab-trial").mkdir()

    with pytest.raises(RuntimeError), atomic.directory(tmp_path / "trial") as folder:
        (folder / "model.json").write_text("second")
        raise RuntimeError
    assert ["trial"] == [path.name for path in tmp_path.iterdir()]
    assert "first" == (tmp_path / "trial" / "model.json").read_text()


@pytest.fixture
def get(run):
    """A function that asks the server for a path: status, body, headers."""
    export = web.exported(store.read_run(run.directory), None)
    with web.PageServer(export, 0).in_background() as server:

        def ask(path, host="localhost"):
            connection = http.client.HTTPConnection(web.HOST, server.port)
            connection.putrequest("GET", path, skip_host=True)
            connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

        yield ask


def test_the_server_shows_the_page_the_model_and_the_report(get):
    """It serves no other file of the run, none outside, and refuses another site's name."""
    assert b"<title>" in get("/")[1]
    assert (200, b"tfjs/model.json") == get("/model/tfjs/model.json")[:2]
    assert (200, b"# summary") == get("/report/summary.md?x=1")[:2]
    for path in ("/model/model.keras", "/report/run.json", "/../run.json", "/%2e%2e/run.json"):
        assert 404 == get(path)[0]
    assert 400 == get("/", host="example.org")[0]


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/worker.js", "text/javascript; charset=utf-8"),
        ("/tfjs-backend-wasm-simd.wasm", "application/wasm"),
        ("/model/tfjs/model.json", "application/json"),
        ("/report/summary.md", "text/plain; charset=utf-8"),
    ],
)
def test_files_have_their_media_type_and_are_not_cached(get, path, media_type):
    """WebAssembly and modules load only with the right type; the page caches the model itself."""
    _, _, headers = get(path)
    assert (media_type, "no-store") == (headers["Content-Type"], headers["Cache-Control"])
    assert ("nosniff", "no-referrer") == (
        headers["X-Content-Type-Options"],
        headers["Referrer-Policy"],
    )


def test_the_site_is_written_for_any_static_host(run, tmp_path):
    """The same files; a directory in use is refused."""
    export = web.exported(store.read_run(run.directory), None)
    web.write(export, tmp_path / "site")
    assert (tmp_path / "site" / "index.html").exists()
    assert (tmp_path / "site" / "model" / "model_card.json").exists()
    assert not list((tmp_path / "site").rglob("*.keras"))
    with pytest.raises(InputError, match="exists and is not an empty directory"):
        web.write(export, tmp_path / "site")


def test_a_place_in_use_is_refused_before_anything_is_exported_or_rendered(run):
    """The report and the run stay as they were."""
    before = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    words = ["--site", str(run.directory), "--reports", str(run.directory.parents[1])]
    with pytest.raises(InputError, match="exists and is not an empty directory; name another"):
        app(["export", "r", *words])
    assert before == {path: path.read_bytes() for path in before}
    assert len(before) == sum(path.is_file() for path in run.directory.rglob("*"))


def test_what_is_not_exported_and_a_port_that_is_taken_are_refused(run):
    """With the command that mends it."""
    other = run.trials[0].trial.id
    with pytest.raises(InputError, match=f"not exported yet; gfr export r --trial {other}"):
        web.exported(store.read_run(run.directory), other)
    export = web.exported(store.read_run(run.directory), None)
    server = web.PageServer(export, 0)
    with pytest.raises(InputError, match="choose another with --port"):
        web.PageServer(export, server.port)


def test_ctrl_c_ends_the_server_with_code_0(run):
    """`gfr serve` in a process of its own, up to its last byte of output."""
    words = ["serve", "r", "--port", "0", "--reports", str(run.directory.parents[1])]
    program = "import sys; from cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True) as served:
        lines = [served.stdout.readline() for _ in range(2)]
        url = lines[1].split()[0]
        assert b"# summary" == urllib.request.urlopen(f"{url}report/summary.md").read()
        served.send_signal(signal.SIGINT)
        assert ("", "") == (served.stdout.read(), served.stderr.read())
    assert 0 == served.returncode
    assert lines[0].startswith("model: VGG16 / iteration 2, run r")


def test_an_unknown_precision_is_refused_with_those_there_are():
    """As typed on the command line."""
    with pytest.raises(InputError, match="'int4': unknown; known: float32, float16, uint16, uint8"):
        validate.checked("int4")
