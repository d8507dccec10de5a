"""SVG figures beside summary.md: what they show, and that they are the charts of the page."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import records
from html_page import full_run, page

from gfr.report import figures, svg, writer
from gfr.report.figures import Entry, Figure
from gfr.report.sections import comparison, learning_curves, regression, trials
from gfr.report.svg import Axis, Drawing, Frame
from gfr.results.regression_records import Past, Series
from gfr.storage.paths import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def run(tmp_path):
    """Four trials with learning curves that move."""
    return full_run(tmp_path / "reports" / "runs" / "r")


def history(*series):
    """A verdict on these series over four runs."""
    runs = tuple(Past(f"night-{n}", f"2026-11-2{n}T00:00:00") for n in range(4))
    return replace(records.verdict(records.run()), runs=runs, series=series)


def words(text):
    """All words that a figure shows."""
    return [element.text for element in ElementTree.fromstring(text).iter(f"{SVG}text")]


def test_every_figure_is_a_complete_svg_file(run):
    """Well-formed, with its own style for light and dark, without a script or an address."""
    records.write(replace(run, verdict=None))
    writer.write_report(run.directory)
    paths = sorted((run.directory / "figures").iterdir())
    assert ["accuracy-latency", "confusion", "learning-curves"] == [path.stem for path in paths]
    for path in paths:
        text = path.read_text("utf-8")
        root = ElementTree.fromstring(text)
        assert f"{SVG}svg" == root.tag and float(root.get("width")) <= 960
        assert "prefers-color-scheme: dark" in root.find(f"{SVG}style").text
        assert not re.search(r"<script|href|url\(|@import", text)
        assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"]*", text)


def test_settings_of_matplotlib_do_not_reach_a_report(run, tmp_path):
    """A notebook's MPLBACKEND and a broken matplotlibrc: the same files, and no matplotlib."""
    records.write(replace(run, verdict=None))
    program = (
        "import sys; from pathlib import Path; from gfr.report import writer; "
        "writer.write_report(Path(sys.argv[1])); print('matplotlib' in sys.modules)"
    )
    (tmp_path / "matplotlibrc").write_text("backend: none such\nfont.size: large\n")
    settings = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(tmp_path),
        "MPLCONFIGDIR": "/nowhere",
    }
    written = []
    for variables in ({}, settings):
        done = subprocess.run(
            [sys.executable, "-c", program, run.directory],
            env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert "False" == done.stdout.strip(), done.stderr
        files = (path for path in run.directory.rglob("*") if path.suffix in (".svg", ".html"))
        written.append({path.name: path.read_bytes() for path in files})
    assert written[0] == written[1] and 4 == len(written[0])


def test_a_file_and_the_page_show_the_same_chart(run):
    """The same elements, with the same exact values."""
    figure = comparison.scatter(run)
    drawn = "".join(figure.drawings[0].parts)
    assert drawn in figures.standalone([figure]) and drawn in page(run)


def test_words_from_outside_do_not_break_a_file(run):
    """Markup and control characters, which XML does not allow, in a note and in a subject."""
    evil = "\x1b[2J\x00 <script>&\"']]> \ud800"
    features = replace(run.trials[0].features, note=evil)
    scatter = comparison.scatter(replace(run, trials=(replace(run.trials[0], features=features),)))
    verdict = history(Series("accuracy", evil, evil, (0.9,) * 4, (False,) * 4, None, None))
    for drawn in ([scatter], regression.trends(verdict)):
        text = figures.standalone(drawn)
        ElementTree.fromstring(text.encode())
        assert "<script" not in text and "\\x1b[2J" in text


def test_learning_curves_reach_the_last_epoch(run):
    """With the values of each epoch, training and validation distinguished by dashes."""
    text = figures.standalone(learning_curves.curves(run))
    assert "epoch 6\ntraining 0.8500\nvalidation 0.8500" in text
    assert {"training", "validation", "accuracy", "loss, nats (log scale)"} <= set(words(text))
    assert '"line c0 d0"' in text and '"line c1 d1"' in text


def test_a_confusion_matrix_has_counts_and_shares_of_the_label(run):
    """60 women all answered female; 10 of 40 men answered female."""
    text = figures.standalone([trials.confusion(run.trials[0])])
    assert ["60", "100.0%", "0", "0.0%", "10", "25.0%", "30", "75.0%"] == [
        word for word in words(text) if re.fullmatch(r"[\d.]+%?", word)
    ]
    shades = [float(each) for each in re.findall(r'fill-opacity="([\d.]+)"', text)]
    assert shades[0] > shades[3] > shades[2] > shades[1]


def test_the_trend_marks_a_regression_and_leaves_a_gap_where_a_run_has_no_value():
    """A cross with its legend; two lines, before and after the gap; the expected range."""
    verdict = history(
        Series(
            "accuracy", "A / iteration 1", "A", (0.9, 0.9, None, 0.8), (*[False] * 3, True), 0.85, 1
        )
    )
    (figure,) = regression.trends(verdict)
    text = figures.standalone([figure])
    assert {"A: test accuracy", "iteration 1", "regression", "band: expected range"} <= set(
        words(text)
    )
    assert 1 == text.count('class="band c0"')
    (line,) = re.findall(r'class="line c0 d0" d="([^"]*)"></path>', text)
    assert 2 == line.count("M")
    assert "night-0, 2026-11-20\niteration 1: 0.9" in text
    without = history(replace(verdict.series[0], alarms=(False,) * 4))
    assert "regression" not in words(figures.standalone(regression.trends(without)))


def test_the_trend_has_charts_for_each_backbone_and_for_the_stages():
    """p50 stands beside p10; nothing is drawn for a figure without values or after one run."""
    alarms = (False,) * 4
    verdict = history(
        Series("accuracy", "A / iteration 1", "A", (None,) * 4, alarms, None, None),
        Series("p10_ms", "A at 64x64", "A", (5.0, 5.1, 0.0, 5.2), alarms, 4.5, 5.5),
        Series("p50_ms", "A at 64x64", "A", (6.0, 6.1, 6.2, 6.3), alarms, None, None),
        Series("duration_s", "Prepare", "", (1.0, 2.0, 3.0, 400.0), alarms, None, None),
    )
    drawn = regression.trends(verdict)
    assert ["A: latency of one image", "Duration of the stages"] == [row.caption for row in drawn]
    assert "dotted: p50" in [entry.name for entry in drawn[0].legend]
    assert [] == regression.trends(replace(verdict, runs=verdict.runs[:1], series=()))


def test_a_figure_wraps_its_charts_and_its_legend():
    """Charts in rows of at most 920 px, entries below each other where they do not fit."""
    drawing = Drawing(400, 100, [], "")
    one = ElementTree.fromstring(figures.standalone([Figure("a", [drawing])]))
    three = ElementTree.fromstring(figures.standalone([Figure("a", [drawing])] * 3))
    assert float(three.get("width")) < 920 < 3 * 400
    assert float(three.get("height")) > 2 * 100
    legend = [Entry("a long name of a series"), Entry("another long name of a series")] * 2
    tall = ElementTree.fromstring(figures.standalone([Figure("a", [drawing], legend)]))
    assert one.get("width") == tall.get("width")
    heights = {element.get("y") for element in tall.iter(f"{SVG}text")}
    assert 3 <= len(heights)


def test_a_curve_has_a_gap_where_a_value_is_missing():
    """No line leads across it."""
    unit = Axis("", 0, 1, ())
    drawn = svg.curve(
        Frame(100, 100, unit, unit, 0, 0, 0, 0), [(0, 0), (0.2, 1), (0.5, None), (1, 0)], ""
    )
    assert 'd="M0,100L20,0M100,100"' in drawn
