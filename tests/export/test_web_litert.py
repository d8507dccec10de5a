"""LiteRT.js on the page in a browser: its answers, and when TensorFlow.js computes instead."""

import json
import shutil
from pathlib import Path

import pytest
import web_export
from PIL import Image
from web_browser import PATIENCE_MS, Visit, encoded
from web_host import serve

from gfr.export import web

pytestmark = pytest.mark.slow

TOLERANCE = 1e-3  # of a probability, against Keras
MAX_THREADS = 4  # of web/src/litert.js
FACE = ("a.png", encoded(web_export.face(1)))


@pytest.fixture
def tflite(web_model, tmp_path) -> Path:
    """A copy of the model for LiteRT, which a test may damage."""
    return shutil.copy(web_model.parent / "litert" / "model.tflite", tmp_path / "model.tflite")


@pytest.fixture
def litert(tflite) -> web.LiteRTModel:
    """What `gfr serve` offers of it."""
    return web.LiteRTModel(tflite, "float32")


@pytest.fixture
def offered(chrome, web_model, litert, tmp_path):
    """A function that opens a page which may use LiteRT.js, and the server of the page."""
    pages = []
    (tmp_path / "summary.md").write_text("# A report\n")
    with serve(web_model, tmp_path, litert) as host:

        def visit(query="", **options):
            pages.append(chrome.new_context(**options).new_page())
            return Visit(pages[-1], host.url + query)

        yield visit, host
    for page in pages:
        page.context.close()


def threads(visit):
    """How many threads LiteRT.js takes on this machine, as the page says it."""
    num = min(visit.page.evaluate("navigator.hardwareConcurrency"), MAX_THREADS)
    return f"{num} thread" + ("s" if num > 1 else "")


def test_litert_gives_the_probabilities_of_keras_with_threads(offered, web_model):
    """It is chosen without a graphics card; aligned faces, and whole pictures of other sizes."""
    faces = [web_export.face(index) for index in range(1, 5)]
    plain = [Image.new("RGB", size, (90, 120, 150)) for size in ((150, 170), (90, 60))]
    pictures = [faces[0], plain[0], *faces[1:], plain[1]]
    visit = offered[0]().ready()
    assert visit.page.evaluate("crossOriginIsolated")
    visit.give(*[(f"{i}.png", encoded(picture)) for i, picture in enumerate(pictures)])
    expected = web_export.keras_p_male(web_model, pictures)
    assert pytest.approx(expected, abs=TOLERANCE) == visit.p_male()
    assert {"litert"} == {face["backend"] for face in visit.faces()}
    assert f"on LiteRT.js, {threads(visit)}" in visit.text(".answer .detail >> nth=0")
    assert f"WebAssembly, {threads(visit)}, with LiteRT.js" in visit.text("#fact-backend")
    assert ([], []) == (visit.errors, visit.foreign())


def test_golden_pictures_and_the_measurement_on_litert(offered, web_model):
    """The page's own check agrees, and `?measure=5` names runtime and threads."""
    visit = offered[0]("?measure=5").ready()
    measured = visit.data("#measure-result", "measurement")
    assert ("litert", 5) == (measured["backend"], len(measured["raw_ms"]))
    assert threads(visit).startswith(f"{measured['num_threads']} thread")
    visit.page.click("#check")
    check = visit.data("#check-result", "check")
    golden = json.loads((web_model / "golden.json").read_text())["images"]
    assert ("litert", len(golden), 0) == (
        check["backend"],
        check["numImages"],
        check["numOtherAnswers"],
    )
    assert check["maxDifference"] <= TOLERANCE
    assert "on LiteRT.js" in visit.text("#check-result")


def test_each_runtime_loads_only_its_own_files(offered):
    """LiteRT.js is not loaded for TensorFlow.js; a change of runtime keeps the photos."""
    visit, host = offered
    page = visit("?backend=wasm").ready().give(FACE)
    assert not [path for path in host.asked if "litert" in path.lower()]
    before = page.p_male()
    host.asked.clear()
    page.page.check("#backend-litert")
    page.page.wait_for_selector("body[data-backend=litert][data-state=ready]")
    page.through()
    assert pytest.approx(before, abs=TOLERANCE) == page.p_male()
    assert ["litert"] == [face["backend"] for face in page.faces()]
    assert not [path for path in host.asked if path.startswith("/model/tfjs/")]
    host.asked.clear()
    page.page.reload()
    page.ready()
    assert "/model/litert/model.tflite" not in host.asked  # the browser has kept it


def test_a_host_without_headers_gets_one_thread(chrome, web_model, litert):
    """Most static hosts send none."""
    with serve(web_model, None, litert, is_isolated=False) as host:
        visit = Visit(chrome.new_page(), host.url).ready().give(FACE)
        assert not visit.page.evaluate("crossOriginIsolated")
        assert "on LiteRT.js, 1 thread" in visit.text(".answer .detail")
        assert not [path for path in host.asked if "threaded" in path]
        visit.page.close()


def falls_back(visit, reason, model):
    """TensorFlow.js answers as Keras does, and the page says why LiteRT.js does not."""
    visit.ready().give(FACE)
    assert "LiteRT.js failed" in visit.text("#notices")
    assert reason in visit.text("#notices")
    assert "TensorFlow.js computes instead" in visit.text("#notices")
    assert "with TensorFlow.js" in visit.text("#fact-backend")
    assert ["wasm"] == [face["backend"] for face in visit.faces()]
    expected = web_export.keras_p_male(model, [web_export.face(1)])
    assert pytest.approx(expected, abs=TOLERANCE) == visit.p_male()


def test_a_file_that_is_not_the_one_of_the_card_is_not_used(offered, tflite, web_model):
    """One bit has changed; the damaged copy is not kept, so the next visit has the right file."""
    content = bytearray(tflite.read_bytes())
    content[len(content) // 2] ^= 1
    tflite.write_bytes(content)
    visit = offered[0]()
    falls_back(visit, "damaged, its SHA-256", web_model)
    content[len(content) // 2] ^= 1
    tflite.write_bytes(content)
    visit.page.reload()
    visit.ready()
    assert "litert" == visit.page.locator("body").get_attribute("data-backend")


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "zeros"])
def test_a_file_that_litert_cannot_run_is_replaced(chrome, tflite, litert, web_model, kind):
    """Files with the right digest that are not a model."""
    content = tflite.read_bytes()
    tflite.write_bytes(
        {
            "empty": b"",
            "text": b"not a model " * 99,
            "cut": content[: len(content) // 2],
            "zeros": content[:40] + bytes(len(content) - 40),
        }[kind]
    )
    with serve(web_model, None, litert) as host:
        page = chrome.new_context().new_page()
        falls_back(Visit(page, host.url), "", web_model)
        page.context.close()


def test_a_file_that_is_gone_is_replaced(offered, tflite, web_model):
    """The server has lost it since it started."""
    tflite.unlink()
    falls_back(offered[0](), "the server says 404", web_model)


def test_the_runtime_that_is_missing_is_replaced(chrome, web_model, litert):
    """A host to which web/dist/litert was not copied."""
    with serve(web_model, None, litert) as host:
        page = chrome.new_context().new_page()
        page.context.route("**/litert/litert_wasm*", lambda route: route.fulfill(status=404))
        falls_back(Visit(page, host.url), "", web_model)
        page.context.close()


def test_other_probabilities_than_keras_are_not_shown(chrome, web_model, litert):
    """The golden images are classified before any photo; here Keras seems to say otherwise."""
    golden = json.loads((web_model / "golden.json").read_text())
    golden["images"][0]["p_male"] += 0.02
    with serve(web_model, None, litert) as host:
        page = chrome.new_context().new_page()
        page.context.route("**/golden.json", lambda route: route.fulfill(json=golden))
        falls_back(Visit(page, host.url), "up to 2.0e-2 from Keras", web_model)
        page.context.close()


def test_a_change_of_runtime_while_litert_is_checked(chrome, web_model, litert):
    """The check that is left behind, here without its images, is not a failure of LiteRT.js."""
    with serve(web_model, None, litert) as host:
        page, held = chrome.new_context().new_page(), []
        page.context.route("**/golden.json", lambda route: held.append(route))
        with page.expect_request("**/golden.json", timeout=PATIENCE_MS):
            visit = Visit(page, host.url)
        photo = {"name": FACE[0], "mimeType": "image/png", "buffer": FACE[1]}
        page.set_input_files("#files", [photo])
        page.check("#backend-wasm")
        page.wait_for_selector("body[data-backend=wasm][data-state=ready]")
        held[0].abort()
        visit.through()
        assert ["wasm"] == [face["backend"] for face in visit.faces()]
        assert "" == visit.text("#notices")
        page.context.close()


def test_a_browser_without_relaxed_simd_uses_tensorflow(chrome, web_model, litert):
    """LiteRT.js is shown as unavailable, and nothing of it is loaded."""
    with serve(web_model, None, litert) as host:
        page = chrome.new_context().new_page()
        # No code with the operation 0x100, a relaxed one.
        refused = """const validate = WebAssembly.validate;
            WebAssembly.validate = (code) =>
                !String(new Uint8Array(code)).includes('253,128,2') && validate(code);"""
        page.context.route(
            "**/worker.js",
            lambda route: route.fulfill(
                response=(answer := route.fetch()), body=refused + answer.text()
            ),
        )
        visit = Visit(page, host.url).ready().give(FACE)
        assert ["wasm"] == [face["backend"] for face in visit.faces()]
        assert page.locator("#backend-litert").is_disabled()
        assert not [path for path in host.asked if path.startswith("/litert/")]


def test_without_a_litert_file_the_page_does_not_mention_it(visit):
    """As before: no radio button, no request, TensorFlow.js."""
    page = visit("")
    assert "wasm" == page.page.locator("body").get_attribute("data-backend")
    assert 0 == page.page.locator("#backend-litert").count()
    assert "LiteRT" not in page.text("body")
