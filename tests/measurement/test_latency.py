"""Raw samples, warm-ups apart."""

import numpy as np
import pytest
from scipy.stats import binom

from gfr.evaluation.statistics import quantile_ranks
from gfr.measurement import latency
from gfr.measurement.latency import Samples, joined, time_calls


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


def test_warming_up_goes_on_until_calls_no_longer_get_faster(monkeypatch):
    """Ten calls at least, more while they fall, sixty at most."""

    def num_warmups(seconds_of):
        seconds = map(seconds_of, range(1000))
        monkeypatch.setattr(latency, "_seconds", lambda call, value: next(seconds))
        return len(latency.warm_up(len, ["a"]))

    assert 10 == num_warmups(lambda i: 1.0)
    assert 20 < num_warmups(lambda i: max(1.0, 10 - i / 2)) < 30
    assert 60 == num_warmups(lambda i: 0.9**i)


def test_a_disturbed_row_is_measured_again_and_the_quietest_kept():
    """Three times at most; the first quiet one ends it."""

    def kept(*shares):
        rows = iter([Samples((), (share or 0.01,), 1.0, 1.0, share) for share in shares])
        found, num_attempts = latency.least_disturbed(lambda: next(rows))
        return found.others_share, num_attempts

    assert (0.0, 1) == kept(0.0)
    assert (0.05, 2) == kept(0.5, 0.05)
    assert (0.2, 3) == kept(0.5, 0.2, 0.4)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("num_values", [30, 100, 368, 1000])
def test_order_statistics_enclose_a_quantile_with_95_percent(num_values, quantile):
    """At most 2.5% in either tail, and the next narrower ranks would have more."""

    def tails(low, high):
        below = binom(num_values, quantile)
        return below.cdf(low - 1), below.sf(high - 1)

    ranks = quantile_ranks(num_values, quantile)
    if ranks is None:
        assert max(tails(1, num_values)) > 0.025
        return
    assert max(tails(*ranks)) <= 0.025
    assert tails(ranks[0] + 1, ranks[1])[0] > 0.025 < tails(ranks[0], ranks[1] - 1)[1]


def test_a_99th_percentile_needs_368_calls():
    """0.99 to the 368th is the first below 2.5%."""
    assert (None, (360, 368)) == (quantile_ranks(367, 0.99), quantile_ranks(368, 0.99))


def test_calls_are_timed_for_as_long_as_asked(monkeypatch):
    """A clock that ticks whenever it is read: twice a call, and once to see whether it is time."""
    seconds = iter(range(1000))
    monkeypatch.setattr(latency.time, "perf_counter", lambda: next(seconds))
    assert 2 == len(time_calls(len, ["a"], 0, 2).values_s)
    assert 10 == len(time_calls(len, ["a"], 0, 2, min_s=29).values_s)
