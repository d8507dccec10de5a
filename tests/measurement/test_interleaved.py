"""Callables timed in turn: who comes when, and what each row contains."""

import time
from collections import Counter
from itertools import pairwise

import pytest

from gfr.measurement import allowance, interleaved
from gfr.measurement.latency import Samples


@pytest.mark.parametrize("num", [1, 2, 3, 4, 5, 6])
def test_each_callable_follows_each_other_one_equally_often(num):
    """In the orders of one cycle, and it is equally often at each place."""
    found = interleaved.orders(num)
    assert all(sorted(order) == list(range(num)) for order in found)
    follows = Counter(pair for order in found for pair in pairwise(order))
    assert {(a, b) for a in range(num) for b in range(num) if a != b} == set(follows)
    assert len(set(follows.values())) <= 1
    for place in range(num):
        at_place = Counter(order[place] for order in found)
        assert {len(found) // num} == set(at_place.values()) and num == len(at_place)


def test_orders_of_two_and_three_by_hand():
    """Two: forwards, then backwards. Three: rotated, then the same reversed."""
    assert [(0, 1), (1, 0)] == interleaved.orders(2)
    rotated = [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    assert [*rotated, (2, 1, 0), (0, 2, 1), (1, 0, 2)] == interleaved.orders(3)


def test_all_callables_get_the_same_inputs_in_the_same_order():
    """Call by call in turn: each round has one input and one call of each."""
    seen = []
    calls = [lambda value, name=name: seen.append((name, value)) for name in "ab"]
    found = interleaved.time_calls(calls, [1, 2, 3], num_values=4)
    rounds = [("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3), ("b", 3), ("b", 1), ("a", 1)]
    assert rounds == seen
    assert [4, 4] == [len(row.values_s) for row in found.rows]


def test_a_measurement_has_enough_calls_and_lasts_long_enough():
    """The larger of both; min_s is of all callables together."""
    few = interleaved.time_calls([lambda _: time.sleep(0.01)] * 2, [0], 1, min_s=0.1)
    assert 3 <= len(few.rows[0].values_s) <= 5
    assert 7 == len(interleaved.time_calls([len], ["a"], 7).rows[0].values_s)


def test_each_row_has_its_own_seconds_and_its_own_cpu_time(monkeypatch):
    """One sleeps, one computes; both have the background load of the whole measurement."""
    monkeypatch.setattr(allowance, "meter_others", lambda: lambda: 0.07)

    def compute(_):
        end_s = time.process_time() + 0.02
        while time.process_time() < end_s:
            pass

    sleeping, busy = interleaved.time_calls([lambda _: time.sleep(0.02), compute], [0], 5).rows
    assert sleeping.cpu_s < 0.02 < 0.1 <= busy.cpu_s
    assert (sum(sleeping.values_s), sum(busy.values_s)) == (sleeping.wall_s, busy.wall_s)
    assert min(sleeping.values_s) >= 0.02
    assert [0.07, 0.07] == [sleeping.others_share, busy.others_share]


def test_warm_ups_are_kept_apart_and_a_disturbed_measurement_is_repeated(monkeypatch):
    """All callables together: rows of different attempts are not mixed."""
    shares = iter([0.5, 0.04, 0.0])

    def time_calls(calls, inputs, num_values, min_s):
        share = next(shares)
        rows = [Samples((), (1.0 + share,) * num_values, 1.0, 1.0, share) for _ in calls]
        return interleaved.Interleaved(tuple(rows))

    monkeypatch.setattr(interleaved, "time_calls", time_calls)
    rows, num_attempts = interleaved.measure([len, len], ["a"], 3, 0.0)
    assert 2 == num_attempts
    assert [(1.04,) * 3] * 2 == [row.values_s for row in rows]
    assert all(len(row.warmups_s) >= 10 for row in rows)
