"""History and regression rules; figures by hand."""

import re
import sys
from dataclasses import field, fields, make_dataclass, replace

import pytest
import records

from gfr.pipeline import isolation, shared_storage, steps
from gfr.regression import baseline, check, history, rules
from gfr.regression.latency_rule import Measured
from gfr.regression.rules import judge
from gfr.results import records as results_records
from gfr.results import store
from gfr.storage import serialization
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory

GFR = [sys.executable, "-c", "from cli.main import main; main()"]
FLOAT32 = ("VGG16-64x64", "float32")


def written(reports, number, factor=1.0, others_share=0.0, **changed):
    """A finished run of day `number`, every call `factor` times as long, with changes."""
    run_id = f"run{number}"
    run = records.run(reports / "runs" / run_id)
    record = replace(
        run.record, run_id=run_id, created_utc=f"2026-11-{number:02}T02:00:00.000+00:00"
    )
    latencies = {key: timed(row, factor, others_share) for key, row in run.latencies.items()}
    trials = changed.pop("trials", run.trials)
    run = replace(
        run,
        record=record,
        trials=tuple(replace(row, run_id=run_id) for row in trials),
        latencies=latencies,
        **changed,
    )
    records.write(run)
    return store.read_run(run.directory)


def timed(latency, factor, others_share):
    """Every call `factor` times as long, with a reference workload."""
    (timing,) = latency.timings
    values = tuple(factor * value for value in timing.single.values_s)
    single = replace(timing.single, values_s=values, others_share=others_share)
    return replace(latency, timings=(replace(timing, single=single, witness_s=0.004),))


def judged(run):
    """The same run with its verdict, without reruns."""
    check.finish(run, check.look(run), {})
    return store.read_run(run.directory)


def nights(reports, num):
    """Clean runs, each judged after the one before."""
    return [judged(written(reports, number)) for number in range(1, num + 1)]


def worse(run, right=80):
    """The trials, the first one with fewer correct answers."""
    bad = records.result(run.trials[0].trial, 30, right)
    return (bad, *run.trials[1:])


def trial(num_right=900, answers="0", loss=0.5, probabilities="p", name="t"):
    """A trial on 1,000 test images."""
    return history.TrialEntry(
        name, name, "VGG16", 1000, num_right, loss, 0.9, probabilities, answers
    )


def entry(number, *trials, **changed):
    """An entry with these trials and no latency."""
    provenance = records.run().record.provenance
    row = history.Entry(
        *(1, "k", {"benchmark": "b"}, f"run{number}", f"2026-11-{number:02}", provenance),
        *("ok", (), False, trials, (), (), ()),
    )
    return replace(row, **changed)


def test_a_run_writes_its_line_once_and_invalid_lines_stay(tmp_path, caplog):
    """A truncated line is reported and kept; the same run id replaces its own line."""
    first, second = nights(tmp_path, 2)
    (file,) = (tmp_path / "history").glob("*.jsonl")
    file.write_bytes(b'{"schema": 1, "run_id"\n\xff\n[]\n' + file.read_bytes())
    again_first = replace(first, trials=first.trials[:1])
    history.put(tmp_path, history.entry(again_first))
    lines = file.read_bytes().splitlines()
    assert [b'{"schema": 1, "run_id"', b"\xff", b"[]"] == lines[:3]
    assert [1, 4] == [len(row.trials) for row in history.load(file)]
    assert 5 == len(lines)
    assert f"{file}, line 1: left out (" in caplog.text
    assert "line 3" in caplog.text
    assert second.verdict.status == "no history"


def test_the_history_can_be_rebuilt_from_the_runs(tmp_path):
    """The lines are the same; a damaged run is left out."""
    nights(tmp_path, 2)
    (file,) = (tmp_path / "history").glob("*.jsonl")
    lines = set(file.read_bytes().splitlines())
    file.unlink()
    (written(tmp_path, 3).directory / "run.json").write_text("{")
    assert 2 == history.rebuild(tmp_path)
    assert lines == set(file.read_bytes().splitlines())


def reused(run):
    """The run with all features reused."""

    def from_disk(row):
        (part,) = row.features.parts
        extracted = replace(part.extracted, num_computed=0, num_reused=260)
        part = replace(part, extracted=extracted)
        return replace(row, features=replace(row.features, parts=(part,)))

    return replace(run, trials=tuple(map(from_disk, run.trials)))


def recorded(run, **changed):
    """The run with changes in its RunRecord."""
    return replace(run, record=replace(run.record, **changed))


def versions(run, **changed):
    """The run with other versions of packages."""
    found = run.record.provenance
    return recorded(run, provenance=replace(found, versions=found.versions | changed))


def epochs(run):
    """The run with one more epoch in its benchmark."""
    first, *others = run.record.benchmark.iteration
    iteration = (replace(first, epochs=first.epochs + 1), *others)
    return recorded(run, benchmark=replace(run.record.benchmark, iteration=iteration))


def float32_alone(run):
    """The run with latency in float32 only."""
    latency = replace(run.record.benchmark.latency, accelerated=False)
    return recorded(run, benchmark=replace(run.record.benchmark, latency=latency))


@pytest.mark.parametrize(
    ("is_same", "change"),
    [
        (False, reused),
        (False, lambda run: recorded(run, hardware=replace(records.HARDWARE, cpu_model="B"))),
        (False, lambda run: recorded(run, settings={"OMP_NUM_THREADS": "1"})),
        (False, lambda run: recorded(run, num_usable_threads=1)),
        (False, lambda run: recorded(run, data=replace(records.DATA, digest="e"))),
        (False, lambda run: versions(run, tensorflow="2.20")),
        (False, epochs),
        (True, float32_alone),
        (True, lambda run: versions(run, pillow="12")),
        (True, lambda run: recorded(run, command="another")),
        (True, lambda run: recorded(run, fresh=True)),
    ],
)
def test_only_comparable_runs_have_the_same_key(is_same, change):
    """Machine, settings, data, engine, parameters and reuse change it; Pillow and commands not."""
    run = records.run()
    assert is_same == (history.key(history.facts(run)) == history.key(history.facts(change(run))))


def field_added(benchmark, table, value):
    """The benchmark with a field `added` in a table, or in itself, whose default is 0."""
    place = getattr(benchmark, table) if table else benchmark
    rows = place if isinstance(place, tuple) else (place,)
    changed = []
    for row in rows:
        kind = type(row)
        new = make_dataclass(
            kind.__name__, [("added", int, field(default=0))], bases=(kind,), frozen=True
        )
        values = {each.name: getattr(row, each.name) for each in fields(row)}
        changed.append(new(**values, added=value))
    if not table:
        return changed[0]
    return replace(benchmark, **{table: tuple(changed) if isinstance(place, tuple) else changed[0]})


@pytest.mark.parametrize(
    "table",
    ["", "data", "training", "features", "latency", "selection", "backbone", "iteration"],
)
def test_a_new_field_starts_no_new_history_while_it_has_its_default(table):
    """It is in the key only if it has another value."""
    run = records.run()
    expected, *keys = (
        history.key(history.facts(recorded(run, benchmark=benchmark)))
        for benchmark in (
            run.record.benchmark,
            field_added(run.record.benchmark, table, 0),
            field_added(run.record.benchmark, table, 1),
        )
    )
    assert [True, False] == [key == expected for key in keys]


@pytest.mark.parametrize(("prefer", "is_same"), [("accuracy", True), ("loss", False)])
def test_the_preference_is_in_the_key_unless_it_is_accuracy(prefer, is_same):
    """Benchmarks of before it existed keep their history."""
    run = records.run()
    always = history._key_contents(run.record.benchmark)["selection"]
    selecting = replace(run.record.benchmark.selection, prefer=prefer)
    found = history._key_contents(replace(run.record.benchmark, selection=selecting))["selection"]
    assert is_same == (found == always) == (set(found) == {"max_latency_ms", "max_size_mb"})


def test_runs_that_are_not_comparable_are_named(tmp_path):
    """Three runs that computed their features are not a baseline for one that reused them."""
    nights(tmp_path, 3)
    other = reused(written(tmp_path, 4))
    found = check.look(other)
    assert ("no history", 0) == (found.status, found.num_compared)
    assert (
        "the newest run of this benchmark, run3, differs in features (computed there, reused here)"
        in found.reason
    )


def test_discordant_counts_follow_from_different_answers_and_the_gain():
    """f and 8 differ in three bits, one fewer is right: two right only before, one only now."""
    assert (2, 1) == rules.discordant(trial(900, "f"), trial(899, "8"))


def test_the_tolerance_of_an_accuracy():
    """One point of 1,000 images is ten; a standard deviation of 10 (890, 900, 910) gives thirty."""
    assert 10 == baseline.accuracy_margin([trial(900)] * 3)
    assert 30 == pytest.approx(baseline.accuracy_margin([trial(n) for n in (890, 900, 910)]))
    small = replace(trial(30), num_test=40)
    assert 1 == baseline.accuracy_margin([small] * 3)


@pytest.mark.parametrize(
    ("expected", "now"),
    [
        ("ok", trial()),
        ("changed", trial(901, "1", probabilities="q")),
        ("changed", trial(893, "7f", probabilities="q")),  # 7 lost, p = 2 / 2^7 = 0.016
        ("suspect", trial(892, "ff", probabilities="q")),  # 8 lost, p = 2 / 2^8 = 0.008
        ("changed", trial(890, "3fffff", probabilities="q")),  # 22 differ: 16 lost, 6 won, p = 0.05
        ("suspect", trial(889, "f" * 25, probabilities="q")),  # eleven: beyond the tolerance
        ("changed", trial(900, "0", loss=0.52, probabilities="q")),
        ("suspect", trial(900, "0", loss=0.53, probabilities="q")),  # 1.05 x 0.5 = 0.525
    ],
)
def test_an_accuracy_is_worse_beyond_chance_or_the_tolerance(expected, now):
    """Against three equal runs with 900 of 1,000 right."""
    past = [entry(number, trial()) for number in (1, 2, 3)]
    (finding,) = judge(entry(4, now), past).findings
    assert expected == finding.status, finding.text


def test_p_values_are_corrected_for_the_number_of_trials():
    """The same 8 lost images with four trials: 4 x 0.008 is above 1%."""
    names = "abcd"
    past = [entry(number, *(trial(name=name) for name in names)) for number in (1, 2, 3)]
    rows = [trial(892, "ff", probabilities="q", name="a"), *(trial(name=name) for name in "bcd")]
    assert "ok" == judge(entry(4, *rows), past).status


def test_a_rerun_must_confirm_a_regression():
    """Same results: regression; different results, or no rerun: inconclusive."""
    past = [entry(number, trial()) for number in (1, 2, 3)]
    now = trial(800, "f" * 25, probabilities="q")
    ends = [
        judge(entry(4, now), past, entry(4, repeated)).status
        for repeated in (now, replace(now, probabilities="r"))
    ]
    assert ["regression", "inconclusive"] == ends
    found = judge(entry(4, now), past, reasons={("accuracy", "t"): "no memory"})
    assert "inconclusive" == found.status
    assert found.findings[0].text.endswith("not confirmed: no memory")


def test_two_runs_are_not_a_baseline():
    """The third one is not judged, however bad it is."""
    past = [entry(number, trial()) for number in (1, 2)]
    found = judge(entry(3, trial(500, "f" * 100, probabilities="q")), past)
    assert ("no history", []) == (found.status, found.lost)


def test_a_regression_is_not_in_the_baseline_until_it_is_accepted():
    """Then the baseline starts with it."""
    bad = entry(4, trial(800), status="regression")
    rows = [*(entry(number, trial()) for number in (1, 2, 3)), bad, entry(5, trial())]
    assert ["run1", "run2", "run3", "run5"] == [row.run_id for row in baseline.baseline(rows)]
    rows[3] = replace(bad, is_accepted=True)
    assert ["run4", "run5"] == [row.run_id for row in baseline.baseline(rows)]


def timing(wall, others_share=0.0):
    """A repeated measurement of VGG16, `wall` times 50 ms."""
    p10_s, witness_s = 0.05 * wall, 0.004
    figures = (p10_s, p10_s, 0.06 * wall, 0.01, witness_s, p10_s / witness_s)
    return Measured(100, *figures, others_share)


def retimed(now, *rows, max_difference=0.0):
    """The reruns of VGG16 with these measurements."""
    (first,) = [row for row in now.latencies if (row.id, row.precision) == FLOAT32]
    latencies = [replace(first, measured=row, max_difference=max_difference) for row in rows]
    return replace(now, trials=(), latencies=tuple(latencies))


@pytest.mark.parametrize(
    ("expected", "more"),
    [
        ("suspect", ()),
        ("regression", (timing(1.3),)),
        ("ok", (timing(1.0),)),
        ("suspect", (timing(1.3, others_share=0.5),)),
        ("inconclusive", (timing(1.3, others_share=0.5),) * 2),
    ],
)
def test_a_latency_must_be_slower_twice(tmp_path, expected, more):
    """1.3 times as long as three runs, at first without background load."""
    nights(tmp_path, 3)
    now = history.entry(written(tmp_path, 4, factor=1.3))
    past = history.earlier(tmp_path, now)
    found = judge(now, past, retimed(now, *more)).findings
    statuses = {row.id: row.status for row in found if row.kind == "latency"}
    assert expected == statuses["VGG16-64x64"]


def test_runs_under_load_are_not_in_the_latency_baseline(tmp_path):
    """Of three runs, one had no background load."""
    for number, share in ((1, 0.0), (2, 0.5), (3, 0.5)):
        judged(written(tmp_path, number, others_share=share))
    found = check.look(written(tmp_path, 4, factor=2)).of("no history")
    assert "one image: 1 of the 3 earlier runs without background load needed" in found[0].text


def test_a_timed_model_with_different_answers_is_a_regression(tmp_path):
    """Probabilities differ by 0.3, and by 0.2 in the rerun; they were equal before."""
    nights(tmp_path, 3)
    run = written(tmp_path, 4)
    latency = run.latencies["VGG16-64x64"]
    off = replace(latency, timings=(replace(latency.timings[0], max_difference=0.3),))
    now = history.entry(replace(run, latencies={latency.feature_set.id: off}))
    more = retimed(now, timing(1.0), max_difference=0.2)
    found = judge(now, history.earlier(tmp_path, now), more)
    assert ["agreement"] == [row.kind for row in found.of("regression")]


def test_only_suspects_are_repeated_and_the_record_stays(tmp_path, monkeypatch):
    """One head of four is trained again, next to its record; then it is a regression."""
    first, *_ = nights(tmp_path, 3)
    run = written(tmp_path, 4, trials=worse(first))
    record = run.directory / "trials" / "VGG16-iteration-1.json"
    before, calls = record.read_bytes(), []

    def call(place, run_dir, trial, *_, **__):
        calls.append((place, trial.id))
        serialization.write(RunDirectory(run.directory).repeated_trial(trial.id), run.trials[0])

    monkeypatch.setattr(isolation, "call", call)
    monkeypatch.setattr(shared_storage, "check", lambda *_: None)
    steps.judge(run.directory, isolation.Limits())
    assert [("gfr.pipeline.training:train_again", "VGG16-iteration-1")] == calls
    assert before == record.read_bytes()
    assert "regression" == store.read_run(run.directory).verdict.status


def test_a_rerun_of_an_earlier_attempt_is_ignored(tmp_path):
    """The head was trained again after it."""
    run = written(tmp_path, 1)
    name = run.trials[0].trial.id
    serialization.write(RunDirectory(run.directory).repeated_trial(name), run.trials[0])
    assert store.repeated_trial(run, name) is not None
    serialization.write(run.directory / "trials" / f"{name}.json", run.trials[0])
    assert store.repeated_trial(run, name) is None


def test_a_failed_trial_that_had_a_result_is_a_regression(tmp_path):
    """After all attempts of the run."""
    first, *_ = nights(tmp_path, 3)
    run = written(tmp_path, 4)
    failed = results_records.Failure(2, first.trials[3].trial, "no memory")
    found = check.look(replace(run, trials=run.trials[:3], failures=(failed,)))
    assert ["MobileNetV2 / iteration 2: failed, had a result"] == found.lost


def test_the_run_is_judged_before_its_report():
    """In the flow: select, judge, report; the report again after an export."""
    flow = (ROOT / "flows" / "benchmark.py").read_text()
    calls = re.findall(r"\b(select_model|judge|write_report|show_run)\(", flow, re.MULTILINE)
    assert ["select_model", "judge", "write_report", "write_report", "show_run"] == calls
