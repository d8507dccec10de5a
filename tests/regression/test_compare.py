"""Comparison of two runs: changes and significant differences."""

from dataclasses import replace

import numpy as np
import pytest
import records
from test_history import epochs, recorded, versions, written

from gfr.evaluation import metrics as evaluation_metrics
from gfr.regression import compare, history

LABELS = {f"{i}.jpg": (f"sha{i}", True) for i in range(1000)}


def answered(run, num_right):
    """The run with only its first trial, which gets `num_right` of 1,000 men right."""
    logits = {name: 2.0 if i < num_right else -2.0 for i, name in enumerate(LABELS)}
    found = evaluation_metrics.metrics(
        np.array(list(logits.values())), np.ones(len(logits), dtype=bool)
    )
    metrics = run.trials[0].metrics | {"test": found}
    first = replace(run.trials[0], test_logits=logits, metrics=metrics)
    return replace(run, trials=(first,))


@pytest.mark.parametrize(
    ("num_shared", "is_significant", "labels"),
    [
        (1000, True, LABELS),
        (995, False, LABELS | {f"{i}.jpg": ("other pixels", True) for i in range(890, 895)}),
    ],
)
def test_two_runs_are_compared_on_common_test_images(num_shared, is_significant, labels):
    """900 and 890 right: 10 to 0 is p = 0.002; without five of them 5 to 0, p = 0.06."""
    run = records.run()
    found = compare.compare(answered(run, 900), answered(run, 890), LABELS, labels)
    (pair,) = found.trials
    assert (num_shared, is_significant) == (pair.num_shared, pair.p_value <= compare.ALPHA)
    assert 2 / 2**pair.only_first == pytest.approx(pair.p_value)


def test_changes_are_listed(tmp_path):
    """Epochs and a package; latencies of another machine are not compared."""
    first, second = written(tmp_path, 1), written(tmp_path, 2, factor=1.3)
    other = versions(epochs(second), pillow="12")
    other = recorded(other, hardware=replace(records.HARDWARE, cpu_model="B"))
    labels = {name: ("", True) for name in first.trials[0].test_probabilities}
    text = compare.text(compare.compare(first, other, labels, labels))
    assert "benchmark.iteration.1.epochs: 3 -> 4" in text
    assert "pillow: none -> 12" in text
    assert "VGG16 / iteration 1: same results (n = 100)" in text
    assert "minimum 50.0 -> 65.0 ms: not compared (another machine" in text
    same = compare.compare(first, second, labels, labels)
    assert ["slower"] * 2 == [row.verdict for row in same.latencies]
    assert "p10 50.0 -> 65.0 ms (1.30 times), minimum 50.0 -> 65.0 ms (1.30" in compare.text(same)
    back = compare.compare(second, first, labels, labels)
    assert {"faster"} == {row.verdict for row in back.latencies}


def test_a_few_calls_of_one_process_are_inconclusive(tmp_path):
    """Processes differ in speed, so 99 calls of one are not enough."""
    first, second = (
        history.entry(written(tmp_path, number, factor=factor)).latencies[0].measured
        for number, factor in ((1, 1.0), (2, 1.3))
    )
    few = replace(second, num_calls=99)
    assert ("slower", "inconclusive") == tuple(
        compare._latency_verdict(first, row, True)[0] for row in (second, few)
    )
    assert "inconclusive" == compare._latency_verdict(few, first, True)[0]


def test_latencies_under_load_have_no_ratio(tmp_path):
    """They are not compared."""
    run = written(tmp_path, 1, others_share=0.5)
    labels = {name: ("", True) for name in run.trials[0].test_probabilities}
    text = compare.text(compare.compare(run, run, labels, labels))
    reason = "other processes took 50% of the machine during one of them"
    assert f"minimum 50.0 -> 50.0 ms: not compared ({reason})" in text
    assert "0.00 times" not in text
