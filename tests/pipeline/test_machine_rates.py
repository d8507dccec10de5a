"""The precision of a machine whose speed-up is close to the limit."""

from dataclasses import replace

import pytest
import records

from gfr.errors import InputError
from gfr.measurement import allowance, reference_workload
from gfr.measurement.reference_workload import Rates
from gfr.pipeline import prepare

MACHINE = replace(records.HARDWARE, gpus=(), cpu_flags=("avx512_bf16",))


@pytest.fixture
def measured(monkeypatch):
    """Speed-ups of 1.3, 2.5, 1.3, ... as a loaded machine measures them."""
    speedups = [1.3, 2.5] * 3
    monkeypatch.setattr(reference_workload, "measure", lambda: Rates(100.0, 100 * speedups.pop(0)))
    return speedups


def test_the_precision_is_decided_once_per_machine_and_cache(measured, tmp_path):
    """Otherwise a run could not be compared with the run before it."""
    rates = [prepare._rates(tmp_path, MACHINE, {}) for _ in range(3)]
    assert ["float32"] * 3 == [row.fastest for row in rates]
    assert 5 == len(measured)  # measured once
    (path,) = (tmp_path / "machines").iterdir()
    path.unlink()
    assert "bfloat16" == prepare._rates(tmp_path, MACHINE, {}).fastest


def test_another_machine_decides_for_itself(measured, tmp_path, monkeypatch):
    """Another processor, other threads, other settings; a load or free memory are no other one."""
    first = prepare._rates(tmp_path, MACHINE, {})
    busy = replace(MACHINE, cpu_load=31.0, memory_available_bytes=1)
    assert first == prepare._rates(tmp_path, busy, {})
    others = [(replace(MACHINE, cpu_model="Another CPU"), {}), (MACHINE, {"OMP_NUM_THREADS": "1"})]
    for machine, settings in others:
        prepare._rates(tmp_path, machine, settings)
    monkeypatch.setattr(allowance, "num_threads", lambda: 1_000)
    prepare._rates(tmp_path, MACHINE, {})
    assert 4 == len(list((tmp_path / "machines").iterdir()))


def test_a_machine_without_bfloat16_is_not_measured(measured, tmp_path):
    """It takes a second and decides nothing."""
    assert prepare._rates(tmp_path, replace(MACHINE, cpu_flags=("avx2",)), {}) is None
    assert 6 == len(measured) and not (tmp_path / "machines").exists()


def test_a_damaged_decision_is_named(measured, tmp_path):
    """With what to do."""
    prepare._rates(tmp_path, MACHINE, {})
    (path,) = (tmp_path / "machines").iterdir()
    path.write_text("{}")
    with pytest.raises(InputError, match=f"{path.name}: not a valid MachineRates .*delete it"):
        prepare._rates(tmp_path, MACHINE, {})
