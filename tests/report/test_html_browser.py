"""summary.html as people open it: from the disk, on every screen, by mouse and by keyboard."""

from dataclasses import replace

import pytest
from html_page import at_hand, full_run, page
from records import IS_MALE
from web_browser import Visit

from gfr.pipeline import selection

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(chrome, tmp_path):
    """A function that opens the page from the disk, without a network."""
    run = full_run(tmp_path / "r")
    path = tmp_path / "summary.html"
    path.write_text(page(run, faces=at_hand(tmp_path / "images")), "utf-8")
    visits = []

    def open_page(**options):
        context = chrome.new_context(offline=True, **options)
        visits.append(Visit(context.new_page(), path.as_uri()))
        visits[-1].page.set_default_timeout(20_000)
        return visits[-1]

    yield open_page
    for each in visits:
        assert [] == each.errors
        asked = [url for url in each.requests if not url.startswith("data:")]
        assert [each.address] == asked
        each.page.context.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_every_screen(opened, width, scheme):
    """No sideways scroll, no error, no request; pictures are there and charts within the screen."""
    seen = opened(viewport={"width": width, "height": 900}, color_scheme=scheme).page
    assert width == seen.evaluate("document.documentElement.scrollWidth")
    widest = "Math.max(...[...document.querySelectorAll('svg.chart')]"
    widest += ".map((each) => each.getBoundingClientRect().right))"
    assert width >= seen.evaluate(widest) > 0.6 * min(width, 700)
    face = seen.locator(".face").first
    assert "data:image/jpeg" in face.evaluate("each => getComputedStyle(each).backgroundImage")
    ground = seen.evaluate("getComputedStyle(document.body).backgroundColor")
    assert {"light": "rgb(247, 245, 240)", "dark": "rgb(20, 24, 26)"}[scheme] == ground
    shown = seen.locator(".narrow" if width == 390 else ".wide").first
    assert shown.is_visible()


def widest(run):
    """The run with long names, seeds, bfloat16 latencies and background load."""
    record = run.record
    names = {"VGG16": "InceptionResNetV2", "MobileNetV2": "NASNetMobile-224-224"}

    def renamed(row):
        return replace(row, label=names[row.label])

    benchmark = replace(record.benchmark, backbone=tuple(map(renamed, record.benchmark.backbone)))
    weights = tuple(replace(row, backbone=names[row.backbone]) for row in record.weights)
    choices = tuple(
        replace(choice, feature_set_id=feature_set.id)
        for choice, feature_set in zip(record.choices, benchmark.feature_sets, strict=True)
    )
    record = replace(record, benchmark=benchmark, weights=weights, choices=choices)
    trials = []
    for result, trial in zip(run.trials, benchmark.trials, strict=True):
        parts = tuple(replace(row, feature_set=trial.feature_set) for row in result.features.parts)
        features = replace(result.features, feature_set=trial.feature_set, parts=parts)
        trials.append(replace(result, trial=trial, features=features))
    latencies = {}
    for old, feature_set in zip(run.latencies.values(), benchmark.feature_sets, strict=True):
        single = replace(old.float32.single, others_share=0.4)
        timing = replace(old.float32, single=single)
        timings = (timing, replace(timing, precision="bfloat16"))
        latencies[feature_set.id] = replace(old, feature_set=feature_set, timings=timings)
    is_male = IS_MALE["validation"]
    chosen = selection.best(tuple(trials), latencies, benchmark.selection, is_male)
    return replace(run, record=record, trials=tuple(trials), latencies=latencies, selection=chosen)


def test_the_comparison_fits_a_small_desktop(chrome, tmp_path):
    """No hidden column at 1280 px, with everything that the table can hold."""
    text = page(widest(full_run(tmp_path / "r")))
    assert "p50 latency, bfloat16" in text and "Mean over seeds" in text and "‖" in text
    path = tmp_path / "summary.html"
    path.write_text(text, "utf-8")
    context = chrome.new_context(offline=True, viewport={"width": 1280, "height": 900})
    seen = Visit(context.new_page(), path.as_uri()).page
    widths = "each => [each.scrollWidth, each.clientWidth]"
    scrolled, shown = seen.locator("#comparison .scroll").first.evaluate(widths)
    assert scrolled <= shown
    context.close()


def column(seen, name):
    """The cells of a column of the comparison, as they stand."""
    head = "th => [...th.closest('table').tBodies[0].rows]"
    head += ".map((row) => row.cells[th.cellIndex].textContent)"
    return seen.locator("#comparison th", has_text=name).first.evaluate(head)


def test_a_column_is_sorted_by_click_and_by_keyboard(opened):
    """Rising, then falling, by the leading number; `aria-sort` says which."""
    seen = opened(viewport={"width": 1280, "height": 900}).page
    assert ["0.900", "0.880", "0.700", "0.620", "0.600"] == column(seen, "Test accuracy")
    button = seen.locator("#comparison th button", has_text="Test accuracy")
    button.click()
    assert ["0.600", "0.620", "0.700", "0.880", "0.900"] == column(seen, "Test accuracy")
    head = seen.locator("#comparison th", has_text="Test accuracy")
    assert "ascending" == head.get_attribute("aria-sort")
    button.press("Enter")
    assert ["0.900", "0.880", "0.700", "0.620", "0.600"] == column(seen, "Test accuracy")
    assert "descending" == head.get_attribute("aria-sort")
    seen.locator("#comparison th button", has_text="p50").press("Space")
    assert ["10.0", "10.0", "50.0", "50.0", ""] == column(seen, "p50")  # nothing stays last
    assert "none" == head.get_attribute("aria-sort")
    assert "MobileNetV2 / iteration 1 †" == column(seen, "Trial")[0]
    seen.locator("#comparison th button", has_text="Trial").first.click()
    assert "Majority class" == column(seen, "Trial")[0]


def test_a_point_tells_its_values(opened):
    """On hover, on Escape no more, and to the keyboard from mark to mark."""
    seen = opened(viewport={"width": 1280, "height": 900}).page
    tip = seen.locator("#tip")
    assert tip.is_hidden()
    scatter = seen.locator("#comparison .wide svg.chart")
    scatter.locator(".mark path").nth(1).hover()
    assert "VGG16 / iteration 2\ntest accuracy 0.8800" in tip.inner_text()
    box = tip.bounding_box()
    assert 0 <= box["x"] and box["x"] + box["width"] <= 1280 and 0 <= box["y"]
    seen.keyboard.press("Escape")
    assert tip.is_hidden()
    scatter.focus()
    scatter.press("ArrowRight")
    first = tip.inner_text()
    scatter.press("ArrowRight")
    assert first != tip.inner_text() and "test accuracy" in first
    seen.locator("#learning-curves .strip").nth(2).hover()
    assert "epoch 3" in tip.inner_text()


def test_a_legend_brings_out_its_curve(opened):
    """All other curves fade while it is pressed."""
    seen = opened(viewport={"width": 1280, "height": 900}).page
    button = seen.locator("#error-analysis .legend button").first
    button.click()
    seen.mouse.move(0, 0)
    faded = seen.locator("#error-analysis path.line.dim")
    assert 2 * 3 == faded.count()
    assert "true" == button.get_attribute("aria-pressed")
    button.click()
    seen.mouse.move(0, 0)
    assert 0 == faded.count()


def test_without_scripts_the_page_still_reads(opened):
    """Tables and charts are there; the browser itself shows a mark's title."""
    seen = opened(viewport={"width": 390, "height": 900}, java_script_enabled=False).page
    assert seen.locator("#comparison table").first.is_visible()
    assert 0 < seen.locator("#comparison .narrow svg.chart title").count()
