"""Rows of runtime engines in history, verdict and comparison."""

import json
from dataclasses import replace

import pytest
import records
from test_history import judged, recorded, written

from gfr.pipeline import engine_latency, isolation, steps
from gfr.regression import baseline, check, compare, history
from gfr.results import store
from gfr.storage import serialization
from gfr.storage.run_directory import RunDirectory

VGG16 = records.BENCHMARK.feature_sets[0]
INTERLEAVED = f"{VGG16.title}, LiteRT float32, 2 threads"


def engine_rows(litert=1.0, tensorflow=1.0, version="2.0"):
    """Both engines, every call so many times as long, with this version of LiteRT."""
    return (
        records.engine_timing("tensorflow", 0.05 * tensorflow, version="2.21.0"),
        records.engine_timing("litert", 0.01 * litert, version=version),
        records.engine_timing("litert", 0.02 * litert, 1, version=version),
    )


def night(reports, number, *rows, factor=1.0):
    """A finished run of day `number` whose VGG16 was also timed in engines, judged."""
    measured = {VGG16.id: records.engine_latency(VGG16, *rows)} if rows else {}
    return judged(written(reports, number, factor=factor, engine_latencies=measured))


def statuses(run, kind="latency"):
    """Status of each latency finding by subject."""
    return {row.subject: row.status for row in run.verdict.findings if row.kind == kind}


def test_an_old_line_is_tensorflow_by_itself(tmp_path):
    """A line without engine, version and threads is read, and compared with rows of today."""
    night(tmp_path, 1)
    (file,) = (tmp_path / "history").glob("*.jsonl")
    document = json.loads(file.read_text())
    for row in document["latencies"]:
        assert ("tensorflow", "", 0) == tuple(
            row.pop(name) for name in ("engine", "engine_version", "num_threads")
        )
    file.write_text(json.dumps(document) + "\n")
    now = history.entry(written(tmp_path, 2))
    (old,) = history.earlier(tmp_path, now)
    assert old.latencies == now.latencies
    assert "VGG16 at 64x64, float32" == old.latencies[0].subject


@pytest.mark.parametrize(
    "engines", [(), ("litert",), ("tensorflow", "litert", "onnxruntime", "openvino")]
)
def test_engines_are_not_in_the_key(engines):
    """Neither those that the benchmark asks for nor those that were timed."""
    run = records.run()
    latency = replace(run.record.benchmark.latency, engines=engines)
    other = recorded(run, benchmark=replace(run.record.benchmark, latency=latency))
    other = replace(
        other, engine_latencies={VGG16.id: records.engine_latency(VGG16, *engine_rows())}
    )
    assert history.key(history.facts(run)) == history.key(history.facts(other))


def test_rows_are_looked_up_by_engine_precision_and_threads(tmp_path):
    """Never by position, and TensorFlow in turn is another row than TensorFlow by itself."""
    rows = engine_rows()
    for number in (1, 2, 3):
        night(tmp_path, number, *(rows if number % 2 else rows[::-1]))
    run = night(tmp_path, 4, *rows[1:], rows[0])
    found = statuses(run)
    assert {"ok"} == set(found.values())
    assert {
        "VGG16 at 64x64, float32",
        "VGG16 at 64x64, TensorFlow float32, 2 threads",
        "VGG16 at 64x64, LiteRT float32, 2 threads",
        "VGG16 at 64x64, LiteRT float32, 1 thread",
        "MobileNetV2 at 64x64, float32",
    } == set(found)
    assert found == statuses(run, "agreement")


def test_a_slow_down_of_one_engine_is_found_in_its_rows_alone(tmp_path):
    """LiteRT takes 1.3 times as long; TensorFlow, in turn and by itself, does not."""
    for number in (1, 2, 3):
        night(tmp_path, number, *engine_rows())
    found = statuses(night(tmp_path, 4, *engine_rows(litert=1.3)))
    slower = {subject for subject, status in found.items() if status == "inconclusive"}
    assert {INTERLEAVED, INTERLEAVED.replace("2 threads", "1 thread")} == slower
    assert {"ok"} == {status for subject, status in found.items() if subject not in slower}


def test_a_suspect_row_is_measured_again_in_turn(tmp_path, monkeypatch):
    """Once for all engines of the model, by the stage that measured it; then it is a regression."""
    for number in (1, 2, 3):
        night(tmp_path, number, *engine_rows())
    slow = records.engine_latency(VGG16, *engine_rows(litert=1.3))
    run = written(tmp_path, 4, engine_latencies={VGG16.id: slow})
    calls = []

    def time_again(run, feature_set, limits):
        calls.append(feature_set.id)
        path = RunDirectory(run.directory).repeated_engine_latency(feature_set.id, len(calls))
        serialization.write(path, slow)

    monkeypatch.setattr(engine_latency, "time_again", time_again)
    monkeypatch.setattr(isolation, "call", lambda *_, **__: pytest.fail("something else repeated"))
    steps.judge(run.directory, isolation.Limits())
    verdict = store.read_run(run.directory).verdict
    assert [VGG16.id] == calls
    assert ["latency"] * 2 == [row.kind for row in verdict.of("regression")]
    assert {f"engines/{VGG16.id}"} == {row.id for row in verdict.of("regression")}
    assert f"{INTERLEAVED}: one image takes 1.30 times its usual 10.0 ms" in verdict.lost[0]


def test_a_rerun_that_fails_is_named(tmp_path, monkeypatch):
    """The row stays inconclusive, with the reason."""
    for number in (1, 2, 3):
        night(tmp_path, number, *engine_rows())
    slow = records.engine_latency(VGG16, *engine_rows(litert=1.3))
    run = written(tmp_path, 4, engine_latencies={VGG16.id: slow})

    def time_again(*_):
        raise isolation.StepFailed("its process ended with SIGSEGV")

    monkeypatch.setattr(engine_latency, "time_again", time_again)
    steps.judge(run.directory, isolation.Limits())
    found = store.read_run(run.directory).verdict.of("inconclusive")
    assert 2 == len(found)
    assert all(row.text.endswith("not confirmed: its process ended with SIGSEGV") for row in found)


def test_a_new_version_of_an_engine_starts_a_new_baseline_for_its_rows(tmp_path):
    """Half as fast is not a regression then; TensorFlow's rows are still compared."""
    for number in (1, 2, 3):
        assert "" == night(tmp_path, number, *engine_rows()).verdict.new_baseline
    line = (
        "New baseline: LiteRT changed from 2.0 to 2.1, so its latencies before the change are not "
        "compared"
    )
    for number, (litert, expected) in {
        4: ("no history", line),
        5: ("no history", line),
        6: ("no history", line),
        7: ("ok", ""),
    }.items():
        run = night(tmp_path, number, *engine_rows(litert=2.0, version="2.1"))
        found = statuses(run)
        assert (litert, expected) == (found[INTERLEAVED], run.verdict.new_baseline), number
        assert "ok" == found["VGG16 at 64x64, TensorFlow float32, 2 threads"]
        assert "ok" == found["VGG16 at 64x64, float32"]
    # With the old version again, its old rows count.
    run = night(tmp_path, 8, *engine_rows(litert=1.3))
    assert ("inconclusive", "") == (statuses(run)[INTERLEAVED], run.verdict.new_baseline)


def test_several_engines_with_new_versions_share_the_line(tmp_path):
    """One line names each engine once, even if it has several rows."""

    def entry(number, version):
        rows = [
            records.engine_timing(engine, 0.01, threads, version=version)
            for engine in ("litert", "openvino")
            for threads in (1, 2)
        ]
        measured = {VGG16.id: records.engine_latency(VGG16, *rows)}
        return history.entry(written(tmp_path, number, engine_latencies=measured))

    assert (
        "New baseline: LiteRT changed from 1 to 2, OpenVINO from 1 to 2, so their latencies before "
        "the change are not compared"
    ) == baseline.new_engine_baseline(entry(2, "2"), [entry(1, "1")])
    assert "" == baseline.new_engine_baseline(entry(2, "2"), [])


def test_an_engine_whose_cpu_time_is_unknown_is_not_in_the_history():
    """TensorFlow.js in Node: the latency rule needs CPU time."""
    row = records.engine_timing("tfjs", 0.1, 1)
    row = replace(row, single=replace(row.single, cpu_s=0.0))
    measured = records.engine_latency(VGG16, row, *engine_rows())
    run = replace(records.run(), engine_latencies={VGG16.id: measured})
    found = history.entry(run)
    assert ["tensorflow", "litert", "litert"] == [row.engine for row in found.latencies]
    assert "engines" == found.stages[-1].name


def test_two_runs_are_compared_engine_by_engine(tmp_path):
    """Another version of one engine is named as the reason; a missing row is left out."""
    first = night(tmp_path, 1, *engine_rows())
    second = night(tmp_path, 2, *engine_rows(litert=1.3, version="2.1")[:2])
    third = night(tmp_path, 3, *engine_rows(litert=1.3))
    labels = {name: ("", True) for name in first.trials[0].test_probabilities}

    def verdicts(then, now):
        found = compare.compare(then, now, labels, labels)
        return {row.title: (row.verdict, row.reason) for row in found.latencies}

    reason = "another version of LiteRT: 2.0 -> 2.1"
    assert ("not compared", reason) == verdicts(first, second)[INTERLEAVED]
    assert "slower" == verdicts(first, third)[INTERLEAVED][0]
    assert INTERLEAVED.replace("2 threads", "1 thread") not in verdicts(first, second)
    in_turn = "VGG16 at 64x64, TensorFlow float32, 2 threads"
    assert "no difference" == verdicts(first, second)[in_turn][0]


def test_trends_show_each_engine(tmp_path):
    """A line of its own for each row, absent in runs that did not have it."""
    for number in (1, 2, 3):
        night(tmp_path, number)
    run = night(tmp_path, 4, *engine_rows())
    series = {row.subject: row for row in run.verdict.series if row.figure == "p10_ms"}
    assert (None, None, None, 10.0) == series[INTERLEAVED].values
    assert "VGG16" == series[INTERLEAVED].backbone
    assert (50.0,) * 4 == series["VGG16 at 64x64, float32"].values


def test_reruns_of_engines_are_read_for_the_check(tmp_path):
    """A repeated measurement without slow-down clears the row."""
    for number in (1, 2, 3):
        night(tmp_path, number, *engine_rows())
    slow = records.engine_latency(VGG16, *engine_rows(litert=1.3))
    run = written(tmp_path, 4, engine_latencies={VGG16.id: slow})
    assert {"suspect"} == {row.status for row in check.look(run).of("suspect")}
    path = RunDirectory(run.directory).repeated_engine_latency(VGG16.id, 1)
    serialization.write(path, records.engine_latency(VGG16, *engine_rows()))
    assert [] == check.look(run).of("suspect")
