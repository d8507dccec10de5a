"""The page: what stands on it, in which order, and that it says what the records say."""

from dataclasses import replace
from pathlib import Path

import pytest

from gfr import figures, published, report, results, runs, spec
from gfr.dataset import DataRecord, SplitRecord
from gfr.evaluate import History, Metrics
from gfr.hardware import Hardware
from gfr.latency import Samples
from gfr.metering import Cost
from gfr.provenance import Provenance
from gfr.shards import Extracted
from gfr.stats import wilson
from gfr.weights import Weights

COST = Cost(1.0, 2.0, 3_000_000)
BENCHMARK = spec.load(runs.benchmark_file("smoke"))
SPLIT = SplitRecord(
    num_female={"train": 66, "validation": 22, "test": 60},
    num_male={"train": 54, "validation": 18, "test": 40},
    duplicates_across=(),
    identities_in_train_and_test=None,
    test_images_of_shared_identities=None,
)
DATA = DataRecord(
    **{"source": "synthetic", "directory": "cache", "image_dir": "cache/images"},
    **{"num_listed": 200, "num_asked": 200, "num_used": 200, "num_unlisted": 0, "dropped": {}},
    **{"converted": {}, "num_other_size": 0, "has_identity": False, "has_partition": False},
    **{"num_male": 90, "names_digest": "n", "digest": "d", "pixels_digest": "p"},
)


def metrics(num_right, num_images, loss=0.5):
    """So many right answers, all errors on men."""
    wrong = num_images - num_right
    return Metrics(num_images, loss, num_right / num_images, 10, wrong, 0, num_right - 10)


def result(trial, validation, test, note=""):
    """A trial with so many right of 40 validation and 100 test images."""
    source = "random" if note else "imagenet"
    weights = Weights(trial.backbone.label, source, "w.h5", "0" * 64, note, "why")
    extracted = Extracted("cache/features", "k", 200, 8, 200, 0)
    epochs = trial.iteration.epochs
    return results.TrialResult(
        schema=1,
        run_id="r",
        trial=trial,
        data_digest="d",
        features=results.FeatureResult(1, trial.feature_set, weights, extracted, 1.0, COST),
        history=History(*(((0.5,) * epochs,) * 4)),
        metrics={
            "train": metrics(100, 120),
            "validation": metrics(validation, 40),
            "test": metrics(test, 100),
        },
        train_cost=COST,
        evaluate_cost=COST,
        provenance=Provenance("commit", False, "lock", "3.11", "Linux", {"gfr": "0.1.0"}),
        hardware=Hardware("x86_64", "CPU", 2, 2, (), 0.1, 8, 4, (), "none (NVML: absent)"),
        test_probabilities={},
    )


def latency(feature_set, p50_s, others_share=0.0, num_parameters=1_000_000):
    """A hundred equal calls."""
    single = Samples((9.0,), (p50_s,) * 100, 1.0, 1.0, others_share)
    batches = Samples((), (p50_s,) * 2, 1.0, 1.0, 0.0)
    return results.LatencyResult(
        *(1, feature_set, "t", num_parameters, 1.0, 1.0, single, 64, batches, 0.1, 100, 0.0, COST)
    )


@pytest.fixture
def run():
    """Four trials; VGG16 / iteration 2 has the best validation, iteration 1 the best test."""
    trials = [
        result(trial, validation, test, note)
        for trial, validation, test, note in zip(
            BENCHMARK.trials,
            (30, 36, 25, 24),
            (90, 88, 70, 62),
            ("", "", *["random weights: not comparable"] * 2),
            strict=True,
        )
    ]
    vgg16, mobilenet = BENCHMARK.feature_sets
    record = results.RunRecord(
        schema=1,
        run_id="r",
        created_utc="2026-11-23T00:00:00.000+00:00",
        command="gfr run smoke",
        data_request="synthetic",
        weights_request="auto",
        benchmark=BENCHMARK,
        data=DATA,
        split=SPLIT,
        weights=(trials[0].features.weights, trials[2].features.weights),
        cache="cache",
        fresh=False,
        provenance=trials[0].provenance,
        hardware=trials[0].hardware,
        cost=COST,
    )
    latencies = {
        vgg16.id: latency(vgg16, 0.05, num_parameters=14_700_000),
        mobilenet.id: latency(mobilenet, 0.01),
    }
    selection = results.best(tuple(trials), latencies)
    return results.Run(Path("reports/runs/r"), record, tuple(trials), (), latencies, selection)


def page(run, known=None):
    """The page as text."""
    return report.render(run, known, "figures")


def test_the_verdict_comes_first_and_says_what_the_numbers_rest_on(run):
    """Run, selected model with interval and latency, synthetic data, random weights."""
    head = page(run).split("## Comparison")[0]
    assert head.startswith("# gfr: smoke, run r\n\n**VGG16 / iteration 2** is selected: ")
    assert "test accuracy 88.0 % [80.2, 93.0] (n = 100), p50 50.0 ms" in head
    assert "SYNTHETIC faces" in head
    assert "MobileNetV2: **random weights: not comparable**" in head


def test_sections_come_in_the_promised_order(run):
    """Comparison, selection, hardware, dataset, parameters, each trial, reproduce."""
    titles = [line[3:] for line in page(run).splitlines() if line.startswith("## ")]
    expected = ["Comparison", "Selection", "Hardware specifications", "Dataset", "Parameters"]
    expected += [trial.title for trial in BENCHMARK.trials]
    assert [*expected, "Reproduce"] == titles


def test_the_best_of_each_column_is_marked(run):
    """Highest accuracy, lowest time; the majority class stands last and competes in nothing."""
    table = [line for line in page(run).splitlines() if line.startswith("|")]
    assert "**0.900**" in table[3]
    assert "**10.0**" in table[6]
    assert "14.7" in table[3]
    assert table[8].startswith("| Majority class") and " 0.600 " in table[8]


def test_a_trial_not_better_than_the_majority_is_said_to_be_so(run):
    """62 of 100 against a majority share of 60: its interval reaches below."""
    assert "**Not better than the majority class** (95 % interval): MobileNetV2" in page(run)


def test_the_selection_says_where_the_published_rule_differs(run):
    """Chosen on validation; the highest test accuracy is another trial's."""
    text = page(run).split("## Selection")[1].split("## Hardware")[0]
    assert "would choose VGG16 / iteration 1 (0.900 against 0.880): the two rules disagree" in text
    assert "6 of 40 validation images ahead; both run on the same backbone" in text


def test_what_it_costs_is_told_against_another_backbone(run):
    """Five times the latency and 14.7 times the space of the next best."""
    others = tuple(row for row in run.trials if row.trial.id != "VGG16-iteration-1")
    fewer = replace(run, trials=others, selection=results.best(others, run.latencies))
    assert "it takes 5.00 times as long an image and 14.70 times the space" in page(fewer)


def test_failed_and_contended_rows_are_said_at_the_top_and_in_the_table(run):
    """Nothing that went wrong hides in a footnote."""
    failed = results.Failure(1, run.trials[3].trial, "killed for memory")
    vgg16 = BENCHMARK.feature_sets[0]
    spoilt = replace(
        run,
        trials=run.trials[:3],
        failures=(failed,),
        latencies=run.latencies | {vgg16.id: latency(vgg16, 0.05, others_share=0.4)},
    )
    head, body = page(spoilt).split("## Comparison")
    assert "**Failed**: MobileNetV2 / iteration 2: killed for memory" in head
    assert "**Contended**: other processes took 40% of the machine while VGG16 at 64x64" in head
    assert "- Iteration 2: failed" in body


def test_published_numbers_stand_beside_ours_only_for_the_same_images(run):
    """Decided by the digest of the image names."""
    known = published.load(runs.ROOT / "benchmarks" / "published.toml")
    assert "Beside the published" not in page(run, known)
    same = replace(DATA, source="celeba", names_digest=known.names_sha256)
    text = page(replace(run, record=replace(run.record, data=same)), known)
    assert "Beside the published" in text
    assert "published, other hardware (RTX 3050)" in text


def test_a_run_without_any_result_still_has_a_page(run):
    """All trials failed: a page that says so."""
    failures = tuple(results.Failure(1, row.trial, "no memory") for row in run.trials)
    empty = replace(run, trials=(), failures=failures, latencies={}, selection=None)
    assert "**No model is selected**" in page(empty)


def test_the_selection_never_looks_at_the_test_set(run):
    """Ties on validation accuracy go to the lower validation loss, then to the lower latency."""
    first, second, third, fourth = run.trials
    level = replace(first, metrics=first.metrics | {"validation": metrics(36, 40, loss=0.4)})
    assert first.trial.id == results.best((level, second), run.latencies).trial_id
    tied = replace(third, metrics=third.metrics | {"validation": metrics(36, 40)})
    assert third.trial.id == results.best((second, tied, fourth), run.latencies).trial_id


def test_the_wilson_interval_is_newcombes(run):
    """Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20."""
    assert (0.2553, 0.3662) == tuple(round(x, 4) for x in wilson(81, 263))
    assert (0.0624, 0.1605) == tuple(round(x, 4) for x in wilson(15, 148))
    assert (0.0, 0.1611) == tuple(round(x, 4) for x in wilson(0, 20))


def test_figures_are_drawn_from_the_records(run):
    """Both curves reach the last epoch; the four counts stand in the matrix."""
    curves = figures.learning_curves(run.trials[1])
    assert 6 == curves.axes[0].lines[0].get_xdata()[-1]
    matrix = figures.confusion_matrix(run.trials[0])
    assert {"80\n100.0%", "0\n0.0%", "10\n50.0%"} == {
        text.get_text() for text in matrix.axes[0].texts
    }
    assert figures.accuracy_against_latency(run).axes
