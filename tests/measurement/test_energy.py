"""Energy: measured, estimated when asked for, or unavailable; never a silent guess."""

import re
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest
import records
from fake_nvml import Gpu, refuse
from html_page import report_of, summary_md

from gfr.config import loader
from gfr.config.benchmark_files import benchmark_file
from gfr.config.schema import HardwareConfig
from gfr.errors import InputError
from gfr.measurement import cpu_energy, energy
from gfr.measurement.cpu_energy import CpuEnergy
from gfr.measurement.gpu import GpuUse, Level
from gfr.measurement.resources import Cost, metered
from gfr.regression import history
from gfr.report import summary_json
from gfr.results import records as results_records
from gfr.storage import serialization

NO_RAPL = CpuEnergy(None, "no processor package")
COST = Cost(wall_s=10.0, cpu_s=8.0, peak_memory_bytes=1, cpu_energy=NO_RAPL)
GPU = GpuUse("0", "RTX", None, None, Level(90.0, 120.0, 5), 800.0, {})


@pytest.fixture
def powercap(tmp_path):
    """Two packages as Linux shows them, one of them twice; their parts and the whole board."""
    zones = {
        "intel-rapl:0": ("package-0", 900, 1000),
        "intel-rapl:0:0": ("core", 5, 1000),
        "intel-rapl:1": ("package-1", 100, 1000),
        "intel-rapl:2": ("psys", 7, 1000),
        "intel-rapl-mmio:0": ("package-0", 900, 1000),
    }
    for zone, (name, energy_j, range_j) in zones.items():
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "max_energy_range_uj").write_text(f"{range_j * 10**6}\n")
        count(tmp_path / zone, energy_j)
    return tmp_path


def count(zone, energy_j):
    """Set a counter."""
    (zone / "energy_uj").write_text(f"{energy_j * 10**6}\n")


def test_packages_are_summed_once_and_counters_may_start_over(powercap):
    """900 -> 950 -> 30 of 1000 is 130; neither parts nor second views are added."""
    look = cpu_energy.meter(powercap)
    assert CpuEnergy(0.0, "RAPL package-0, package-1") == look()
    count(powercap / "intel-rapl:0", 950)
    count(powercap / "intel-rapl:0:0", 500)
    assert 50.0 == look().joules
    count(powercap / "intel-rapl:0", 30)
    count(powercap / "intel-rapl:1", 101)
    assert 131.0 == look().joules


def test_a_stage_is_measured_by_the_processors_counters(powercap, monkeypatch):
    """The joules between its begin and its end."""
    monkeypatch.setattr(cpu_energy, "POWERCAP", powercap)
    _, cost = metered(lambda: count(powercap / "intel-rapl:1", 142))
    assert 42.0 == cost.cpu_energy.joules
    assert "measured" == energy.of_cpu(cost, HardwareConfig(cpu_watts=65), 2).label


def test_counters_that_cannot_be_read_say_why(powercap, monkeypatch):
    """No driver; closed to all but root; gone in the middle: each a reason, never a number."""
    assert "a virtual machine, or the RAPL driver" in cpu_energy.meter(powercap / "none")().note
    look = cpu_energy.meter(powercap)
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    assert (None, True) == (look().joules, "No such file" in look().note)
    count(powercap / "intel-rapl:1", 100)
    assert look().joules is None

    def closed(path, *arguments):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", closed)
    found = cpu_energy.meter(powercap)()
    assert (None, True) == (found.joules, "permission denied; since 2020" in found.note)
    assert "docs/gpu.md" in found.note


def test_nothing_is_estimated_unasked():
    """Without a counter and without the user's watts there is no number."""
    found = energy.of_cpu(COST, HardwareConfig(), 2)
    assert energy.Energy("unavailable", None, "no processor package") == found
    assert "did not measure it" in energy.of_cpu(records.COST, HardwareConfig(), 2).how


def test_an_estimate_is_the_users_watts_for_the_threads_kept_busy():
    """65 W x 8 CPU seconds / 2 threads = 260 J; at 360 g/kWh 0.026 g."""
    stated = HardwareConfig(cpu_watts=65.0, carbon_g_per_kwh=360.0)
    found = energy.of_cpu(COST, stated, 2)
    assert ("estimated", 260.0) == (found.label, found.joules)
    assert pytest.approx(0.026) == found.carbon_g(stated)
    assert found.carbon_g(HardwareConfig(cpu_watts=65.0)) is None


def test_a_gpu_is_measured_by_its_counter_or_estimated_when_asked():
    """90 W x 10 s where it has no counter, and only if the benchmark says so."""
    old = replace(GPU, energy_j=None, missing={"energy": "Not Supported"})
    rows = [
        energy.of_gpus(replace(COST, gpus=gpus), HardwareConfig(gpu_power_samples=asked))
        for gpus, asked in (((GPU,), True), ((old,), False), ((old,), True), ((GPU, old), False))
    ]
    assert [
        ("measured", 800.0),
        ("unavailable", None),
        ("estimated", 900.0),
        ("unavailable", None),
    ] == [(row.label, row.joules) for row in rows]
    assert "RTX: Not Supported" == rows[1].how


def test_a_sum_is_labelled_by_its_weakest_part():
    """Half a measurement is no measurement."""
    measured, guess = energy.Energy("measured", 1.0, "a"), energy.Energy("estimated", 2.0, "b")
    lost = energy.Energy("unavailable", None, "c")
    assert energy.Energy("estimated", 3.0, "b") == energy.total([measured, guess])
    assert lost == energy.total([measured, lost, guess])


def with_costs(cost, stated):
    """The small run, every stage at this cost."""
    run = records.run()
    record = replace(
        run.record, cost=cost, benchmark=replace(run.record.benchmark, hardware=stated)
    )
    trials = []
    for row in run.trials:
        parts = tuple(replace(part, cost=cost) for part in row.features.parts)
        features = replace(row.features, parts=parts)
        trials.append(replace(row, train_cost=cost, refit_cost=cost, features=features))
    latencies = {key: replace(row, cost=cost) for key, row in run.latencies.items()}
    return replace(run, record=record, trials=tuple(trials), latencies=latencies)


def test_the_report_labels_every_row():
    """A measured GPU beside an estimated processor; the sum over 13 stages; the GPU's samples."""
    work = replace(GPU, utilization=Level(0.5, 0.9, 5))
    cost = replace(COST, gpus=(work,))
    page = energy_text(with_costs(cost, HardwareConfig(65.0, carbon_g_per_kwh=360.0)))
    together = [line.split("|")[1:] for line in page.splitlines() if "| Total" in line]
    assert [
        ["Total", "CPU", "3,380", "0.338", "estimated", "65 W x CPU seconds / 2 threads"],
        ["Total", "GPU", "10,400", "1.040", "measured", "NVML's counter"],
    ] == [[cell.strip() for cell in row[:-1]] for row in together]
    assert "360 g/kWh, the user's figure" in page
    assert 13 == len(re.findall(r"\| +50% / 90% \| +- ", page))


def energy_text(run):
    """The section on energy."""
    return summary_md(run).partition("## Energy\n\n")[2].partition("\n\n## ")[0]


def test_a_report_without_any_counter_says_so_in_a_line():
    """No table of dashes."""
    page = energy_text(with_costs(COST, HardwareConfig()))
    assert (
        "Unavailable: no processor package. To estimate it, set `cpu_watts` in `[hardware]` of the "
        "benchmark file."
    ) == page
    run = with_costs(COST, HardwareConfig())
    rows = summary_json.summary(report_of(run))["energy"]
    assert {("CPU", "unavailable")} == {(row["device"], row["energy"]["label"]) for row in rows}


def test_a_record_keeps_its_energy_and_older_ones_are_read(tmp_path):
    """Schema 3 stays: what is new may be absent."""
    path = tmp_path / "trial.json"
    written = with_costs(replace(COST, gpus=(GPU,)), HardwareConfig()).trials[0]
    serialization.write(path, written)
    assert written == serialization.read(path, results_records.TrialResult)
    text = path.read_text()
    assert text.count('"gpu_note"') >= 3
    older = {"wall_s": 1.0, "cpu_s": 2.0, "peak_memory_bytes": 3}
    (tmp_path / "cost.json").write_text(str(older).replace("'", '"'))
    assert Cost(1.0, 2.0, 3) == serialization.read(tmp_path / "cost.json", Cost)


def test_stated_watts_begin_no_new_history():
    """They change no measured number, so that what ran before stays comparable."""
    run = records.run()
    stated = with_costs(records.COST, HardwareConfig(cpu_watts=65.0))
    assert history.entry(run).key == history.entry(stated).key


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("cpu_watts = 0", "hardware.cpu_watts: input should be greater than 0"),
        ("carbon_g_per_kwh = -1", "hardware.carbon_g_per_kwh: input should be greater than or"),
        ("watts = 65", "unknown key hardware.watts"),
    ],
)
def test_impossible_figures_are_refused(line, place, tmp_path):
    """At the door, by name."""
    path = tmp_path / "b.toml"
    path.write_text(benchmark_file("smoke").read_text() + f"\n[hardware]\n{line}\n")
    with pytest.raises(InputError, match=place.replace(".", r"\.")):
        loader.load(path)
    path.write_text(path.read_text().replace(line, "cpu_watts = 65"))
    assert HardwareConfig(cpu_watts=65.0) == loader.load(path).hardware


def test_a_gpu_that_counts_no_energy_is_named_in_the_record(monkeypatch):
    """From NVML's refusal to the row's reason."""
    counter = {
        "nvmlDeviceGetTotalEnergyConsumption": refuse(pynvml.NVML_ERROR_NOT_SUPPORTED),
    }
    Gpu(**counter).install(monkeypatch)
    _, cost = metered(lambda: None)
    assert "NVIDIA GeForce RTX 3050: Not Supported" == energy.of_gpus(cost, HardwareConfig()).how
