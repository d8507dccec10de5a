"""What `prefer` in `[selection]` selects, on records whose answers can be counted by hand."""

import json
from dataclasses import replace

import pytest
import records
from pydantic import ValidationError
from records import BENCHMARK, IS_MALE, latency, metrics

from gfr.config.schema import Refit, Selecting
from gfr.errors import InputError
from gfr.pipeline import selection
from gfr.results import records as results_records
from gfr.storage import serialization

VGG16, MOBILENET = BENCHMARK.feature_sets
LATENCIES = {
    VGG16.id: latency(VGG16, 0.05, num_parameters=3_000_000),
    MOBILENET.id: latency(MOBILENET, 0.01, num_parameters=4_000_000),
}
FIRST, SECOND, SMALL, OTHER = (trial.id for trial in BENCHMARK.trials)


def trial(number, num_right, loss=0.5):
    """A trial with so many right of 40 validation images, the wrong ones always the first men."""
    result = records.result(BENCHMARK.trials[number], num_right, 80)
    changed = result.metrics | {"validation": metrics(num_right, 40, loss)}
    return replace(result, metrics=changed, refits=())


def best(*trials, prefer="accuracy", latencies=LATENCIES, **limits):
    """The selection among these trials."""
    rules = Selecting(**limits, prefer=prefer)
    return selection.best(trials, latencies, rules, IS_MALE["validation"])


def test_trials_are_tested_against_the_most_accurate_one_on_the_same_images():
    """5, 6 and 11 images fewer, none more: p = 2 / 2^5, 2 / 2^6, 2 / 2^11; Holm: times 1, 2, 3."""
    found = best(trial(0, 31), trial(1, 36), trial(2, 30), trial(3, 25)).choices
    expected = [(FIRST, 5, 0, 0.0625, 0.0625), (SMALL, 6, 0, 0.03125, 0.0625)]
    expected += [(OTHER, 11, 0, 2**-10, 3 * 2**-10)]
    assert expected == [tuple(vars(row).values()) for row in found.tests]
    assert (SECOND, FIRST, SMALL) == found.equal


@pytest.mark.parametrize(
    ("prefer", "ranking"),
    [
        ("accuracy", (SECOND, FIRST, SMALL, OTHER)),
        ("loss", (FIRST, SMALL, SECOND, OTHER)),
        ("latency", (SMALL, SECOND, FIRST, OTHER)),
        ("size", (SECOND, FIRST, SMALL, OTHER)),
    ],
)
def test_the_preference_decides_among_trials_that_are_not_significantly_worse(prefer, ranking):
    """The last trial has the lowest loss and latency, but is significantly worse on validation."""
    trials = (trial(0, 31, loss=0.3), trial(1, 36, loss=0.5), trial(2, 31, 0.4), trial(3, 25, 0.1))
    found = best(*trials, prefer=prefer)
    assert (ranking[0], ranking) == (found.trial_id, found.ranking)
    expected = {"accuracy": SECOND, "loss": FIRST, "latency": SMALL, "size": SECOND}
    assert (prefer, expected) == (found.choices.prefer, found.choices.by_preference)


def test_the_default_ranks_by_accuracy_whatever_the_tests_say():
    """Ahead over the seeds but significantly worse with its own: second, not behind the third."""
    again = results_records.RefitResult(
        Refit("seed", 1025, "random", 1024, 1.0), trial(0, 40).metrics
    )
    behind = replace(trial(0, 28), refits=(again,))
    first, third = (
        replace(row, refits=(replace(again, metrics=trial(1, 35).metrics),))
        for row in (trial(1, 36), trial(2, 32))
    )
    found = best(behind, first, third)
    assert (SECOND, FIRST, SMALL) == found.ranking
    assert (SECOND, SMALL) == found.choices.equal
    assert (SECOND, SMALL, FIRST) == best(behind, first, third, prefer="size").ranking


def test_the_loss_is_the_mean_over_the_seeds():
    """0.2 and 0.6 are more than 0.3 and 0.3; the trial's own loss is lower."""

    def again(result, loss):
        other = replace(result, metrics=trial(0, 36, loss).metrics)
        row = results_records.RefitResult(Refit("seed", 1025, "random", 1024, 1.0), other.metrics)
        return replace(result, refits=(row,))

    rows = again(trial(0, 36, 0.2), 0.6), again(trial(1, 36, 0.3), 0.3)
    assert SECOND == best(*rows, prefer="loss").trial_id


def test_a_preference_chooses_within_the_limits_or_among_all_if_there_is_no_other():
    """The fastest trial is larger than 15 MB; nothing is smaller than 1 MB."""
    trials = (trial(0, 36), trial(1, 35), trial(2, 35))
    within = best(*trials, prefer="latency", max_size_mb=15.0)
    assert (FIRST, (FIRST, SECOND)) == (within.trial_id, within.choices.equal)
    assert (FIRST, SECOND, SMALL) == within.ranking
    beyond = best(*trials, prefer="latency", max_size_mb=1.0)
    assert (SMALL, 3, 3) == (beyond.trial_id, len(beyond.beyond), len(beyond.choices.equal))


def test_a_model_that_was_not_timed_is_the_last_choice():
    """It has neither a latency nor a size. Without limits it can still be selected."""
    trials, timed = (trial(0, 36), trial(2, 35)), {MOBILENET.id: LATENCIES[MOBILENET.id]}
    for prefer in ("latency", "size"):
        found = best(*trials, prefer=prefer, latencies=timed)
        assert ((SMALL, FIRST), {}) == (found.ranking, found.beyond)
    assert FIRST == best(*trials, prefer="size", latencies={}).trial_id


def test_no_preference_uses_test_images():
    """The same choices with other test results."""
    trials = [trial(0, 31, 0.3), trial(1, 36), trial(2, 30)]
    other = [
        replace(
            row,
            metrics=row.metrics | {"test": metrics(50, 100, 9.0)},
            test_logits=dict.fromkeys(row.test_logits, -1.0),
        )
        for row in trials
    ]
    for prefer in ("accuracy", "loss", "latency", "size"):
        assert best(*trials, prefer=prefer) == best(*other, prefer=prefer)


def test_a_single_trial_has_nothing_to_be_tested_against():
    """Every preference selects it."""
    found = best(trial(0, 36), prefer="loss")
    assert ((), {FIRST}) == (found.choices.tests, set(found.choices.by_preference.values()))


def test_validation_logits_of_other_images_are_refused(tmp_path):
    """Compared with other images, the tests would mean nothing."""
    run = records.run(tmp_path / "runs" / "r")
    first, *others = run.trials
    renamed = {f"x{name}": value for name, value in first.validation_logits.items()}
    records.write(replace(run, trials=(replace(first, validation_logits=renamed), *others)))
    with pytest.raises(InputError, match=r"iteration-1\.json: logits of other images than the val"):
        selection.select(run.directory)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prefer": "loss"}, "the selected trial is not that of the preference"),
        ({"by_preference": {"accuracy": SECOND}}, "not one choice for each preference"),
        ({"tests": ()}, "a choice that is not among the trials to choose from"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(tmp_path, change, reason):
    """Choices that are not those of the tests or of the preference."""
    found = best(trial(0, 31, 0.3), trial(1, 36))
    serialization.write(tmp_path / "selection.json", found)
    kind = results_records.Selection
    assert found == serialization.read(tmp_path / "selection.json", kind)
    document = json.loads((tmp_path / "selection.json").read_text())
    document["choices"] |= change
    with pytest.raises(ValidationError, match=reason):
        serialization.parse(json.dumps(document).encode(), kind)


def test_limits_apply_to_the_fastest_engine_that_times_every_feature_set():
    """VGG16 takes 50 ms in TensorFlow and 12 ms in LiteRT, MobileNetV2 10 ms and 11 ms."""
    seconds = {VGG16: (0.05, 0.012), MOBILENET: (0.01, 0.011)}
    engines = {
        row.id: records.engine_latency(
            row, *map(records.engine_timing, ("tensorflow", "litert"), pair)
        )
        for row, pair in seconds.items()
    }
    trials, is_male = (trial(0, 36), trial(2, 35)), IS_MALE["validation"]

    def beyond(max_latency_ms, measured=engines):
        rules = Selecting(max_latency_ms, prefer="latency")
        return selection.best(trials, LATENCIES, rules, is_male, measured)

    assert {FIRST: "p50 12.0 ms in LiteRT float32"} == beyond(11.5).beyond
    assert {} == beyond(20.0).beyond
    assert {FIRST: "p50 50.0 ms in TensorFlow float32"} == beyond(20.0, {}).beyond
    fast = engines | {
        VGG16.id: records.engine_latency(VGG16, records.engine_timing("litert", 0.001))
    }
    assert FIRST == beyond(20.0, fast).trial_id
