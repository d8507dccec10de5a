"""summary.html: one file that asks nobody, says what the records say, and can be worked with."""

import base64
import hashlib
import re
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import records
from html_page import Document, at_hand, full_run, page, summary_md
from PIL import Image
from records import FACES, IS_MALE, SPLITS

from gfr.data import images
from gfr.errors import InputError
from gfr.evaluation import subgroups
from gfr.export import web
from gfr.report import html, markdown, svg, thumbnails, writer
from gfr.report.analysis import Face, analyse
from gfr.report.section import Table
from gfr.report.svg import Axis, Frame
from gfr.results import records as results_records
from gfr.storage.paths import ROOT

sys.path.append(str(ROOT))
from benchmarks.tools import example

EVIL = "<script>alert('x')</script><img src=http://evil.example/x>"


@pytest.fixture
def run(tmp_path):
    """Four trials with everything that a report can show, but for an export."""
    return full_run(tmp_path / "reports" / "runs" / "r")


def plain(cell):
    """A cell without its marks."""
    return re.sub(r"\*\*|`", "", cell).strip()


def test_the_verdict_comes_first_and_then_what_was_promised(run):
    """Sections in the order of summary.md, of which the first is the header."""
    text = page(run)
    body = text[text.index("<body>") :]
    assert body.index("is selected") < body.index("<nav") < body.index("<h2>Comparison")
    expected = [
        "Comparison",
        "Significance against the selected model",
        "Selection",
        "Error analysis",
        "Subgroups",
        "Seeds and splits",
        "Learning curves",
        "Examples",
        "Latency",
        "Deployment",
        "Hardware",
        "Dataset",
        "Parameters",
        "Trial details",
        "Energy",
        "Reproduce",
    ]
    assert expected == re.findall("<h2>(.*?)</h2>", text)


def test_the_file_asks_nobody_for_anything(run, tmp_path):
    """Every address is within the file or beside it; no frame, object or foreign style."""
    text = page(run, faces=at_hand(tmp_path / "images"))
    found = Document(text)
    beside = {"results.csv", "results.parquet", "summary.md", "summary.json"}
    assert found.addresses
    for address in found.addresses:
        assert address.startswith(("#", "data:")) or address in beside, address
    assert not {"iframe", "object", "embed", "base", "form"} & set(found.tags)
    assert not re.search(r"url\((?!\"data:)|@import|fetch\(|https?://", text)


def test_the_policy_allows_this_style_and_this_script_alone(run, tmp_path):
    """Their SHA-256, and images in the file."""
    text = page(run, faces=at_hand(tmp_path / "images"))
    found = Document(text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(found.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
        assert 1 == found.tags.count(kind)
    assert "default-src 'none'" in policy and "img-src data:" in policy
    assert "unsafe" not in policy


def test_whatever_comes_from_data_stays_text(run):
    """Reasons, names of images, the command, the CPU."""
    hardware = replace(run.record.hardware, cpu_model=EVIL)
    record = replace(run.record, hardware=hardware, command=f"gfr run {EVIL}")
    failed = results_records.Failure(3, run.trials[3].trial, f"no room {EVIL}")
    spoilt = replace(run, record=record, trials=run.trials[:3], failures=(failed,))
    analysis = replace(analyse(spoilt, FACES, SPLITS), hard=(Face(f"{EVIL}.jpg", True, 0.1, 3),))
    spoilt = replace(spoilt, directory=Path(EVIL))
    text = summary_md(spoilt, analysis)
    assert EVIL not in text.replace(f"`gfr run {EVIL}`", "")  # Markdown lets HTML through
    found = page(spoilt, analysis, folder=EVIL)
    document = Document(found)
    assert (1, 0) == (document.tags.count("script"), document.tags.count("img"))
    assert 3 < "".join(document.words).count(EVIL)
    assert "evil.example" not in re.sub("&lt;.*?&gt;", "", found).replace(EVIL, "")


def test_every_number_of_the_comparison_stands_in_the_table(run):
    """Row by row; the backbone's name is in each, since rows can be sorted."""
    analysis = analyse(run, FACES, SPLITS)
    body = summary_md(run, analysis).partition("\n## Comparison\n")[2].partition("\n## ")[0]
    lines = [line for line in body.splitlines() if line.startswith("|")]
    cells = [[plain(cell) for cell in line[1:-1].split("|")] for line in lines]
    comparison, fitting, *_ = Document(page(run, analysis)).tables
    assert [row for row in cells if ":---" not in row[0]] == [*comparison, *fitting]
    assert [row[0] for row in comparison[1:]] == [
        "VGG16 / iteration 1",
        "VGG16 / iteration 2 (selected)",
        "MobileNetV2 / iteration 1 †",
        "MobileNetV2 / iteration 2 †",
        "Majority class",
    ]


def test_failed_and_contended_trials_are_marked(run):
    """A row that failed is in the table; what was disturbed is said at the top and beside it."""
    failed = results_records.Failure(3, run.trials[3].trial, "killed for memory")
    key = run.trials[0].trial.feature_set.id
    slow = run.latencies | {
        key: records.latency(run.trials[0].trial.feature_set, 0.05, others_share=0.4)
    }
    text = page(replace(run, trials=run.trials[:3], failures=(failed,), latencies=slow))
    rows = Document(text).tables[0]
    assert ["MobileNetV2 / iteration 2 †: failed", "-"] == rows[4][:2]
    assert "<strong>Failed: MobileNetV2 / iteration 2: killed for memory</strong>" in text
    assert "<strong>Background load: other processes used up to 40% of the CPU" in text
    assert "\ncontended</title>" in text


def test_a_run_without_any_result_still_has_a_page(run):
    """All trials failed: it says so, and draws nothing."""
    failures = tuple(results_records.Failure(3, row.trial, "no memory") for row in run.trials)
    empty = replace(run, trials=(), failures=failures, latencies={}, selection=None)
    text = page(empty)
    assert "No model is selected" in text
    assert 'class="chart' not in text


def test_a_run_without_a_selection_shows_its_trials(run):
    """Interrupted before the end: curves and images of what has finished."""
    text = page(replace(run, selection=None, latencies={}))
    assert "VGG16 / iteration 1: reliability" in text
    assert "<h2>Trial details" in text and "Most confident errors" in text
    assert "Accuracy with the attribute" not in text


def test_the_page_folds_other_trials_only_where_there_are_some(run):
    """Reliability and thresholds of a single trial are all that there is."""
    folded = "<summary>Reliability and thresholds of the other trials</summary>"
    assert folded in page(run)
    assert folded not in page(replace(run, trials=run.trials[:1], selection=None))


def test_all_subgroups_are_shown(run):
    """More than the Markdown's eight, each with its mark in the figure."""
    analysis = analyse(run, FACES, SPLITS)
    traits = {f"Trait_{n}": (np.arange(100) + n) % 3 == 0 for n in range(12)}
    found = subgroups.subgroups(records.logits(88, "test"), IS_MALE["test"], pd.DataFrame(traits))
    text = page(run, replace(analysis, subgroups=found))
    assert "smaller ones are in summary.html" not in text
    for number in range(12):
        assert f'<th scope="row">Trait_{number}</th>' in text
        assert f"<title>Trait_{number}\n" in text


def test_an_image_that_is_gone_is_said_to_be(run):
    """Name, label and probability stay; nothing fails."""
    text = page(run)
    names = analyse(run, FACES, SPLITS).shown
    assert names and all(name in text for name in names)
    assert "image not available" in text and "data:image/jpeg" not in text
    assert f"{len(names)} of these images are not available" in text


def test_each_thumbnail_stands_in_the_page_once(run, tmp_path):
    """However many trials get the image wrong."""
    faces = at_hand(tmp_path / "images")
    text = page(run, faces=faces)
    names = analyse(run, FACES, SPLITS).shown
    assert len(names) == text.count("data:image/jpeg") < text.count('role="img" aria-label="000')
    assert "image not available" not in text


def test_thumbnails_are_of_the_images_that_were_measured(tmp_path):
    """89 x 109 JPEG; none of a file that is gone, is no image, or has changed since."""
    faces = at_hand(tmp_path / "images")
    kept, gone, broken, other = FACES.names[:4]
    (faces.image_dir / gone).unlink()
    (faces.image_dir / broken).write_bytes(b"no image")
    Image.new("RGB", (178, 218), "white").save(faces.image_dir / other, "JPEG")
    found = thumbnails.of(faces, [kept, gone, broken, other, kept])
    assert [kept] == list(found)
    content = base64.b64decode(found[kept].removeprefix("data:image/jpeg;base64,"))
    (tmp_path / "small.jpg").write_bytes(content)
    assert (109, 89, 3) == images.decode(tmp_path / "small.jpg").pixels.shape


def test_the_chart_of_gaps_fills_what_the_text_says_is_significant(run):
    """Within each sex, however surely the pooled groups differ."""
    analysis = analyse(run, FACES, SPLITS)
    half = pd.DataFrame({"Young": np.arange(100) < 50})
    (gap,) = subgroups.subgroups(records.logits(88, "test"), IS_MALE["test"], half).gaps
    hollow = []
    for pooled, within in ((0.001, 1.0), (1.0, 0.001)):
        found = subgroups.Subgroups((replace(gap, p_holm=pooled, p_within_sex_holm=within),), ())
        told = replace(analysis, subgroups=found)
        section = page(run, told).partition('id="subgroups"')[2].partition("</section>")[0]
        hollow.append(section.count("hollow"))
        in_words = "Significant within each sex: Young." in section
        assert (within < pooled) == in_words
    assert hollow[0] > hollow[1]  # of the legend there is one in both


def test_every_chart_tells_its_exact_values(run):
    """Accuracy with interval and n, differences, bins, thresholds, epochs."""
    text = page(run)
    for words in (
        "VGG16 / iteration 2\ntest accuracy 0.8800 [0.8019, 0.9300], n = 100\np50 50.00 ms",
        "VGG16 / iteration 1\nselected trial minus this one: -2.00 [",
        "ROC AUC ",
        "average precision ",
        "p_male 0.2 to 0.3, n = ",
        "threshold 0.50\naccuracy 88.00%",
        "epoch 2\ntraining 0.7500",
        "VGG16 / iteration 1\nseed 1025: test accuracy 0.8000",
        "60 training images: test accuracy 0.8400",
    ):
        assert words in text, words


def test_the_colours_can_be_distinguished():
    """Okabe and Ito's in light mode; in dark mode every colour has enough contrast."""
    style = (ROOT / "gfr" / "report" / "assets" / "charts.css").read_text("utf-8")
    light, dark = style.split("prefers-color-scheme: dark")
    found = re.findall(r"--c\d: (#\w+);", light)
    published = "#0072b2 #d55e00 #009e73 #cc79a7 #e69f00 #56b4e9 #000000"  # black last
    assert published.split() == found
    ground = luminance(re.search(r"--panel: (#\w+)", dark)[1])
    changed = dict(re.findall(r"--(c\d): (#\w+);", dark))
    for number, colour in enumerate(found):
        there = luminance(changed.get(f"c{number}", colour))
        assert (there + 0.05) / (ground + 0.05) > 4.5


def luminance(colour):
    """Relative luminance of WCAG, 0..1."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_our_markdown_and_nothing_more():
    """Bold, code and lists; HTML, links and images are text."""
    assert "<p>a <strong>b</strong> <code>c**d**</code> &lt;i&gt;</p>\n" == html.block(
        "a **b** `c**d**` <i>"
    )
    words = "a|b **c** `d` ![e](f) _g_ &lt; <i>"
    shown = html.block(markdown.text(words))
    assert f"<p>{words}</p>\n" == unescape(shown)
    assert {"<p>", "</p>"} == set(re.findall("<.*?>", shown))
    for words in ("[a](javascript:b)", "![a](http://b)", "<http://a>", "[a]\n\n[a]: b"):
        assert {"<p>", "</p>"} == set(re.findall("<.*?>", html.block(words)))


def test_tables_without_a_header_have_none():
    """The hardware's: two columns without names."""
    drawn = html.block(Table(["", ""], [["CPU", "fast"]]))
    assert "thead" not in drawn and '<th scope="row">CPU</th><td>fast</td>' in drawn


def test_numbers_stand_to_the_right():
    """Values, signed ones, in bold, with intervals; words and the first column do not."""
    rows = [["1", "**2.5**", "+1.0 [0.1, 2.0]", "told apart", "-"], ["2", "", "-3", "not", "4"]]
    table = Table(["a", "b", "c", "d", "e"], rows)
    heads = re.findall(r'<th scope="col"( class="number")?', html.block(table))
    assert [False, True, True, False, True] == [bool(each) for each in heads]
    assert ":---" in markdown.table(table) and "---:|" in markdown.table(table)


def test_axes_end_at_round_values():
    """And never beyond what a value can be."""
    axis = svg.linear("", [0.62, 0.97], within=(0.0, 1.0))
    assert (0.6, 1.0) == (axis.low, axis.high)
    assert ["0.6", "0.7", "0.8", "0.9", "1"] == [name for _, name in axis.ticks]
    alone = svg.linear("", [3.0, 3.0])
    assert alone.low <= 3.0 <= alone.high and alone.low < alone.high
    logarithmic = svg.logarithmic("", [1.0, 100.0])
    assert 0.5 == pytest.approx(logarithmic.share(10.0))
    assert ["1", "2", "5", "10", "20", "50", "100"] == [name for _, name in logarithmic.ticks]


def test_a_curve_keeps_its_corners():
    """Points within a straight run along an axis are left out, no other."""
    unit = Axis("", 0, 1, ())
    frame = Frame(100, 100, unit, unit, 0, 0, 0, 0)
    steps = [(0, 0), (0, 0.2), (0, 0.5), (0.5, 0.5), (0.5, 0.1), (0.5, 0.9), (1, 1)]
    drawn = svg.curve(frame, steps, "")
    assert "M0,100L0,50L50,50L50,90L50,10L100,0" in drawn


def test_the_report_is_written_whole_and_the_same_again(run, tmp_path):
    """summary.html, both tables; the same records and images give the same bytes."""
    records.write(run)
    writer.write_report(run.directory)
    names = ("summary.html", "results.csv", "results.parquet")
    first = [(run.directory / name).read_bytes() for name in names]
    writer.write_report(run.directory)
    assert first == [(run.directory / name).read_bytes() for name in names]
    read = pd.read_csv(run.directory / "results.csv")
    stored = pd.read_parquet(run.directory / "results.parquet")
    assert list(read.columns) == list(stored.columns)
    assert list(read["test_accuracy"]) == list(stored["test_accuracy"])
    assert not list(run.directory.rglob("tmp-*"))


def test_the_newest_full_run_has_its_page_at_the_top(run):
    """reports/summary.html, whose links lead into the run's directory."""
    full = replace(run.record, benchmark=replace(run.record.benchmark, name="full"))
    run = replace(run, record=full)
    records.write(run)
    writer.write_report(run.directory)
    top = (run.directory.parents[1] / "summary.html").read_text("utf-8")
    assert 'href="runs/r/results.csv"' in top
    assert (run.directory.parents[1] / "runs" / "r" / "results.csv").exists()


def test_the_page_with_pictures_is_never_served_or_exported():
    """What `gfr serve` shows and `gfr export --site` writes is free of CelebA's faces."""
    assert not [name for name in web._REPORT if "html" in name]


def test_the_example_of_the_documents_is_of_drawn_faces(run, tmp_path):
    """Any other run is refused, and so is one that names a directory elsewhere."""
    records.write(run)
    writer.write_report(run.directory)
    out = tmp_path / "docs" / "example"
    assert "6 files" in example.keep(run.directory, out)
    assert {*example.KEPT, "figures"} == {path.name for path in out.iterdir()}
    elsewhere = replace(run.record, data=replace(run.record.data, directory="/home/me/faces"))
    real = replace(run.record, data=replace(run.record.data, source="celeba"))
    for record, words in ((elsewhere, "names /home/me/faces"), (real, "is of celeba images")):
        records.write(replace(run, record=record))
        writer.write_report(run.directory)
        with pytest.raises(InputError, match=words):
            example.keep(run.directory, out)
    assert (out / "summary.html").exists()
