"""WebGPU and WebGL, in software: what no GPU is needed for to see that it holds."""

import pytest
import web_export
from web_browser import Visit, encoded

pytestmark = pytest.mark.slow

SOFTWARE_WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
SOFTWARE = {
    "webgl": SOFTWARE_WEBGL,
    "webgpu": (
        *("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"),
        "--enable-features=Vulkan",
    ),
}


@pytest.mark.parametrize("name", SOFTWARE)
def test_graphics_and_a_change_of_backend(launch, visit, web_model, name):
    """In software: never chosen by itself, close to Keras, and left without losing photos."""
    faces = [web_export.face(index) for index in (1, 2)]
    expected = web_export.keras_p_male(web_model, faces)
    page = visit("", chrome=launch(*SOFTWARE[name]))
    assert "wasm" == page.page.locator("body").get_attribute("data-backend")
    page.page.check(f"#backend-{name}")
    page.page.wait_for_selector(f"body[data-backend={name}][data-state=ready]")
    assert f"?backend={name}" in page.page.url
    page.give(*[(f"{i}.png", encoded(face)) for i, face in enumerate(faces)])
    assert {name} == {face["backend"] for face in page.faces()}
    assert pytest.approx(expected, abs=1e-3) == page.p_male()
    page.page.check("#backend-wasm")
    page.page.wait_for_selector("body[data-backend=wasm][data-state=ready]")
    page.through()
    assert {"wasm"} == {face["backend"] for face in page.faces()}
    assert pytest.approx(expected, abs=1e-4) == page.p_male()


def test_a_backend_that_fails_is_replaced(launch, host):
    """WebGL that cannot be loaded: WebAssembly computes, and the page says so."""
    page = launch(*SOFTWARE_WEBGL).new_page()
    page.context.route("**/chunks/dist-*", lambda route: route.abort())
    seen = Visit(page, host.url + "?backend=webgl").ready()
    assert "WebGL failed" in seen.text("#notices")
    seen.give(("a.png", encoded(web_export.face(1))))
    assert "wasm" == seen.faces()[0]["backend"]


def test_a_backend_that_is_not_here_is_not_used(visit):
    """An address that asks for it gets another one and a word on it."""
    page = visit("?backend=webgpu")
    assert "wasm" == page.page.locator("body").get_attribute("data-backend")
    assert "cannot be had here" in page.text("#notices")


def test_a_backend_that_fails_in_the_middle_is_replaced(launch, host):
    """The photo under way is classified on WebAssembly, and the page says so."""
    seen = Visit(launch(*SOFTWARE_WEBGL).new_page(), host.url + "?backend=webgl").ready()
    assert "webgl" == seen.page.locator("body").get_attribute("data-backend")
    (worker,) = seen.page.workers
    lost = "() => { throw new Error('the context is lost'); }"
    worker.evaluate(f"WebGL2RenderingContext.prototype.useProgram = {lost}; 0")
    seen.give(("a.png", encoded(web_export.face(1))))
    assert "WebGL failed (the context is lost)" in seen.text("#notices")
    assert ["wasm"] == [face["backend"] for face in seen.faces()]


def test_two_quick_changes_of_backend_try_a_failed_photo_once(visit):
    """The photo gets its answer, not an error from a second try."""
    seen = visit()
    (worker,) = seen.page.workers
    worker.evaluate("performance.now = () => { throw new Error('no clock'); }; 0")
    seen.give(("a.png", encoded(web_export.face(1))))
    assert "no clock" in seen.text("[data-file='a.png'] .problem")
    change = "document.querySelector('#backend-wasm').dispatchEvent(new Event('change'))"
    seen.page.evaluate(f"{change}; {change}")
    seen.through()
    assert ["done"] == [face["state"] for face in seen.faces()]
    assert 0 == seen.page.locator("[data-file='a.png'] .problem").count()
