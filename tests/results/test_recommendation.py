"""Which format is recommended, and which engine counts where models are compared."""

from dataclasses import replace

import format_records
import pytest
import records
from records import BENCHMARK, engine_latency, engine_timing

from gfr.config.schema import Selecting
from gfr.results import deployment

VGG16, MOBILENET = BENCHMARK.feature_sets


@pytest.fixture
def run():
    """Ten variants: dynamic int8 and int8 are the fastest eligible ones, 15 MB each."""
    return format_records.with_formats(records.run())


def variants(run):
    """The selected trial in all engines."""
    return deployment.variants(run.formats, run.format_latency)


def recommended(run, **limits):
    """Title of the recommended variant."""
    found = deployment.recommended(variants(run), Selecting(**limits))
    return found and (found.variant.title, found.beyond)


def timed(run, engine, precision, *seconds):
    """The run with other seconds of one variant, with two threads."""
    rows = [
        replace(row, single=replace(row.single, values_s=seconds))
        if row.key == (engine, precision, 2)
        else row
        for row in run.format_latency.rows
    ]
    return replace(run, format_latency=replace(run.format_latency, rows=tuple(rows)))


def test_variants_are_joined_by_engine_and_precision(run):
    """Arithmetic of an engine has no file, what is not installed no latency."""
    found = {row.title: row for row in variants(run)}
    assert [
        *("TensorFlow float32", "TensorFlow bfloat16", "LiteRT float32", "LiteRT float16"),
        *("LiteRT dynamic int8", "LiteRT int8", "ONNX Runtime float32", "OpenVINO float32"),
        *("OpenVINO bfloat16", "TensorFlow.js uint16"),
    ] == [*found]
    assert found["OpenVINO bfloat16"].result is None
    assert found["ONNX Runtime float32"].timing is None
    assert (1, 2) == tuple(row.num_threads for row in found["LiteRT float16"].timings)
    assert 1 == found["TensorFlow.js uint16"].timing.num_threads
    assert 2 == found["LiteRT float16"].process.num_threads


def test_the_fastest_eligible_format_is_recommended_and_ties_go_to_the_smaller_file(run):
    """11 ms in bfloat16 were not validated; at 12.9 ms 14.9 MB are less than 15.2."""
    assert ("LiteRT dynamic int8", "") == recommended(run)
    slower = timed(run, "litert", "dynamic int8", *(0.0130,) * 100)
    assert ("LiteRT int8", "") == recommended(slower)
    wide = timed(run, "litert", "dynamic int8", *(0.0125, 0.0135) * 50)
    assert ("LiteRT dynamic int8", "") == recommended(wide)


def test_of_equally_fast_files_of_one_size_the_more_accurate_on_validation(run):
    """Test images do not count: int8 is better on them here."""
    rows = run.formats | {
        name: format_records.format_result(run, name, lost, 0, validation_lost, num_bytes=15)
        for name, lost, validation_lost in (("litert-int8", 0, 0), ("litert-dynamic", 9, 0))
    }
    first = replace(rows["litert-int8"], validation=format_records.agreement(400, 360, 2))
    second = replace(rows["litert-dynamic"], validation=format_records.agreement(400, 360, 1))
    changed = rows | {"litert-int8": first, "litert-dynamic": second}
    assert ("LiteRT dynamic int8", "") == recommended(replace(run, formats=changed))


def test_a_format_that_is_worse_on_validation_is_not_recommended(run):
    """One of 40 images is 2.5 points, more than 0.5."""
    worse = format_records.format_result(run, "litert-dynamic", validation_lost=1)
    changed = replace(run, formats=run.formats | {"litert-dynamic": worse})
    assert ("LiteRT int8", "") == recommended(changed)


def test_limits_exclude_formats_unless_all_exceed_them(run):
    """40 ms is the fastest above 15.1 MB but within 59.3; none is within 1 MB."""
    assert ("LiteRT dynamic int8", "") == recommended(run, max_size_mb=15.1)
    assert ("LiteRT dynamic int8", "15 MB") == recommended(run, max_size_mb=1.0)
    assert ("LiteRT dynamic int8", "p50 12.9 ms") == recommended(run, max_latency_ms=5.0)
    slow = timed(run, "litert", "dynamic int8", *(0.2,) * 100)
    assert ("LiteRT dynamic int8", "") == recommended(slow, max_size_mb=15.0)


def test_without_timings_nothing_is_recommended(run):
    """Eligible formats alone do not say which is fast."""
    assert recommended(replace(run, format_latency=None)) is None


def test_the_best_row_is_that_of_an_engine_which_times_every_feature_set():
    """OpenVINO timed only one of them; each has the faster of the two common engines."""
    run = records.run()
    measured = {
        VGG16.id: engine_latency(
            VGG16,
            engine_timing("tensorflow", 0.05),
            engine_timing("litert", 0.06),
            engine_timing("openvino", 0.01),
        ),
        MOBILENET.id: engine_latency(
            MOBILENET, engine_timing("litert", 0.002), engine_timing("tensorflow", 0.01)
        ),
    }
    measured[MOBILENET.id] = replace(measured[MOBILENET.id], size_bytes={"litert": 5_000_000})
    names = [VGG16.id, MOBILENET.id]
    found = deployment.best_rows(names, run.latencies, measured)
    expected = [("TensorFlow float32", 50, 58_800_000), ("LiteRT float32", 2, 5_000_000)]
    assert expected == [
        (row.title, pytest.approx(row.p50_ms), row.num_bytes) for row in found.values()
    ]


def test_without_engines_of_every_feature_set_tf_function_counts():
    """So that one model is not compared in another engine than the rest."""
    run = records.run()
    measured = {VGG16.id: engine_latency(VGG16, engine_timing("litert", 0.001))}
    for engines in ({}, measured):
        found = deployment.best_rows([VGG16.id, MOBILENET.id], run.latencies, engines)
        assert [50, 10] == [pytest.approx(row.p50_ms) for row in found.values()]
        assert {"TensorFlow float32"} == {row.title for row in found.values()}
    assert {} == deployment.best_rows([], {}, {})
