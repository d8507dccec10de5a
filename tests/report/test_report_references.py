"""References in the report: the sentence at its beginning, the section, tables and files."""

import json
from dataclasses import replace

import pytest
import records
import references
from html_page import page, report_of, summary_md

from gfr.config.references import Reference
from gfr.report import console, metric_columns, summary_json
from gfr.report.sections import comparison
from gfr.results import costs, status, store
from gfr.results.reference_records import ReferenceResult, Tried
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory

SELECTED = "VGG16-iteration-2"  # 88 of 100 test images, 50 ms, 58.8 MB


@pytest.fixture
def run():
    """Four trials; VGG16 / iteration 2 is selected."""
    return records.run()


def head_of(run):
    """The first section of summary.md."""
    return summary_md(run).split("## Comparison")[0]


def section_of(run):
    """The section of the references."""
    return summary_md(run).split("## References")[1].split("\n## ")[0]


def test_a_run_without_references_says_nothing_of_them(run):
    """No section, no key with content."""
    assert "eference:" not in summary_md(run) and "## References" not in summary_md(run)
    assert summary_json.summary(report_of(run))["references"] is None


def test_the_first_lines_name_references_that_are_better(run):
    """More accurate with p, smaller and faster with figures; the weaker one only by its size."""
    best = references.result("faceres", (40, 100), latency=references.latency(SELECTED, 0.01))
    small = references.result("ssrnet", (36, 86), num_bytes=250_000)
    text = head_of(references.with_references(run, best, small))
    assert (
        "**References that were not trained here, and may have seen these images, do better than "
        "the selected model: faceres is significantly more accurate (100.0% against 88.0% correct, "
        "p (Holm) = 0.00" in text
    )
    assert (
        "smaller (7.0 MB against 58.8 MB in float32) and faster (p50 10.0 ms against 50.0 ms"
        in text
    )
    assert (
        "ssrnet is not significantly less accurate (86.0% against 88.0% correct) and smaller "
        "(0.2 MB against 58.8 MB in float32)." in text
    )
    assert text.index("faceres") < text.index("synthetic faces")


@pytest.mark.parametrize(
    ("right", "num_bytes", "p50_s"),
    [
        ((20, 50), 1000, 0.001),  # significantly less accurate: cheap does not count
        ((36, 88), 59_000_000, 0.05),  # as accurate, larger, as fast
    ],
)
def test_a_reference_without_an_advantage_is_not_in_the_first_lines(run, right, num_bytes, p50_s):
    """It is in the section alone."""
    timed = references.latency(SELECTED, p50_s)
    row = references.result("other", right, num_bytes=num_bytes, latency=timed)
    run = references.with_references(run, row)
    assert "not trained here" not in head_of(run) and "other" in section_of(run)


def test_one_better_reference_is_one_sentence_also_on_the_console(run, tmp_path):
    """With the same words."""
    run = references.with_references(
        replace(run, directory=tmp_path / "runs" / "r"), references.result("faceres", (40, 100))
    )
    records.write(run)
    said = "A reference that was not trained here, and may have seen these images, does better"
    assert said in head_of(run) and said in console.text(run)
    assert "faceres (reference)" in console.text(run)


def test_misses_are_wrong_and_also_left_out(run):
    """90 right of 100 with 10 misses: 0.900 strictly, 1.000 over the images found."""
    run = references.with_references(run, references.result("cloud", (40, 90), missing=10))
    row = next(line for line in section_of(run).splitlines() if line.startswith("| cloud"))
    cells = [cell.strip() for cell in row.split("|")][1:6]
    expected = ["cloud", "90 of 100", "0.900 [0.826, 0.945]", "1.000 [0.959, 1.000]", "10"]
    assert expected == cells
    found = run.references["cloud"].metrics["test"]
    assert (10, 90, 0.9, 1.0) == (
        found.num_missing,
        found.num_found,
        found.accuracy,
        found.accuracy_found,
    )


def test_references_are_rows_of_the_comparison_and_points_of_its_figure(run):
    """Marked, with their own latency and size; never bold; results.csv has trials alone."""
    timed = references.latency(SELECTED, 0.0123)
    run = references.with_references(
        run,
        references.result("faceres", (40, 100), latency=timed),
        ReferenceResult(1, "r", Reference("broken", file="/x.onnx"), reason="cannot be loaded"),
    )
    table = [line for line in summary_md(run).splitlines() if line.startswith("|")]
    row = next(line for line in table if line.startswith("| faceres (reference) "))
    cells = [cell.strip() for cell in row.split("|")]
    assert {"1.000", "12.3", "7.00"} <= set(cells) and "**" not in row
    assert any(line.startswith("| broken (reference): failed") for line in table)
    assert "**broken failed**: cannot be loaded" in section_of(run)
    assert "not trained here" in "".join(row.name for row in comparison.scatter(run).legend)
    assert 4 == len(metric_columns.heads(run))
    frame = metric_columns.frame(run, report_of(run).analysis)
    assert not frame["trial"].str.contains("faceres").any()


def test_the_tests_are_paired_and_adjusted_for_all_comparisons(run):
    """Against every trial, the selected one first."""
    run = references.with_references(run, references.result("faceres", (40, 100)))
    rows = report_of(run).analysis.versus
    assert SELECTED == rows[0].trial_id and 4 == len(rows)
    first = rows[0]
    assert (12, 0, 12) == (
        first.only_reference_right,
        first.only_trial_right,
        first.num_other_answers,
    )
    assert 2 * 0.5**12 == pytest.approx(first.p_value)
    assert first.p_holm >= first.p_value and first.is_better
    assert "adjusted for 4 comparisons" in section_of(run)


def test_a_warning_names_the_usual_causes_and_what_is_better_on_validation(run):
    """As for a network with the wrong order of channels; what is suggested is not used."""
    wrong = references.result("ssrnet", (18, 40), warnings=("98.0% of its answers are male",))
    good = references.result("x", (38, 90)).metrics["validation"]
    attempts = (Tried(good, "none-bgr"), Tried(None, "tf", reason="too large"))
    run = references.with_references(run, replace(wrong, attempts=attempts))
    text = section_of(run)
    assert "98.0% of its answers are male" in text
    assert "the scaling of pixels, the polarity of the output, the order of channels" in text
    assert "scaling none-bgr: BGR, pixels as they are, 0..255 (38 of 40 correct)" in text
    assert "None of them is used" in text and "no, a suggestion" in text
    assert "failed: too large" in text


def test_words_of_a_benchmark_file_cannot_form_markup(run):
    """Licence, source and training data are shown as they are."""
    row = references.result("faceres", (40, 100))
    hostile = replace(row.reference, license="MIT | <b>", source="`x`", trained_on="*VGGFace2*")
    text = section_of(references.with_references(run, replace(row, reference=hostile)))
    assert "MIT &#124; &lt;b>" in text and "&#42;VGGFace2&#42;" in text


def test_the_page_and_summary_json_have_them(run):
    """Counts, tests and what was tried, without the answers by image."""
    run = references.with_references(run, references.result("faceres", (40, 100)))
    assert "faceres (reference)" in page(run)
    found = json.loads(json.dumps(summary_json.summary(report_of(run))))["references"]
    (row,) = found["rows"]
    assert found["better_than_selected"].startswith("A reference")
    assert (100, "scaling caffe") == (row["metrics"]["test"]["num_right"], row["used"])
    assert SELECTED == row["comparisons"][0]["trial_id"] and "test" not in row


def test_a_record_is_read_back_and_one_that_is_lacking_is_named(run, tmp_path):
    """Costs have a row; a run without the record is unfinished."""
    run = references.with_references(
        replace(run, directory=tmp_path / "runs" / "r"), references.result("faceres", (40, 100))
    )
    records.write(run)
    assert ["reference faceres: not evaluated"] == [
        line for line in status.unfinished(store.read_run(run.directory)) if "reference" in line
    ]
    path = RunDirectory(run.directory).reference("faceres")
    serialization.write(path, run.references["faceres"])
    again = store.read_run(run.directory)
    assert run.references == again.references
    assert "Reference: faceres" in [row.name for row in costs.stages(again)]
