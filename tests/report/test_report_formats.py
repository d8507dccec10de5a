"""Formats in a report: table, recommendation, figure, engines; and runs that have none of them."""

import json
import re
from dataclasses import replace

import format_records
import pytest
import records
from html_page import page, report_of, summary_md

from gfr.config.schema import Selecting
from gfr.report import console, facts, summary_json
from gfr.report.sections import deployment_front

WORDS = (
    "LiteRT dynamic int8: 14.9 MB, p50 12.9 ms [12.9, 12.9], same answers on 96 of 100 test images"
)


@pytest.fixture
def run():
    """VGG16 / iteration 2 in ten engines and precisions; all models in TensorFlow and LiteRT."""
    return format_records.with_engines(format_records.with_formats(records.run()))


def section(text, name="Deployment"):
    """One section of summary.md."""
    return text.split(f"\n## {name}\n")[1].split("\n## ")[0]


def cells(text, first, number=0):
    """The cells of a row by its first one, by column, in a table of a section."""
    tables = [
        [line for line in block.splitlines() if line.startswith("|")]
        for block in text.split("\n\n")
        if block.startswith("|")
    ]
    header, _, *rows = tables[number]
    split = [[cell.strip() for cell in row.strip("|").split("|")] for row in (header, *rows)]
    row = next(row for row in split[1:] if row[0].strip("*") == first)
    return dict(zip(split[0], row, strict=True))


def with_result(run, name, row):
    """The run with another record of a format."""
    return replace(run, formats=run.formats | {name: row})


def test_the_first_lines_name_the_trial_and_the_recommended_format(run):
    """In the report, the terminal and the facts; nothing of it without formats."""
    text = summary_md(run)
    head = text.split("## Comparison")[0]
    assert "**VGG16 / iteration 2** is selected: test accuracy 88.0%" in head
    assert f"Recommended format: **{WORDS}** (2 threads, 100 calls)." in head
    assert f"recommended format: {WORDS}\n" in console.text(run)
    found = json.loads(json.dumps(summary_json.summary(report_of(run))))["deployment"]
    assert WORDS == found["recommended"]["words"]
    assert ("litert-dynamic", 2) == tuple(
        found["recommended"][name] for name in ("format", "num_threads")
    )
    plain = records.run()
    assert "Recommended" not in summary_md(plain) and "recommended" not in console.text(plain)
    assert summary_json.summary(report_of(plain))["deployment"] is None


def test_each_format_has_a_row_with_its_figures(run):
    """Size, latency with one thread and two, start, memory, accuracy, changed answers, verdict."""
    text = section(summary_md(run))
    row = cells(text, "LiteRT dynamic int8")
    expected = {
        "Version": "2.1",
        "Size (MB)": "14.9",
        "p50, 1 thread (ms)": "25.8 [25.8, 25.8]",
        "p99, 1 thread (ms)": "-",
        "p50, 2 threads (ms)": "12.9 [12.9, 12.9]",
        "p99, 2 threads (ms)": "-",
        "Cold start (s)": "0.50",
        "Memory (MB)": "200",
        "Test accuracy": "0.920 [0.850, 0.959]",
        "Changed answers": "4",
        "Verdict": "**recommended**",
    }
    assert {"Format": "**LiteRT dynamic int8**"} | expected == row
    verdicts = {
        name: cells(text, name)["Verdict"]
        for name in ("TensorFlow float32", "OpenVINO bfloat16", "LiteRT int8")
    }
    assert ["reference", "not validated", "eligible"] == list(verdicts.values())
    assert "those as fast within their 95% intervals (LiteRT int8), it is the smallest" in text
    assert "-" == cells(text, "TensorFlow.js uint16")["p50, 2 threads (ms)"]


def test_what_cannot_be_used_is_a_row_with_the_reason(run):
    """Not installed: the command; failed: why; worse on validation: by how much."""
    failed = format_records.format_result(run, "openvino", reason="no | operator")
    worse = format_records.format_result(run, "litert-int8", validation_lost=2)
    text = section(
        summary_md(with_result(with_result(run, "openvino", failed), "litert-int8", worse))
    )
    assert "not installed: `make engines`" == cells(text, "ONNX Runtime float32")["Verdict"]
    assert "failed: no &#124; operator" == cells(text, "OpenVINO float32")["Verdict"]
    expected = "not eligible: 5.0 points lower on validation (p = 0.5)"
    assert expected == cells(text, "LiteRT int8")["Verdict"]
    crash = (("litert float16", "killed"), ("tensorflow bfloat16", "no | memory"))
    rows = [row for row in run.format_latency.rows if row.precision not in ("float16", "bfloat16")]
    latency = replace(run.format_latency, rows=tuple(rows), unavailable=crash)
    text = section(summary_md(replace(run, format_latency=latency)))
    assert "eligible; not timed: killed" == cells(text, "LiteRT float16")["Verdict"]
    expected = "not validated; not timed: no &#124; memory"
    assert expected == cells(text, "TensorFlow bfloat16")["Verdict"]
    text = section(summary_md(with_result(run, "litert-int8", worse)))
    assert "2 / 0" == cells(text, "LiteRT int8", 1)["Lost / won on validation"]


def test_contended_rows_and_random_weights_say_so_beside_the_number(run):
    """And at the top of the report."""
    busy = tuple(
        replace(row, single=replace(row.single, others_share=0.4))
        for row in run.format_latency.rows
    )
    ranking = tuple(sorted(run.selection.ranking, key=lambda name: "MobileNetV2" not in name))
    selected = replace(run.selection, trial_id=ranking[0], ranking=ranking, choices=None)
    latency = replace(run.format_latency, rows=busy)
    text = summary_md(replace(run, format_latency=latency, selection=selected))
    row = cells(section(text), "LiteRT dynamic int8 †")
    assert "12.9 [12.9, 12.9] ‖" == row["p50, 2 threads (ms)"]
    assert "‖ Contended: measured under background load. † Random weights." in section(text)
    assert "up to 40% of the CPU while the formats of the model were timed" in text
    assert "p50 12.9 ms [12.9, 12.9] (contended)" in text.split("## Comparison")[0]


def test_limits_apply_once_more_to_the_formats(run):
    """The verdict says which exceed them; if all do, so does the recommendation."""

    def limited(**limits):
        benchmark = replace(run.record.benchmark, selection=Selecting(**limits))
        return replace(run, record=replace(run.record, benchmark=benchmark))

    text = section(summary_md(limited(max_size_mb=15.0)))
    assert "eligible; exceeds the limits: 59 MB" == cells(text, "LiteRT float32")["Verdict"]
    assert "lowest p50 latency within the limits of the benchmark" in text
    text = summary_md(limited(max_latency_ms=5.0))
    assert "It exceeds the limits of the benchmark: p50 12.9 ms." in text
    assert "**No eligible format is within the limits of the benchmark**" in section(text)


def test_the_front_has_what_is_not_slower_and_less_accurate_than_another(run):
    """MobileNetV2 is the fastest, dynamic int8 the most accurate; the rest is behind both."""
    found = deployment_front.spots(run)
    assert 7 + 3 * 2 == len(found)  # not ONNX, nor bfloat16, whose answers are not known
    best = deployment_front.front(found)
    expected = [("MobileNetV2-iteration-1", "LiteRT float32")]
    expected += [("VGG16-iteration-2", "LiteRT dynamic int8")]
    assert expected == [(spot.result.trial.id, spot.title) for spot in best]
    text = section(summary_md(run))
    assert (
        "2. VGG16 / iteration 2, LiteRT dynamic int8: p50 12.9 ms [12.9, 12.9], test accuracy "
        "0.920 [0.850, 0.959]" in text
    )
    assert "figures/accuracy-latency-formats.svg" in text


def test_numbers_of_the_figure_do_not_overlap(run):
    """Ten points on the front, at the same place but for a hundredth: on desktop and phone."""
    first = deployment_front.spots(run)[0]
    found = [
        replace(
            first,
            num_right=500 + number,
            num_images=1000,
            timing=records.engine_timing("litert", 0.01 * 1.02**number),
        )
        for number in range(4)
    ]
    drawn = deployment_front.draw([*found, replace(found[0], timing=first.timing)])
    for drawing in (*drawn.drawings, drawn.narrow):
        places = re.findall(r'class="beside" x="([\d.]+)" y="([\d.]+)"', "".join(drawing.parts))
        assert 4 == len(places) == len({*places})
        for one, other in ((a, b) for a in places for b in places if a < b):
            assert max(abs(float(x) - float(y)) for x, y in zip(one, other, strict=True)) >= 8


def test_engines_of_every_feature_set_are_in_the_section_latency(run):
    """By feature set, engine, precision and threads; what was not timed has its reason."""
    key = run.result_of(None).trial.feature_set.id
    missing = (("openvino", "not <installed>"),)
    changed = replace(run.engine_latencies[key], unavailable=missing)
    run = replace(run, engine_latencies=run.engine_latencies | {key: changed})
    text = section(summary_md(run), "Latency")
    rows = [line for line in text.splitlines() if "| LiteRT 1.0" in line]
    assert 2 == len(rows) and "| 25.0 [25.0, 25.0] |" in rows[0]
    assert re.search(r"Not timed:\n\n- OpenVINO \(VGG16 at .*\): not &lt;installed>", text)
    assert "LiteRT" not in section(summary_md(records.run()), "Latency")
    engines = summary_json.summary(report_of(run))["engines"]
    assert ["tensorflow", "litert"] == [row["engine"] for row in engines[0]["rows"]]


def test_a_report_without_formats_is_as_before(run):
    """Runs that were made before formats existed."""
    plain = records.run()
    text = section(summary_md(plain))
    assert "Not exported. To export it: `gfr export r`." == text.strip()
    assert facts.variants(plain) == () and deployment_front.blocks(plain) == []
    assert "Format" not in section(summary_md(replace(plain, export=records.export(plain))))


def test_the_page_shows_table_figure_and_list(run):
    """As HTML, the details folded."""
    text = page(run)
    assert "<summary>Details of the formats</summary>" in text
    assert "<strong>recommended</strong>" in text and "<ol>" in text
    assert 2 == text.count('class="line front"')  # for desktops and phones
