"""Text that comes from outside, spoilt in every way: understood, or refused in one line."""

import json
from contextlib import suppress

import numpy as np
import pytest
import records
from html_page import report_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from records import FACES, SPLITS
from test_history import written as written_on

from gfr.config import benchmark_files, loader
from gfr.data import csv_labels, label_lists, predictions
from gfr.data import records as data_records
from gfr.data.dataset import Faces
from gfr.errors import InputError
from gfr.regression import history, rules
from gfr.report import console, contents, figures, summary_json
from gfr.report.analysis import analyse
from gfr.report.section import Chart
from gfr.report.sections import regression
from gfr.results import status, store
from gfr.results.regression_records import Verdict
from gfr.storage import run_directory, serialization

pytestmark = pytest.mark.slow

# One folder serves all cases of a test: every case writes its file anew.
CASES = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FULL = benchmark_files.benchmark_file("full").read_text()
LABELS = "3\nEyeglasses Male\n000001.jpg  1 -1\n000002.jpg -1  1\n000003.jpg -1 -1\n"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spoilt(draw, text):
    """`text` with one stretch of it replaced: cut, doubled, or something else in its place."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 60)) | st.just(len(text)))
    middle = draw(
        st.sampled_from(
            ["", text[start:end] * 2, "\x00", "-", "1e999", "nan", "[[", '"', "\n", ","]
        )
        | st.text(max_size=20)
        | st.integers().map(str)
    )
    return text[:start] + middle + text[end:]


def understood_or_refused(read, path):
    """InputError is one line that names the file; any other exception fails the test."""
    try:
        return read(path)
    except InputError as error:
        assert "\n" not in str(error)
        assert path.name in str(error)
        return None


@CASES
@given(text=spoilt(FULL) | st.text())
@example(text="a = " + "[" * 5000)
@example(text="seed = " + "9" * 5000)
@example(text=FULL.replace("seed = 1024", "seed = 1979-05-27"))
def test_a_benchmark_file(tmp_path, text):
    """TOML."""
    path = tmp_path / "benchmark.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = understood_or_refused(loader.load, path)
    assert found is None or found.trials


@CASES
@given(text=spoilt(LABELS) | st.text(), name=st.sampled_from(["list.txt", "list.csv"]))
@example(text=LABELS.replace("3", "²", 1), name="list.txt")
@example(text="9" * 5000 + LABELS[1:], name="list.txt")
@example(text=LABELS.replace("1 -1\n", "9" * 30 + " -1\n", 1), name="list.txt")
def test_an_attribute_file(tmp_path, text, name):
    """CelebA's list of attributes; what is understood has a Male for each plain file name."""
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = understood_or_refused(lambda path: label_lists.read_attributes(path)[0], path)
    assert found is None or found["Male"].isin([True, False]).all()


@CASES
@given(text=spoilt("000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n") | st.text())
def test_an_identity_or_partition_file(tmp_path, text):
    """Two columns."""
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = understood_or_refused(lambda path: label_lists.read_column(path)[0], path)
    assert found is None or found.dtype == "int64"


OWN_LABELS = "image,is_male,identity,glasses\na/1.jpg,0,anna,1\nb.png,1,ben,0\nc.jpg,1,ben,0\n"


@CASES
@given(text=spoilt(OWN_LABELS) | st.text())
@example(text="\ufeff" + OWN_LABELS.replace("\n", "\r\n"))
@example(text=OWN_LABELS.replace("b.png", "b\u2028.png"))
def test_a_csv_of_labels(tmp_path, text):
    """What is understood survives faces.csv, and every image is below the folder."""
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = understood_or_refused(csv_labels.read, path)
    if found is None:
        return
    names = tuple(found.table.index)
    assert all((tmp_path / name).resolve().is_relative_to(tmp_path.resolve()) for name in names)
    faces = Faces(tmp_path, found.table.assign(pixels_sha256="0"))
    data_records.write_table(tmp_path / "faces.csv", faces, np.array(["train"] * len(names)))
    back, _ = data_records._read_table(tmp_path / "faces.csv", tmp_path)
    assert (names, faces.is_male.tolist()) == (back.names, back.is_male.tolist())
    assert list(faces.attributes.columns) == list(back.attributes.columns)


@CASES
@given(text=spoilt("image,p_male\na/1.jpg,0.5\nb.png,1e-3\nc.jpg,\n") | st.text())
@example(text="image,p_male\na.jpg,1e999\n")
def test_a_csv_of_predictions(tmp_path, text):
    """What is understood is a probability of each image."""
    path = tmp_path / "p.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = understood_or_refused(predictions.read_csv, path)
    assert found is None or all(0 <= value <= 1 for value in found.values())


def places(document, here=()):
    """Every place in a JSON document, as keys and indices from its root."""
    yield here
    if isinstance(document, dict | list):
        items = document.items() if isinstance(document, dict) else enumerate(document[:3])
        for key, value in items:
            yield from places(value, (*here, key))


@st.composite
def spoilt_json(draw, text):
    """The document with one value replaced or removed, or its text spoilt."""
    if draw(st.integers(0, 3)) == 0:
        return draw(spoilt(text))
    document = json.loads(text)
    *way, last = draw(st.sampled_from([place for place in places(document) if place]))
    parent = document
    for key in way:
        parent = parent[key]
    if draw(st.booleans()):
        parent[last] = draw(VALUES | st.sampled_from([0, -1, 2, 1e308, float("inf"), "", 2**70]))
    else:
        del parent[last]
    return json.dumps(document)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run on disk, and the text of each of its records by file name."""
    run = records.run(tmp_path_factory.mktemp("reports") / "runs" / "r")
    records.write(run)
    serialization.write(run.directory / "verdict.json", records.verdict(run, "0.8, was 0.9"))
    files = sorted(run.directory.rglob("*.json"))
    return run.directory, {path: path.read_text() for path in files}


@CASES
@given(data=st.data())
def test_a_record_of_a_run(written, data):
    """Whatever stands in one JSON: the report renders, or the file is named with its cure."""
    directory, texts = written
    path = data.draw(st.sampled_from(list(texts)), label="file")
    text = data.draw(spoilt_json(texts[path]), label="text")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        run = understood_or_refused(lambda _: store.read_run(directory), path)
        status.collect(records.BENCHMARK, directory, directory.parents[1])
        if run is None:
            return
        found = understood_or_refused(lambda _: analyse(run, FACES, SPLITS), path)
        if found is None:
            return
        report = report_of(run, found)
        for section in contents.of(report):
            for block in section.blocks:
                if isinstance(block, Chart):
                    figures.standalone(block.figures)
        json.dumps(summary_json.summary(report), allow_nan=False)
        console.text(run)
        regression.text(run.verdict)
        with suppress(InputError):
            run_directory.find(directory.parents[1], None)
    finally:
        path.write_text(texts[path])


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """A history of three runs as text, and the entry of a fourth."""
    reports = tmp_path_factory.mktemp("reports")
    entries = [history.entry(written_on(reports, day)) for day in (1, 2, 3, 4)]
    for row in entries[:3]:
        history.put(reports, row)
    file = history.path(reports, entries[0].key)
    return file, file.read_text().splitlines(), entries[3]


@CASES
@given(data=st.data())
def test_a_line_of_a_history(lines, data):
    """Whatever stands in one line: a verdict comes out that can be read again."""
    file, texts, now = lines
    line = data.draw(spoilt_json(texts[1]), label="line")
    content = "\n".join([texts[0], line, texts[2]])
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    found = rules.judge(now, history.earlier(file.parents[1], now))
    serialization.write(file.parent / "verdict.json", found)
    assert found == serialization.read(file.parent / "verdict.json", Verdict)
