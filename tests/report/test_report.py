"""The page: what stands on it, in which order, and that it says what the records say."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import records
from html_page import report_of, summary_md
from records import BENCHMARK, DATA, IS_MALE, latency, metrics

from gfr.config.schema import Refit, Selecting
from gfr.evaluation.statistics import mcnemar, wilson
from gfr.models import precision
from gfr.pipeline import selection
from gfr.report import published, summary_json
from gfr.report.sections import comparison
from gfr.results import costs, store
from gfr.results import records as results_records
from gfr.storage import paths


@pytest.fixture
def run():
    """Four trials; VGG16 / iteration 2 has the best validation, iteration 1 the best test."""
    return records.run()


def test_the_verdict_comes_first_and_says_what_the_numbers_rest_on(run):
    """Run, selected model with interval and latency, synthetic data, random weights."""
    head = summary_md(run).split("## Comparison")[0]
    assert head.startswith(
        "# gfr report: benchmark smoke, run r\n\n## Summary\n\n"
        "**VGG16 / iteration 2** is selected: "
    )
    assert "test accuracy 88.0% [80.2, 93.0] (n = 100), p50 latency 50.0 ms" in head
    assert "synthetic faces, 2% of labels flipped, 260 images (112 male, 148 female) from" in head
    assert "- **MobileNetV2: random weights (not comparable)**" in head


def test_a_contended_latency_is_told_so_where_it_is_quoted(run):
    """In the first sentence and in the figure, not in the table alone."""
    key = run.result_of(None).trial.feature_set.id
    busy = run.latencies | {key: latency(run.latencies[key].feature_set, 0.05, others_share=0.5)}
    contended = replace(run, latencies=busy)
    assert [False, True] == [
        "100 calls, CPU, **contended**)" in summary_md(row).split("## Comparison")[0]
        for row in (run, contended)
    ]
    legend = [entry.name for entry in comparison.scatter(contended).legend]
    assert "‖: contended latency" in legend


def test_sections_come_in_the_promised_order(run):
    """What was compared and chosen, what errors there are, then machine, data, each trial."""
    titles = [line[3:] for line in summary_md(run).splitlines() if line.startswith("## ")]
    expected = [
        "Summary",
        "Comparison",
        "Significance against the selected model",
        "Selection",
        "Error analysis",
        "Subgroups",
        "Seeds and splits",
        "Learning curves",
        "Examples",
        "Latency",
        "Deployment",
        "Hardware",
        "Dataset",
        "Parameters",
        "Trial details",
        "Energy",
        "Reproduce",
    ]
    assert expected == titles


def test_the_best_of_each_column_is_marked(run):
    """Highest accuracy, lowest time; the majority class stands last and competes in nothing."""
    table = [line for line in summary_md(run).splitlines() if line.startswith("|")]
    assert "**0.900**" in table[2]
    assert "**10.0**" in table[4]
    assert "14.7" in table[2]
    assert table[6].startswith("| Majority class") and " 0.600 " in table[6]


def test_a_trial_not_better_than_the_majority_is_said_to_be_so(run):
    """62 of 100 against a majority share of 60: its interval reaches below."""
    assert (
        "**Not significantly better than the majority class** (95% interval): MobileNetV2"
        in summary_md(run)
    )
    ranking = run.selection.ranking[::-1]
    weak = replace(run, selection=results_records.Selection(3, ranking[0], ranking, {}))
    said = "**Not significantly better than the majority class** (60.0%)"
    assert (False, True) == tuple(
        said in summary_md(row).split("## Comparison")[0] for row in (run, weak)
    )


def test_the_selection_says_where_the_published_rule_differs(run):
    """Chosen on validation; the highest test accuracy is another trial's."""
    text = summary_md(run).split("## Selection")[1].split("## Hardware")[0]
    assert (
        "would select VGG16 / iteration 1 (0.900 against 0.880), so the two rules disagree" in text
    )
    assert "VGG16 / iteration 2 classifies 6 of 40 validation images more correctly." in text
    assert "Both have the same backbone and image size" in text


@pytest.mark.parametrize(
    ("losses", "slower", "reason"),
    [
        ((0.4, 0.5), "MobileNetV2", "for its lower validation loss"),
        ((0.5, 0.5), "MobileNetV2", "for its lower latency"),
        ((0.5, 0.5), "VGG16", "because its name comes first"),
    ],
)
def test_a_tie_on_validation_accuracy_says_what_broke_it(run, losses, slower, reason):
    """Two trials at 36 of 40: the loss decides, then the latency, then the name."""
    first = run.trials[0]
    second = next(row for row in run.trials[1:] if row.trial.backbone.label == slower)
    tied = tuple(
        replace(row, metrics=row.metrics | {"validation": metrics(36, 40, loss)}, refits=())
        for row, loss in zip((first, second), losses, strict=True)
    )
    slow = latency(second.trial.feature_set, 0.5)
    latencies = run.latencies | ({slow.feature_set.id: slow} if slower != "VGG16" else {})
    chosen = selection.best(tied, latencies, Selecting(), IS_MALE["validation"])
    text = summary_md(replace(run, trials=tied, latencies=latencies, selection=chosen))
    assert f"**VGG16 / iteration 1** ties with {second.trial.title}" in text
    assert f"validation accuracy among the 2 trials and is selected {reason}." in text
    assert "ties with" not in summary_md(run)


def test_what_it_costs_is_told_against_another_backbone(run):
    """Five times the latency and 14.7 times the space of the next best."""
    others = tuple(row for row in run.trials if row.trial.id != "VGG16-iteration-1")
    chosen = selection.best(others, run.latencies, Selecting(), IS_MALE["validation"])
    fewer = replace(run, trials=others, selection=chosen)
    assert "has 5.00 times the latency and 14.70 times the size" in summary_md(fewer)


def test_failed_and_contended_rows_are_said_at_the_top_and_in_the_table(run):
    """Nothing that went wrong hides in a footnote."""
    failed = results_records.Failure(1, run.trials[3].trial, "killed for memory")
    vgg16 = BENCHMARK.feature_sets[0]
    spoilt = replace(
        run,
        trials=run.trials[:3],
        failures=(failed,),
        latencies=run.latencies | {vgg16.id: latency(vgg16, 0.05, others_share=0.4)},
    )
    head, body = summary_md(spoilt).split("## Comparison")
    assert "- **Failed: MobileNetV2 / iteration 2: killed for memory**" in head
    assert "- **Background load: other processes used up to 40% of the CPU while VGG16" in head
    assert "MobileNetV2 / iteration 2 †: failed" in body


def test_published_numbers_stand_beside_ours_only_for_the_same_images(run):
    """Decided by the digest of the image names."""
    known = published.load(paths.ROOT / "benchmarks" / "published.toml")
    assert published.matching(DATA) is None
    assert "## Published results" not in summary_md(run)
    same = replace(DATA, source="celeba", names_digest=known.names_sha256)
    assert known == published.matching(same)
    text = summary_md(replace(run, record=replace(run.record, data=same)), published=known)
    assert "## Published results" in text
    assert "Published, other hardware (RTX 3050)" in text


def test_a_run_without_any_result_still_has_a_page(run):
    """All trials failed: a page that says so."""
    failures = tuple(results_records.Failure(1, row.trial, "no memory") for row in run.trials)
    empty = replace(run, trials=(), failures=failures, latencies={}, selection=None)
    assert "**No model is selected**" in summary_md(empty)


def test_the_selection_never_looks_at_the_test_set(run):
    """Ties on validation accuracy go to the lower validation loss, then to the lower latency."""
    first, second, third, fourth = run.trials

    def selected(*trials):
        return selection.best(trials, run.latencies, Selecting(), IS_MALE["validation"]).trial_id

    level = replace(first, metrics=first.metrics | {"validation": metrics(36, 40, loss=0.4)})
    assert first.trial.id == selected(level, second)
    tied = replace(third, metrics=third.metrics | {"validation": metrics(36, 40)})
    assert third.trial.id == selected(second, tied, fourth)


def test_the_selection_is_by_the_mean_over_seeds(run):
    """One image behind with its own seed, three ahead with two others: selected."""
    ahead, behind = run.trials[1], run.trials[0]
    others = [
        results_records.RefitResult(
            Refit("seed", seed, "random", 1024, 1.0),
            behind.metrics | {"validation": metrics(38, 40)},
        )
        for seed in (1025, 1026)
    ]
    level = behind.metrics | {"validation": metrics(35, 40)}
    behind = replace(behind, metrics=level, refits=tuple(others))
    again = tuple(replace(row, metrics=ahead.metrics) for row in others)
    ahead = replace(ahead, refits=again)
    rows = (ahead, behind)
    chosen = selection.best(rows, run.latencies, Selecting(), IS_MALE["validation"])
    assert behind.trial.id == chosen.trial_id


def test_a_limit_on_latency_or_size_outranks_accuracy(run):
    """VGG16 takes 50 ms and 59 MB, MobileNetV2 10 ms and 4 MB; below all of them the best stays."""
    best = {
        limits: selection.best(run.trials, run.latencies, limits, IS_MALE["validation"])
        for limits in (Selecting(20.0), Selecting(None, 10.0), Selecting(1.0))
    }
    small, light, none = best.values()
    assert "MobileNetV2-iteration-1" == small.trial_id == light.trial_id
    assert "p50 50.0 ms in TensorFlow float32" == small.beyond["VGG16-iteration-2"]
    assert "59 MB in TensorFlow float32" == light.beyond["VGG16-iteration-2"]
    assert ("VGG16-iteration-2", 4) == (none.trial_id, len(none.beyond))
    text = summary_md(replace(run, selection=none))
    expected = "the selected model has p50 50.0 ms in TensorFlow float32**"
    assert f"the limits of the benchmark; {expected}" in text


def test_mcnemar_is_the_exact_binomial_test():
    """By hand: 1 against 5 discordant pairs is 2 (1 + 6) / 64; none at all says nothing."""
    assert 14 / 64 == pytest.approx(mcnemar(1, 5))
    assert 14 / 64 == pytest.approx(mcnemar(5, 1))
    assert mcnemar(3, 3) == mcnemar(0, 0) == 1


def test_the_wilson_interval_is_newcombes(run):
    """Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20."""
    assert (0.2553, 0.3662) == tuple(round(x, 4) for x in wilson(81, 263))
    assert (0.0624, 0.1605) == tuple(round(x, 4) for x in wilson(15, 148))
    assert (0.0, 0.1611) == tuple(round(x, 4) for x in wilson(0, 20))


def test_the_facts_are_those_of_the_page(run):
    """summary.json: selection, rules, intervals, baseline, and it survives JSON."""
    found = json.loads(json.dumps(summary_json.summary(report_of(run))))
    first, second = found["trials"][:2]
    assert ("VGG16-iteration-2", False) == (found["selected"], found["selection"]["rules_agree"])
    assert ["VGG16-iteration-1"] == found["selection"]["published_rule_chooses"]
    assert 6 == found["selection"]["next"]["images_ahead"]
    assert [0.802, 0.93] == [round(x, 3) for x in second["metrics"]["test"]["accuracy_95"]]
    assert (50.0, 58_800_000) == (first["latency"]["p50_ms"], first["latency"]["size_bytes"])
    assert [True, True, True, False] == [row["better_than_majority"] for row in found["trials"]]
    assert 0.6 == found["majority_class"]["test"]["accuracy"]


def test_what_refits_cost_stands_among_the_stages(run):
    """Behind the head of their trial; no row for a trial without any."""
    cost = replace(run.trials[0].refit_cost, wall_s=77.0)
    trials = (replace(run.trials[0], refit_cost=cost), replace(run.trials[1], refits=()))
    found = costs.stages(replace(run, trials=trials, latencies={}))
    assert [
        ("Head: VGG16 / iteration 1", "3 epochs"),
        ("Refits: VGG16 / iteration 1", f"{len(trials[0].refits)} heads"),
        ("Head: VGG16 / iteration 2", "6 epochs"),
    ] == [(row.name, row.did) for row in found[-3:]]
    assert 77.0 == found[-2].cost.wall_s


def test_the_report_renders_again_without_tensorflow(tmp_path):
    """Every figure, the page and the facts, without TensorFlow; PNG figures of old are removed."""
    written = records.run(tmp_path / "runs" / "r")
    records.write(written)
    (written.directory / "figures").mkdir()
    (written.directory / "figures" / "trend.png").write_bytes(b"of an earlier version")
    program = (
        "import sys; from cli.main import app\n"
        f"app(['report', 'r', '--reports', {str(tmp_path)!r}], standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras', 'prefect'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=paths.ROOT, check=True)
    assert 3 == len(list((written.directory / "figures").iterdir()))
    page = (written.directory / "summary.md").read_text()
    for path in (written.directory / "figures").iterdir():
        assert f"figures/{path.name}" in page
    assert "r" == json.loads((written.directory / "summary.json").read_text())["run_id"]


def test_a_selection_without_its_trial_is_out_of_date(tmp_path):
    """A trial's record was removed: the page says that nothing is selected, and nothing else."""
    written = records.run(tmp_path / "runs" / "r")
    records.write(written)
    (written.directory / "trials" / "VGG16-iteration-2.json").unlink()
    found = store.read_run(written.directory)
    assert (None, 3) == (found.selection, len(found.trials))
    assert "**No model is selected**" in summary_md(found)


def test_bfloat16_features_say_what_they_rest_on(run):
    """A gate that was not run stands beside the backbone; the check and the reason below."""
    assert "‡" not in summary_md(run)
    choices = tuple(
        replace(row, precision="bfloat16", why="as requested") for row in run.record.choices
    )
    check = precision.Check(64, 0.004)
    trials = []
    for row in run.trials:
        (part,) = row.features.parts
        part = replace(part, check=check)
        features = replace(row.features, precision="bfloat16", parts=(part,))
        trials.append(replace(row, features=features))
    text = summary_md(
        replace(run, record=replace(run.record, choices=choices), trials=tuple(trials))
    )
    assert "| VGG16 / iteration 1 ‡" in text
    assert "‡ bfloat16 features, accuracy gate not run for these weights." in text
    assert "bfloat16 (as requested); on 64 images the features differ from float32 by 0.40%" in text


def test_latency_is_told_with_intervals_and_both_precisions(run):
    """A second column and a second row where bfloat16 was timed too."""
    assert "p50 latency, bfloat16 (ms)" not in summary_md(run)
    first = next(iter(run.latencies))
    slow = run.latencies[first]
    single = replace(slow.float32.single, values_s=tuple(i / 1000 for i in range(1, 101)))
    fast = replace(slow.float32, precision="bfloat16", single=single)
    timed = run.latencies | {first: replace(slow, timings=(slow.float32, fast))}
    text = summary_md(replace(run, latencies=timed))
    assert "p50 latency, bfloat16 (ms)" in text
    row = next(line for line in text.splitlines() if "| bfloat16 " in line and "[" in line)
    assert "50.5 [40.0, 61.0]" in row and "[90.0, 100.0]" in row


def test_another_seed_that_learns_nothing_is_named(run):
    """With its own seed above the majority class, with another at 60 of 100, its share."""

    def again(result, test):
        refit = Refit("seed", 1025, "random", 1024, 1.0)
        found = results_records.RefitResult(refit, result.metrics | {"test": test})
        return replace(result, refits=(found, *result.refits))

    first, *others = run.trials
    others = [again(row, row.metrics["test"]) for row in others]
    text = summary_md(replace(run, trials=(again(first, metrics(60, 100)), *others)))
    assert "**No better than the majority class with another seed**: VGG16 / iteration 1." in text
    assert "majority class with another seed" not in summary_md(run)
