"""What the records of a run are said to show, on records whose answers can be counted by hand."""

from dataclasses import replace

import pytest
import records
from html_page import report_of
from records import FACES, SPLITS, metrics

from gfr.config.schema import Refit
from gfr.errors import InputError
from gfr.evaluation.learning_curves import learning
from gfr.evaluation.metrics import History
from gfr.report import analysis
from gfr.report.sections import significance
from gfr.results.records import RefitResult


@pytest.fixture
def run():
    """VGG16 / iteration 2 is selected; right of 100 test images: 90, 88 (it), 70, 62."""
    return records.run()


def test_trials_are_held_against_the_selected_one_on_the_same_images(run):
    """Iteration 1 has two images more: not significant; the two others are, MobileNetV2 faster."""
    found = analysis.analyse(run, FACES, SPLITS)
    assert [
        ("MobileNetV2-iteration-1", 18, 0, True),
        ("MobileNetV2-iteration-2", 26, 0, True),
        ("VGG16-iteration-1", 0, 2, False),
    ] == [
        (row.trial_id, row.only_selected_right, row.only_this_right, row.is_significant)
        for row in found.against
    ]
    assert -0.02 == pytest.approx(found.against[2].difference)
    text = significance.sentence(report_of(run, found))
    expected = "No significant difference on the same test images: "
    assert f"{expected}VGG16 / iteration 1 (2.0 points higher)." == text


def test_logits_of_other_images_are_refused(run):
    """One name changed: the file is named with its cure."""
    first = run.trials[0]
    renamed = {name.replace("000160", "000001"): value for name, value in first.test_logits.items()}
    trials = (replace(first, test_logits=renamed), *run.trials[1:])
    with pytest.raises(InputError, match=r"trials/VGG16-iteration-1\.json: logits of other images"):
        analysis.analyse(replace(run, trials=trials), FACES, SPLITS)


def test_the_front_holds_what_nothing_beats(run):
    """VGG16 / 2 is the most accurate, MobileNetV2 / 1 the fastest; the others are beaten."""
    found = analysis.analyse(run, FACES, SPLITS)
    assert ("MobileNetV2-iteration-1", "VGG16-iteration-2") == found.front


def test_images_that_most_trials_get_wrong_come_worst_first(run):
    """Errors are nested: both trials without random weights miss the first ten men."""
    found = analysis.analyse(run, FACES, SPLITS)
    assert ("VGG16-iteration-1", "VGG16-iteration-2") == found.voters
    assert [2] * 10 == [face.num_wrong for face in found.hard]
    assert all(face.is_male for face in found.hard)
    doubtful = found.studies["VGG16-iteration-2"].doubtful[0]
    assert ("000259.jpg", 0) == (doubtful.name, doubtful.num_wrong)


def test_other_seeds_splits_and_sizes_stand_beside_the_trial(run):
    """Mean, lowest, highest over the seeds, its own among them; few images before all."""
    first = run.trials[0]

    def refit(changed, num_right, seed=1024):
        again = first.metrics | {"test": metrics(num_right, 100)}
        return RefitResult(Refit(changed, seed, "random", 1024, 0.5), again)

    refits = (refit("seed", 84, 1025), refit("split", 80), refit("fraction", 70))
    trials = (replace(first, refits=refits), *run.trials[1:])
    study = analysis.analyse(replace(run, trials=trials), FACES, SPLITS).studies[first.trial.id]
    assert (2, 0.87, 0.84, 0.9) == pytest.approx(
        (study.seeds.num, study.seeds.mean, study.seeds.least, study.seeds.most)
    )
    assert pytest.approx(0.85) == study.splits.mean
    assert [0.7, 0.9] == [found.accuracy for _, found in study.sizes]


def test_a_run_of_nothing_has_nothing_to_say(run):
    """No trial: empty, not an error."""
    none = analysis.analyse(replace(run, trials=(), selection=None), FACES, SPLITS)
    assert ({}, (), ()) == (none.studies, none.against, none.front)


FALLING = tuple(0.5 - 0.01 * k for k in range(20))
SETTLED = tuple(0.3 + 0.2 * 0.5**k for k in range(20))
RISING = tuple(0.3 + 0.01 * abs(k - 9) for k in range(20))
JUMPING = tuple(0.3 + 0.2 * (k % 2) for k in range(20))


@pytest.mark.parametrize(
    ("losses", "train", "said"),
    [
        (RISING, 120, "overfits: validation loss 0.312 near epoch 10, 0.390 at the end (+25%)"),
        (FALLING, 108, "was still improving: validation loss fell by 3.0%"),
        (JUMPING, 120, "has curves too noisy to assess"),
        (SETTLED, 120, "fits training images better, with"),
        (SETTLED, 108, "shows no sign of overfitting"),
    ],
)
def test_over_and_underfitting_follow_from_the_numbers(run, losses, train, said):
    """Validation at 36 of 40; training at 120 of 120 is better than chance allows, at 108 equal."""
    curves = History(losses, losses, losses, losses)
    by_split = run.trials[1].metrics | {"train": metrics(train, 120)}
    assert learning(curves, by_split).words.startswith(said)
