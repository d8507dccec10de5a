"""Files of runs and histories that hold anything: what is whole serves, the rest is named."""

import json
import os
from pathlib import Path

import pytest
import records
from test_history import nights
from test_history import written as written_on

from gfr.errors import InputError
from gfr.export import web
from gfr.regression import compare, history, rules
from gfr.report import writer
from gfr.report.sections import regression
from gfr.results import export_records, status, store
from gfr.results import records as results_records
from gfr.results.regression_records import Verdict
from gfr.storage import run_directory, serialization
from gfr.storage.run_directory import RunDirectory

GARBAGE = {
    "empty": b"",
    "spaces": b"   \t ",
    "zeros": bytes(1_000),
    "binary": bytes(range(256)).replace(b"\n", b""),
    "bad UTF-8": b'{"schema": 1, "run_id": "\xff\xfe"}',
    "UTF-16": '{"schema": 1}'.encode("utf-16").replace(b"\n", b""),
    "BOM": b"\xef\xbb\xbf{}",
    "null": b"null",
    "number": b"1e999",
    "long number": b"9" * 100_000,
    "NaN": b"NaN",
    "text": b'"text"',
    "list": b"[]",
    "object": b"{}",
    "open": b'{"schema": 1',
    "deep lists": b"[" * 100_000,
    "deep lists, closed": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "one key twice": b'{"schema": 1, "schema": 2}',
    "half a surrogate": b'{"run_id": "\\ud800"}',
    "merge marks": b"<<<<<<< HEAD",
    "10 MB": b'{"x": "' + b"a" * 10_000_000 + b'"}',
    "pickle": b"\x80\x04\x95",
    "a program": b"#!/bin/sh",
}
# Of the files of a run, which are all read by one function, fewer will do.
SOME = ("empty", "zeros", "object", "long number", "deep lists", "folder")
# Of a whole record: one of its values, wherever it stands, is another.
VALUES = [None, -1, 1e308, 2**70, float("nan"), "", [[]], "9" * 5_000]


def spoilt_values(text, keys):
    """The record with one value after the other replaced: (what, text) each."""
    for key in keys:
        for value in VALUES:
            yield f"{key}={value!r:.20}", json.dumps(json.loads(text) | {key: value}).encode()


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """A history of three runs, the lines of it, and the entry of a fourth."""
    reports = tmp_path_factory.mktemp("reports")
    now = history.entry(nights(reports, 3) and written_on(reports, 4))
    file = history.path(reports, now.key)
    return file, file.read_bytes().splitlines(), now


def judged_beside(past, garbage, caplog):
    """The verdict with this line among the others, and whether it was named; it must stay."""
    file, lines, now = past
    file.write_bytes(b"\n".join([lines[0], garbage, *lines[1:], b""]))
    caplog.clear()
    found = rules.judge(now, history.earlier(file.parents[1], now))
    is_named = f"{file}, line 2: left out (" in caplog.text
    assert all(len(row.getMessage()) < 1_000 for row in caplog.records)
    history.put(file.parents[1], now)
    assert not garbage.strip() or garbage in file.read_bytes().split(b"\n")
    return found, is_named


@pytest.mark.parametrize("name", GARBAGE)
def test_a_garbage_line_is_named_and_stays(past, caplog, name):
    """Three good runs beside it are enough for a verdict."""
    found, is_named = judged_beside(past, GARBAGE[name], caplog)
    assert ("ok", 3) == (found.status, found.num_compared)
    assert is_named == bool(GARBAGE[name].strip())


def test_a_line_with_a_strange_value_is_left_out_or_understood(past, caplog):
    """Every key of a line with every strange value, 104 cases: a verdict that can be kept."""
    file, lines, _ = past
    document = json.loads(lines[1])
    for what, garbage in spoilt_values(lines[1], document):
        found, is_named = judged_beside(past, garbage, caplog)
        assert is_named or found.num_compared in (2, 3, 4), what
        serialization.write(file.parent / "verdict.json", found)
        assert found == serialization.read(file.parent / "verdict.json", Verdict), what


def test_a_line_of_another_schema_or_twice(past, caplog):
    """A later version's line is left; of two lines of one run the last counts."""
    lines = past[1]
    other = json.dumps(json.loads(lines[0]) | {"schema": 2}).encode()
    assert judged_beside(past, other, caplog)[1]
    found, _ = judged_beside(past, lines[0], caplog)
    assert ("ok", 3) == (found.status, found.num_compared)


def test_a_directory_or_a_dead_link_in_place_of_a_history(past):
    """One line that names it; a link to nowhere is a history that has not begun."""
    file, _, now = past
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match=r"\.jsonl: cannot be read \(Is a directory\)"):
        history.earlier(file.parents[1], now)
    file.rmdir()
    file.symlink_to("nowhere")
    assert [] == history.earlier(file.parents[1], now)
    file.unlink()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with every file that one can have: its directory, and each file's bytes."""
    found = records.run(tmp_path_factory.mktemp("reports") / "runs" / "r")
    records.write(found)
    place, first = found.directory, found.trials[0]
    export = records.export(found)
    folder = RunDirectory(place).export(export.trial.id).path
    timing = export_records.PageTiming("wasm", False, (0.1, 0.2))
    serialization.write(folder / "export.json", export)
    serialization.write(
        folder / "page.json", export_records.PageResult(1, "d" * 64, "Chromium", "CPU", (timing,))
    )
    serialization.write(place / "verdict.json", records.verdict(found, "0.8, was 0.9"))
    (place / "accepted.json").write_text('{"schema": 1, "run_id": "r"}')
    serialization.write(RunDirectory(place).repeated_trial(first.trial.id), first)
    (single,) = found.latencies["VGG16-64x64"].timings
    row = results_records.RetimedRow("float32", single.single, 1, 0.004, 0.0)
    retimed = results_records.Retimed(1, first.trial.feature_set, (row,))
    serialization.write(
        RunDirectory(place).repeated_latency(first.trial.feature_set.id, 1), retimed
    )
    return place, {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def everything(directory):
    """What report, verdict, compare, list and serve read before they do anything."""
    reports = directory.parents[1]
    listed = status.collect(records.BENCHMARK, directory / "none", reports)
    status.text(listed)
    run_directory.find(reports, None)
    run = store.read_run(directory)
    for row in run.trials:
        store.repeated_trial(run, row.trial.id)
        store.repeated_timings(run, row.trial.feature_set)
    compare.labels(run)
    writer.page_of(run)
    web.exported(run, None)
    if run.verdict:
        regression.text(run.verdict)


def test_a_whole_run_passes(whole):
    """Else the cases below would prove nothing."""
    everything(whole[0])


@pytest.mark.parametrize("name", SOME)
def test_a_spoilt_file_of_a_run_is_named(whole, name):
    """Each file in turn is garbage: it is named in one line, or nothing needs it."""
    directory, contents = whole
    num_named = 0
    for path, content in contents.items():
        path.unlink()
        try:
            _put(path, name)
            num_named += _is_named(directory, path)
        finally:
            path.rmdir() if path.is_dir() else path.unlink()
            path.write_bytes(content)
    assert num_named >= 8


def _put(path: Path, name: str) -> None:
    if name == "folder":
        path.mkdir()
    else:
        path.write_bytes(GARBAGE[name])


def _is_named(directory, path):
    try:
        everything(directory)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1_000
        assert path.name in str(error) or path.name in ("run.json", "selection.json", "export.json")
        return True
    return False


@pytest.mark.parametrize("moment", [0, 1, 4_102_444_800, 2**33])
def test_a_clock_that_was_wrong_hides_no_run(tmp_path, moment):
    """1970, 2100, 2242: every run is listed, in the order of its records; a dead link is none."""
    for number in (1, 2, 3):
        found = written_on(tmp_path, number)
        os.utime(found.directory / "run.json", (moment + 3 - number,) * 2)
    (tmp_path / "runs" / "dead").mkdir()
    (tmp_path / "runs" / "dead" / "run.json").symlink_to("nowhere")
    assert ["run1", "run2", "run3"] == [path.name for path in run_directory.existing(tmp_path)]
    assert "run3" == run_directory.find(tmp_path, None).name


def test_a_damaged_newest_run_is_not_passed_over(tmp_path):
    """Else an older one would be judged in its place, and be found well."""
    for number in (1, 2):
        written_on(tmp_path, number)
    damaged = tmp_path / "runs" / "run2" / "run.json"
    damaged.write_text("{")
    os.utime(damaged, (2**33, 2**33))
    assert "run2" == run_directory.find(tmp_path, None).name


def test_a_run_begun_before_its_forerunners_has_no_history(tmp_path):
    """The clock jumped back: it is judged by what was begun before it by that clock, by nothing."""
    nights(tmp_path, 4)
    first = history.entry(store.read_run(tmp_path / "runs" / "run1"))
    assert [] == history.earlier(tmp_path, first)
    assert "no history" == rules.judge(first, history.earlier(tmp_path, first)).status
