"""An update of TensorFlow, Keras or numpy starts a new baseline, and every report says why."""

import json
import subprocess
from dataclasses import asdict, replace

import pytest
import records
from html_page import summary_md
from test_history import GFR, ROOT, judged, recorded, reused, versions, written

from gfr.config import loader
from gfr.regression import check, compare, history
from gfr.report import writer
from gfr.results import regression_records, store
from gfr.storage import atomic, serialization

OLD = {"tensorflow": "2.19.0", "keras": "3.15.1", "numpy": "2.1.3"}
NEW = OLD | {"tensorflow": "2.21.0"}
LINE = (
    "New baseline: TensorFlow changed from 2.19.0 to 2.21.0, so runs before the change are not "
    "compared"
)


def night(reports, number, packages, **changed):
    """A finished run of day `number` with these versions, judged and in its history."""
    run = versions(written(reports, number, **changed), **packages)
    serialization.write(run.directory / "run.json", run.record)
    return judged(run)


def statuses(rows):
    """Status, number of compared runs and new-baseline line of each verdict."""
    return [
        (row.verdict.status, row.verdict.num_compared, row.verdict.new_baseline) for row in rows
    ]


def test_an_update_of_tensorflow_starts_a_new_baseline_and_says_so(tmp_path):
    """Old and new runs are only compared among themselves; the first three new ones say why."""
    old = [night(tmp_path, number, OLD) for number in (1, 2, 3, 4)]
    assert [("no history", n, "") for n in range(3)] + [("ok", 3, "")] == statuses(old)
    # Half as fast: not a regression from another version, and not its baseline.
    new = [night(tmp_path, number, NEW, factor=2.0) for number in (5, 6, 7, 8)]
    assert [("no history", n, LINE) for n in range(3)] + [("ok", 3, "")] == statuses(new)
    assert ["run5", "run6", "run7", "run8"] == [row.run_id for row in new[-1].verdict.runs]
    # With the old version again, the old history continues.
    assert [("ok", 4, "")] == statuses([night(tmp_path, 9, OLD)])


def test_the_line_stands_in_the_report_and_on_the_terminal(tmp_path):
    """summary.md, summary.html, `gfr verdict`: once among the first lines of each."""
    night(tmp_path, 1, OLD)
    run = night(tmp_path, 2, NEW)
    writer.write_report(run.directory)
    markdown = (run.directory / "summary.md").read_text()
    assert f"- {LINE}\n" in markdown.partition("\n## Comparison")[0]
    assert f"\n{LINE}.\n" in markdown.partition("\n## Regression check")[2]
    assert LINE in (run.directory / "summary.html").read_text()
    words = [*GFR, "verdict", "--reports", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert (0, LINE) == (done.returncode, done.stdout.splitlines()[1]), done.stderr


@pytest.mark.parametrize(
    ("expected", "change"),
    [
        ("", lambda run: versions(run, **OLD, pillow="12")),
        ("", lambda run: recorded(versions(run, **OLD), num_usable_threads=1)),
        ("Keras changed from 3.15.1 to 4", lambda run: versions(run, **OLD | {"keras": "4"})),
        (
            "TensorFlow changed from 2.19.0 to 2.21.0, NumPy from 2.1.3 to 2.4",
            lambda run: versions(run, **NEW | {"numpy": "2.4"}),
        ),
        # With other data too: a changed version is enough.
        (
            "TensorFlow changed from 2.19.0 to 2.21.0",
            lambda run: recorded(versions(run, **NEW), data=replace(records.DATA, digest="e")),
        ),
    ],
)
def test_the_line_names_what_changed_and_only_versions(tmp_path, expected, change):
    """Not another package, not another machine; every version of the key that changed."""
    night(tmp_path, 1, OLD)
    found = check.look(change(written(tmp_path, 2)))
    assert expected in found.new_baseline
    assert bool(expected) == bool(found.new_baseline)


def test_the_line_is_about_the_run_that_differs_only_in_its_version(tmp_path):
    """The newest run has the same version but computed its features; one before it reused them."""
    night(tmp_path, 1, OLD)
    before = reused(versions(written(tmp_path, 2), **OLD))
    history.put(tmp_path, history.entry(before))
    night(tmp_path, 3, NEW)
    found = check.look(reused(versions(written(tmp_path, 4), **NEW)))
    assert LINE == found.new_baseline
    assert "run3, differs in features (computed there, reused here)" in found.reason


def test_the_key_of_a_history_stays_as_it_was():
    """The facts and their digests, so that histories written by earlier versions continue."""
    document = {
        **{"schema": 1, "name": "small", "seed": 7},
        "data": {"images": 100, "test_fraction": 0.2, "validation_fraction": 0.1},
        "training": {"batch_size": 32},
        "backbone": [{"name": "VGG16"}, {"name": "MobileNetV2", "weights": "random"}],
        "iteration": [{"number": 1, "size": [64, 64], "epochs": 3}],
        "selection": {"max_latency_ms": 50.0},
    }
    run = recorded(versions(records.run(), **OLD), benchmark=loader.check(document, ROOT))
    facts = history.facts(run)
    names = ["benchmark", "data", "weights", "arithmetic", "features", "machine", "GPUs", "workers"]
    assert names == list(facts)
    assert ("small b551d7340ebf", "2bbb52a2cfde") == (facts["benchmark"], facts["machine"])
    assert "small-a7f177d02223" == history.key(facts | {"data": "d"})


def test_a_verdict_without_the_line_is_still_read(tmp_path):
    """Verdicts written before the field existed."""
    document = asdict(records.verdict(records.run()))
    del document["new_baseline"]
    atomic.write_json(tmp_path / "verdict.json", document)
    found = serialization.read(tmp_path / "verdict.json", regression_records.Verdict)
    assert "" == found.new_baseline


def test_a_comparison_of_two_versions_names_them(tmp_path):
    """As a change, and as the reason that latencies are not compared."""
    first, second = (
        versions(written(tmp_path, number), **row) for number, row in ((1, OLD), (2, NEW))
    )
    labels = {name: ("", True) for name in first.trials[0].test_probabilities}
    text = compare.text(compare.compare(first, second, labels, labels))
    assert "  tensorflow: 2.19.0 -> 2.21.0\n" in text
    assert "not compared (another machine, other settings or another version of TensorFlow" in text


def test_a_regression_stands_first_on_the_page_and_exits_with_3(tmp_path):
    """With the changes and the trend figure; once accepted, it exits with 0."""
    run = written(tmp_path, 1)
    serialization.write(run.directory / "verdict.json", records.verdict(run, "VGG16: 0.8, was 0.9"))
    writer.write_report(run.directory)
    bullets = [line for line in page(run).splitlines() if line.startswith("- ")]
    assert "- **Regression: VGG16: 0.8, was 0.9**" == bullets[0]
    assert "- **Changed since the newest good run: commit a -> b**" == bullets[1]
    assert "VGG16: test accuracy" in (run.directory / "figures" / "trend.svg").read_text("utf-8")
    words = [*GFR, "verdict", "--reports", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert 3 == done.returncode, done.stderr
    assert "regression    VGG16: 0.8, was 0.9" in done.stdout
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, cwd=ROOT)
    assert (3, "regression") == (done.returncode, json.loads(done.stdout)["status"])
    subprocess.run([*words, "--accept"], check=True, capture_output=True, cwd=ROOT)
    assert 0 == subprocess.run(words, capture_output=True, cwd=ROOT).returncode


def page(run):
    """The page as text."""
    run = store.read_run(run.directory)
    return summary_md(run)
