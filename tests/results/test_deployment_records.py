"""Records of runtime engines: rows by name, and runs that have none."""

import shutil
from dataclasses import replace

import pytest
import records

from gfr.errors import InputError
from gfr.results import costs, deployment_records, store
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory

VGG16, MOBILENET = records.BENCHMARK.feature_sets


def two_engines(tmp_path):
    """A run whose VGG16 was timed in two engines with one and two threads, on disk."""
    run = records.run(tmp_path / "reports" / "runs" / "r")
    rows = [
        records.engine_timing(engine, p50_s, num_threads)
        for engine, p50_s in (("litert", 0.01), ("tensorflow", 0.03))
        for num_threads in (1, 2)
    ]
    int8 = records.engine_timing("litert", 0.005, precision="dynamic int8")
    missing = [("openvino", "openvino is not installed")]
    record = records.engine_latency(VGG16, *rows, int8, unavailable=missing)
    run = replace(run, engine_latencies={VGG16.id: record})
    records.write(run)
    return run


def test_rows_are_looked_up_by_engine_precision_and_threads(tmp_path):
    """Their order does not matter; a row that is not there is None."""
    record = two_engines(tmp_path).engine_latencies[VGG16.id]
    turned = replace(record, rows=record.rows[::-1])
    for found in (record, turned):
        assert 30 == pytest.approx(found.row("tensorflow", "float32", 1).p50_ms)
        assert 5 == pytest.approx(found.row("litert", "dynamic int8", 2).p50_ms)
        assert found.row("litert", "dynamic int8", 1) is None
        assert found.row("openvino", "float32", 2) is None
    with pytest.raises(ValueError, match="two rows of one engine"):
        replace(record, rows=(*record.rows, record.rows[0]))


def test_the_record_is_read_with_the_run(tmp_path):
    """As it was written; it costs a stage of its own."""
    run = two_engines(tmp_path)
    read = store.read_run(run.directory)
    assert run.engine_latencies == read.engine_latencies
    (stage,) = [row for row in costs.stages(read) if row.name == f"Engines: {VGG16.title}"]
    assert ("Latency", "5 rows") == (stage.kind, stage.did)


def test_a_run_without_the_record_stays_readable(tmp_path):
    """Runs made before engines were timed have no such files, and no such stage."""
    run = two_engines(tmp_path)
    shutil.rmtree(run.directory / "engines")
    read = store.read_run(run.directory)
    assert {} == read.engine_latencies
    assert run.latencies == read.latencies
    assert not [row for row in costs.stages(read) if row.name.startswith("Engines")]


def test_a_record_of_another_feature_set_is_refused(tmp_path):
    """The name of the file and its content must agree."""
    run = two_engines(tmp_path)
    files = RunDirectory(run.directory)
    files.engine_latency(VGG16.id).rename(files.engine_latency(MOBILENET.id))
    with pytest.raises(InputError, match=r"engines/MobileNetV2.*its feature set is not that of"):
        store.read_run(run.directory)


def test_repeated_measurements_are_read_in_the_order_made(tmp_path):
    """Those older than the record belong to an earlier attempt."""
    run = two_engines(tmp_path)
    files, record = RunDirectory(run.directory), run.engine_latencies[VGG16.id]
    for number in (1, 2):
        more = replace(record, trial_id=str(number))
        serialization.write(files.repeated_engine_latency(VGG16.id, number), more)
    found = store.repeated_engine_timings(run, VGG16)
    assert ["1", "2"] == [row.trial_id for row in found]
    assert [] == store.repeated_timings(run, VGG16)
    serialization.write(files.engine_latency(VGG16.id), record)
    assert [] == store.repeated_engine_timings(run, VGG16)


def test_figures_of_a_fresh_process():
    """Cold start is loading and the first answer; 3 batches of 32 in 2 s are 48 images/s."""
    batches = records.Samples((9.0,), (0.5, 0.5, 1.0), 2.5, 1.0, 0.0)
    found = deployment_records.FreshProcess("litert", "1.0", 2, 0.25, 0.5, 1, 32, batches)
    assert (0.75, 48.0) == (found.cold_start_s, found.images_per_s)
