"""Durations when the clock of the machine is set back."""

import os
import re
import time

from records import run, write

from cli import run_summary
from gfr.pipeline import isolation, steps
from gfr.report import writer
from gfr.results import store
from gfr.storage.paths import ROOT
from gfr.storage.run_directory import RunDirectory

# They compare with the times of files, which are on the clock of the machine.
ON_THE_CLOCK = {"gfr/storage/atomic.py", "gfr/results/cleanup.py"}


def test_an_export_takes_as_long_if_the_clock_is_set_back(tmp_path, monkeypatch):
    """Its start reaches the last of its processes on a clock that only goes forward."""
    found, seconds = run(tmp_path / "runs" / "r"), []
    write(found)

    def call_alone(place, *arguments, limits, gpu):
        if place.endswith(":examine"):
            seconds.append(time.monotonic() - arguments[0].start_s)

    monkeypatch.setattr(time, "time", lambda: 0.0)  # 1970
    monkeypatch.setattr(steps.shared_storage, "check", lambda *_: None)
    monkeypatch.setattr(isolation, "call_alone", call_alone)
    steps.export(found.directory, None, None, isolation.Limits())
    assert 0 <= seconds[0] < 60


def test_a_report_belongs_to_its_results_if_the_clock_was_set_back_in_between(tmp_path):
    """A page older than the selection would be called not rendered, however often it is."""
    found = run(tmp_path / "reports" / "runs" / "r")
    write(found)
    files = RunDirectory(found.directory)
    os.utime(files.selection, (2**33, 2**33))
    writer.write_report(found.directory)
    assert store.is_newer(files.summary_md, files.selection)
    assert "not rendered" not in run_summary.text(found, "smoke")


def test_no_duration_is_measured_on_the_clock_of_the_machine():
    """Only what compares with the times of files reads that clock."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("gfr", "tasks", "flows", "cli")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\btime\.time\(", path.read_text())
    }
    assert ON_THE_CLOCK == found
