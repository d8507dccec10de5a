"""Raw samples, warm-ups apart."""

import numpy as np

from gfr.latency import Samples, joined, time_calls


def test_warmups_are_kept_apart_and_inputs_go_round():
    """Three warm-ups, four values, two inputs in turn."""
    seen = []
    samples = time_calls(seen.append, ["a", "b"], num_warmups=3, num_values=4)
    assert (3, 4) == (len(samples.warmups_s), len(samples.values_s))
    assert ["a", "b", "a", "a", "b", "a", "b"] == seen


def test_percentiles_are_of_the_values_alone():
    """A slow first call does not move p50."""
    samples = Samples((99.0,), tuple(np.arange(1.0, 102.0)), 1.0, 1.0, 0.0)
    assert (51.0, 96.0) == (samples.percentile_s(50), samples.percentile_s(95))


def test_stretches_are_joined_in_order():
    """Values follow each other; the share of others is weighted by wall seconds."""
    parts = [Samples((), (1.0, 1.0), 2.0, 3.0, 0.0), Samples((), (6.0,), 6.0, 5.0, 0.2)]
    whole = joined(parts)
    assert ((1.0, 1.0, 6.0), 8.0, 8.0) == (whole.values_s, whole.wall_s, whole.cpu_s)
    assert (0.15, True) == (round(whole.others_share, 9), whole.is_contended)
