"""Records of earlier versions: read, or refused by their schema number."""

import json

import pytest
import records
from html_page import report_of, summary_md

from gfr.errors import InputError
from gfr.report import summary_json
from gfr.results import records as results_records
from gfr.results import regression_records, store
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    """A finished run with a verdict, on disk."""
    run = records.run(tmp_path / "runs" / "r")
    records.write(run)
    serialization.write(RunDirectory(run.directory).verdict, records.verdict(run))
    return run


def edit(path, change):
    """Change the JSON document of a record."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_first_records_of_this_schema_are_read(run):
    """They lack the fields that were added later without a new schema number."""
    files = RunDirectory(run.directory)
    for name in ("settings", "num_usable_threads"):
        edit(files.record, lambda document, name=name: document.pop(name))
    edit(files.verdict, lambda document: document.pop("new_baseline"))
    for name in run.latencies:
        edit(files.latency(name), lambda document: document["timings"][0].pop("witness_s"))
    edit(files.selection, lambda document: document.pop("choices"))
    edit(files.record, lambda document: document["benchmark"]["selection"].pop("prefer"))
    read = store.read_run(run.directory)
    assert read.selection.choices is None and "accuracy" == read.record.benchmark.selection.prefer
    assert "not significantly worse" not in summary_md(read)
    assert summary_json.summary(report_of(read))["selection"]["choices"] is None
    assert read.record.settings is None and "" == read.verdict.new_baseline
    assert [None, None] == [row.float32.witness_s for row in read.latencies.values()]


@pytest.mark.parametrize(
    ("name", "kind", "schema"),
    [
        ("record", results_records.RunRecord, 3),
        ("selection", results_records.Selection, 3),
        ("verdict", regression_records.Verdict, 1),
    ],
)
@pytest.mark.parametrize("other", [0, 2, 4])
def test_another_schema_is_refused_by_both_numbers(run, name, kind, schema, other):
    """Each kind of record has its own number, and a wrong one comes before other problems."""
    path = getattr(RunDirectory(run.directory), name)
    edit(path, lambda document: document.clear() or document.update(schema=other))
    with pytest.raises(
        InputError, match=f"schema is {other}, but this version of gfr reads {schema}"
    ):
        serialization.read(path, kind)
