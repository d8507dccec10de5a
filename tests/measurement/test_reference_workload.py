"""The precision follows from what was measured."""

import pytest

from gfr.measurement import reference_workload
from gfr.measurement.reference_workload import Rates


@pytest.mark.parametrize(
    ("expected", "bfloat16_gflops"), [("float32", 90.0), ("float32", 149.0), ("bfloat16", 150.0)]
)
def test_bfloat16_must_be_clearly_faster(expected, bfloat16_gflops):
    """Half as fast again as float32's 100 GFLOP/s."""
    assert expected == Rates(100.0, bfloat16_gflops).fastest


def test_a_faster_convolution_is_seen(monkeypatch):
    """Seconds told beforehand: 2 * 16 * 32 * 32 * 256 * 9 * 256 = 19.3 GFLOP in 1 s and 0.1 s."""
    told = iter([1.5, 0.2, 1.0, 0.1] + [2.0, 0.3] * 8)
    monkeypatch.setattr(reference_workload, "_seconds", lambda _: next(told))
    measured = reference_workload.measure()
    assert pytest.approx((19.327, 193.27), rel=1e-4) == (
        measured.float32_gflops,
        measured.bfloat16_gflops,
    )
