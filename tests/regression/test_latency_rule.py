"""Latency rule: slower, inconclusive or ok; figures by hand."""

from dataclasses import replace

import pytest

from gfr.regression.latency_rule import Measured, final, is_settled, judge, margin

SAVED = Measured(
    num_calls=80,
    min_s=0.100,
    p10_s=0.110,
    p50_s=0.120,
    cpu_p10_s=0.200,
    witness_s=0.025,
    relative=4.4,
    others_share=0.01,
)


def measured(wall=1.0, cpu=1.0, reference=1.0, others_share=0.01):
    """The saved figures multiplied by factors."""
    return replace(
        SAVED,
        min_s=wall * SAVED.min_s,
        p10_s=wall * SAVED.p10_s,
        p50_s=wall * SAVED.p50_s,
        cpu_p10_s=cpu * SAVED.cpu_p10_s,
        witness_s=reference * SAVED.witness_s,
        relative=wall / reference * SAVED.relative,
        others_share=others_share,
    )


@pytest.mark.parametrize(
    ("expected", "now"),
    [
        ("ok", measured()),
        ("ok", measured(wall=1.14)),
        ("slower", measured(wall=1.16)),
        ("slower", measured(wall=1.3, cpu=1.0)),  # sleeping takes no CPU time
        ("ok", measured(wall=1.1, cpu=1.5, others_share=0.5)),
        ("inconclusive", measured(wall=1.4, cpu=0.9, others_share=0.5)),
        ("inconclusive", measured(wall=1.4, cpu=1.29, others_share=0.5)),  # 1.10 + 0.4 x 0.5
        ("slower", measured(wall=1.4, cpu=1.31, others_share=0.5)),
        ("inconclusive", measured(wall=1.3, cpu=1.3, reference=1.2)),
        ("ok", measured(reference=1.2)),
        ("slower", measured(wall=1.12, reference=0.9)),  # 1.24 times relative to a faster machine
        ("ok", measured(wall=1.12, reference=0.9, others_share=0.5)),
        ("ok", measured(wall=0.99, reference=0.8)),  # wall time contradicts
    ],
)
def test_load_is_not_reported_as_a_regression(expected, now):
    """Idle: relative to the reference workload; under load CPU time must agree."""
    assert expected == judge(now, [SAVED]).status


def test_minimum_and_p10_must_both_be_slower():
    """The smaller of the two ratios counts."""
    assert "ok" == judge(replace(SAVED, min_s=0.2), [SAVED]).status
    assert "ok" == judge(replace(SAVED, p10_s=0.2), [SAVED]).status


def test_p50_is_ignored():
    """Load on one core raises it by a third."""
    assert "ok" == judge(replace(SAVED, p50_s=9.0), [SAVED]).status


def test_only_runs_without_load_are_a_baseline():
    """Of a fast run without load and two slow ones under load, only the first one counts."""
    busy = measured(wall=2, others_share=0.4)
    verdict = judge(measured(wall=1.3), [busy, SAVED, busy])
    assert "slower" == verdict.status
    assert 1.3 == pytest.approx(verdict.wall_ratio)
    assert "no baseline" == judge(SAVED, [busy]).status
    assert "no baseline" == judge(SAVED, []).status


def test_the_median_of_the_saved_runs_counts():
    """One fast saved run does not make a usual one slower."""
    saved = [measured(wall=0.8), measured(), measured(wall=1.01)]
    assert 1.0 == pytest.approx(judge(measured(), saved).wall_ratio)


def test_a_machine_of_varying_speed_does_not_widen_the_margin():
    """The reference workload varies from 0.8 to 1.2 with the saved runs: 1.3 is found."""
    saved = [measured(wall=pace, reference=pace) for pace in (0.8, 1.0, 1.2)]
    verdict = judge(measured(wall=1.3), saved)
    assert ("slower", 1.15) == (verdict.status, pytest.approx(verdict.relative_margin))


def test_wall_time_decides_where_the_reference_workload_varies_more():
    """Equal saved calls, the reference 0.8 to 1.2 times: a slower one still excuses the code."""
    saved = [measured(reference=pace) for pace in (0.8, 1.0, 1.2)]
    assert "slower" == judge(measured(wall=1.2), saved).status
    assert "inconclusive" == judge(measured(wall=1.2, reference=1.2), saved).status
    assert "ok" == judge(measured(wall=1.1, reference=0.8), saved).status


def test_saved_runs_that_spread_widen_the_margin():
    """Three standard deviations of the logarithm, never below the minimum; two runs are too few."""
    assert 1.15 == margin([1.0, 1.0, 1.0], least=1.15)
    assert 1.15 == margin([1.0, 2.0], least=1.15)
    assert 1e6 < margin([1e-300, 1.0, 1e300], least=1.15)  # invalid figures do not overflow
    # ln 0.9, ln 1, ln 1/0.9 are 0.105 apart: standard deviation 0.105, e^(3 x 0.105) = 1/0.9^3
    assert 1 / 0.9**3 == pytest.approx(margin([0.9, 1.0, 1 / 0.9], least=1.15))


@pytest.mark.parametrize(
    ("expected", "settled", "walls"),
    [
        ("ok", True, [1.0]),
        ("inconclusive", False, [1.3]),  # needs a rerun
        ("slower", True, [1.3, 1.3]),
        ("ok", True, [1.3, 1.0]),
    ],
)
def test_a_second_measurement_confirms_or_clears_a_slow_one(expected, settled, walls):
    """Slower twice is slower, fast once is ok."""
    verdicts = [judge(measured(wall=wall), [SAVED]) for wall in walls]
    assert (expected, settled) == (final(verdicts).status, is_settled(verdicts))


def test_a_busy_machine_is_measured_three_times_at_most():
    """The reason is that of the last inconclusive measurement."""
    busy = judge(measured(wall=1.4, others_share=0.5), [SAVED])
    slower = judge(measured(wall=1.4), [SAVED])
    assert not is_settled([busy, slower])
    assert is_settled([busy, busy, slower])
    assert "machine busy: other processes took 50% of it" == final([busy, busy, slower]).reason
    assert "slower" == final([slower, busy, slower]).status
