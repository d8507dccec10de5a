"""The lines of a report about `prefer` in `[selection]`: what decided, and what would have."""

import json
from dataclasses import replace

import pytest
import records
from html_page import page, report_of, summary_md
from records import IS_MALE, metrics

from gfr.config.schema import Refit, Selecting
from gfr.pipeline import selection
from gfr.report import console, summary_json
from gfr.results import records as results_records


@pytest.fixture
def run():
    """Four trials; VGG16 / iteration 2 is ahead by 6, 11 and 12 of 40 validation images."""
    return records.run()


def close(run, prefer="accuracy"):
    """The run with VGG16 / iteration 1 five images behind at a lower loss; two seeds."""
    first, second, *others = run.trials
    logits = records.result(first.trial, 31, 90).validation_logits
    near = first.metrics | {"validation": metrics(31, 40, loss=0.25)}
    refits = tuple(row for row in first.refits if row.refit.changed != "seed")

    def with_seed(result, metrics):
        again = results_records.RefitResult(Refit("seed", 1025, "random", 1024, 1.0), metrics)
        return replace(result, metrics=metrics, refits=(again, *refits))

    near = with_seed(replace(first, validation_logits=logits), near)
    trials = (near, with_seed(second, second.metrics), *others)
    rules = Selecting(prefer=prefer)
    chosen = selection.best(trials, run.latencies, rules, IS_MALE["validation"])
    benchmark = replace(run.record.benchmark, selection=rules)
    record = replace(run.record, benchmark=benchmark)
    return replace(run, record=record, trials=trials, selection=chosen)


def test_what_each_preference_selects_is_said_in_one_line_and_at_the_top(run):
    """Accuracy decides here; the reader sees that the loss would select another trial."""
    head, body = summary_md(close(run)).split("## Comparison")
    assert (
        "1 other trial is not significantly worse on validation; as `prefer` in `[selection]`, "
        "`loss` would select VGG16 / iteration 1." in head
    )
    assert (
        "On the same 40 validation images, 1 of the 3 other trials is not significantly worse "
        "than VGG16 / iteration 2 (exact McNemar test of the seed-1024 heads, Holm): VGG16 / "
        "iteration 1. `prefer` in `[selection]` decides among them: accuracy (this run), latency "
        "and size select VGG16 / iteration 2 (loss 0.500, p50 50.0 ms, 59 MB); loss selects VGG16 "
        "/ iteration 1 (5 validation images fewer, loss 0.250, p50 50.0 ms, 59 MB). Images and "
        "losses are means over 2 seeds." in body
    )


def test_a_selection_by_another_quantity_says_so(run):
    """Lower loss, five images fewer: at the top, in the rule, in the terminal and the facts."""
    run = close(run, "loss")
    head, body = summary_md(run).split("## Comparison")
    assert "**VGG16 / iteration 1** is selected" in head
    assert (
        "1 trial is not significantly worse on validation than VGG16 / iteration 2; as `prefer` in "
        "`[selection]`, `accuracy`, `latency` and `size` would select VGG16 / iteration 2."
    ) in head
    assert (
        "**VGG16 / iteration 1** has the lowest validation loss among VGG16 / iteration 2, which "
        "has the highest validation accuracy among the 4 trials, and the trials that are not "
        "significantly worse. With seed 1024: validation accuracy 77.5%" in body
    )
    assert "VGG16 / iteration 1 classifies 5 of 40 validation images fewer correctly" in body
    expected = "* selected by validation loss, among those not significantly worse on validation: "
    assert expected + "VGG16-iteration-1" in console.text(run)
    assert "<code>prefer</code> in <code>[selection]</code>, <code>accuracy</code>" in page(run)
    found = json.loads(json.dumps(summary_json.summary(report_of(run))))["selection"]
    assert found["rule"].startswith("lowest validation loss, mean over the seeds, among the trials")
    choices = found["choices"]
    assert ["VGG16-iteration-2", "VGG16-iteration-1"] == choices["equal"]
    assert [False, True, True] == [row["worse"] for row in choices["tests"]]
    assert ("loss", "VGG16-iteration-2") == (choices["prefer"], choices["by_preference"]["size"])


def test_a_lead_that_is_significant_says_that_no_preference_matters(run):
    """Six images fewer without one more: p = 2 / 2^6, the largest of the three."""
    head, body = summary_md(run).split("## Comparison")
    assert "Every other trial is significantly worse on validation." in head
    assert "all other trials are significantly worse than VGG16 / iteration 2" in body
    assert "so `prefer` in `[selection]` makes no difference." in body
