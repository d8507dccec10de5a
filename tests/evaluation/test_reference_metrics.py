"""What the output of a classifier means, its metrics with misses, and signs that it is misused."""

import numpy as np
import pytest

from gfr.errors import InputError
from gfr.evaluation import references

IS_MALE = np.array([True, True, False, False, False])


@pytest.mark.parametrize(
    ("output", "male_index", "raw", "p_male"),
    [
        ("male", 1, [[0.25]], 0.25),
        ("male", 1, [0.25], 0.25),
        ("female", 1, [[0.25]], 0.75),
        ("logit-male", 1, [[np.log(3)]], 0.75),
        ("logit-female", 1, [[np.log(3)]], 0.25),
        ("probabilities", 1, [[0.25, 0.75]], 0.75),
        ("probabilities", 0, [[0.25, 0.75]], 0.25),
        ("logits", 0, [[np.log(3), 0.0]], 0.75),
        ("logits", 1, [[[[np.log(3), 0.0]]]], 0.25),
        ("male", 1, [[1 + 1e-6]], 1.0),  # rounding
    ],
)
def test_each_output_is_a_probability_of_male(output, male_index, raw, p_male):
    """float64 (N,), whatever the network gives."""
    found = references.interpret(np.array(raw, np.float32), output, male_index)
    assert (1,) == found.shape and np.float64 == found.dtype
    assert p_male == pytest.approx(found[0], abs=1e-6)


@pytest.mark.parametrize(
    ("output", "raw", "message"),
    [
        ("male", [[3.2]], 'its output is not a probability: 3.2; is it "logit-male"?'),
        ("female", [[-1.0]], 'is it "logit-female"?'),
        ("probabilities", [[-4.0, 3.0]], 'is it "logits"?'),
        ("probabilities", [[0.2, 0.2]], 'their sum is 0.4; are they "logits"?'),
        ("male", [[0.1, 0.9]], 'has 2 values per image, but with p_male = "male" 1 is expected'),
        ("logits", [[0.1]], 'has 1 value per image, but with p_male = "logits" 2 are expected'),
        ("male", [[0.1] * 1000], "has 1000 values per image"),
        ("logit-male", [[np.nan]], "not finite"),
    ],
)
def test_an_output_that_is_something_else_is_refused(output, raw, message):
    """With what it might be."""
    with pytest.raises(InputError) as caught:
        references.interpret(np.array(raw, np.float32), output)
    assert message in str(caught.value)


def test_a_miss_is_wrong_and_is_left_out_of_the_loss():
    """Three of five right, one missing: 0.6 strictly, 0.75 over the four found."""
    p_male = np.array([0.9, np.nan, 0.1, 0.2, 0.6])
    found = references.scores(p_male, IS_MALE, 0.5)
    assert (5, 4, 3, 1) == (found.num_images, found.num_found, found.num_right, found.num_missing)
    assert (0.6, 0.75) == (found.accuracy, found.accuracy_found)
    assert -np.log([0.9, 0.9, 0.8, 0.4]).mean() == pytest.approx(found.loss)
    assert [True, False, True, True, False] == references.is_right(p_male, IS_MALE, 0.5).tolist()


def test_the_threshold_is_the_references_own():
    """An image at the threshold is female."""
    p_male = np.array([0.7, 0.9, 0.6, 0.7, 0.1])
    assert 3 == references.scores(p_male, IS_MALE, 0.5).num_right
    assert 4 == references.scores(p_male, IS_MALE, 0.7).num_right


def test_answers_of_0_and_1_have_no_loss():
    """They are not probabilities; without any answer there is no accuracy over those found."""
    found = references.scores(IS_MALE.astype(float), IS_MALE, 0.5)
    assert (5, None, None) == (found.num_right, found.loss, found.expected_error)
    none = references.scores(np.full(5, np.nan), IS_MALE, 0.5)
    assert (0, None, None) == (none.num_found, none.accuracy_found, none.loss)


@pytest.mark.parametrize(
    ("p_male", "words"),
    [
        ([0.9, 0.9, 0.1, 0.1, 0.1], []),
        ([0.1] * 5, ["100.0% of its answers are female"]),
        ([0.9] * 5, ["100.0% of its answers are male", "inverted", "below the share"]),
        ([0.1, 0.1, 0.9, 0.9, 0.1], ["inverted", "below the share"]),
        ([0.1, 0.1, 0.9, 0.1, 0.1], ["inverted", "below the share"]),
        ([0.1, 0.9, 0.1, 0.1, 0.9], []),
        ([np.nan] * 5, ["no answer"]),
        ([np.nan, np.nan, 0.1, 0.1, 0.1], []),  # all that it found are women
    ],
)
def test_signs_of_a_classifier_that_is_not_used_as_meant(p_male, words):
    """Almost constant, better when inverted, or worse than the more frequent sex."""
    said = references.suspicions(references.scores(np.array(p_male), IS_MALE, 0.5))
    assert len(words) == len(said), said
    assert all(word in row for word, row in zip(words, said, strict=True))
